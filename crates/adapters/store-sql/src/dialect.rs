//! What differs between databases, all of it.

/// How a database says it.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// A column of text that sorts by its bytes.
    pub(crate) text: &'static str,
    /// A column of 64-bit integers.
    pub(crate) integer: &'static str,
    /// A primary key that counts by itself.
    pub(crate) counter: &'static str,
    /// What follows the columns of a table that is kept in the order of insertion.
    pub(crate) heap: &'static str,
    /// What follows the columns of a table that is kept in the order of its key.
    pub(crate) by_key: &'static str,
    /// Begins a transaction that writes.
    pub(crate) begin: &'static str,
    /// A parameter. SQLite's have no numbers: it finds a numbered one by walking through all before it.
    pub(crate) parameter: fn(usize) -> String,
    /// Finds one of our tables by name.
    pub(crate) find_table: &'static str,
    /// Changes to what a migration says.
    pub(crate) migration: fn(&str) -> String,
}

pub(crate) const SQLITE: Dialect = Dialect {
    text: "TEXT",
    integer: "INTEGER",
    counter: "INTEGER PRIMARY KEY",
    heap: "STRICT",
    by_key: "STRICT, WITHOUT ROWID",
    begin: "BEGIN IMMEDIATE",
    parameter: |_| "?".to_owned(),
    find_table: "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?",
    // A strict table knows no BIGINT; its INTEGER has 64 bits.
    migration: |sql| sql.replace("BIGINT", "INTEGER"),
};

pub(crate) const POSTGRES: Dialect = Dialect {
    // As SQLite sorts, whatever the server's locale is.
    text: "TEXT COLLATE \"C\"",
    integer: "BIGINT",
    counter: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    heap: "",
    by_key: "",
    // Replicas may start at the same moment.
    begin: "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 0))",
    parameter: |number| format!("${number}"),
    find_table: "SELECT table_name::text FROM information_schema.tables
                 WHERE table_schema = current_schema() AND table_name = $1",
    migration: str::to_owned,
};
