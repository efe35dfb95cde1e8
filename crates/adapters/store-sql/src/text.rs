//! SQL texts made from descriptions.

use std::fmt::Write;

use nightdesk_store::{Column, Kind, Table};

use crate::dialect::Dialect;

/// A name that cannot be mistaken for SQL.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Names, quoted and separated by commas.
pub(crate) fn names<'a>(columns: impl Iterator<Item = &'a str>) -> String {
    columns.map(quoted).collect::<Vec<_>>().join(", ")
}

/// Makes a projection's table and indexes, if they are not there.
pub(crate) fn create_table(dialect: &Dialect, table: &Table) -> String {
    let mut sql = format!("CREATE TABLE IF NOT EXISTS {} (", quoted(table.name));
    for Column { name, kind } in table.columns {
        let (kind, null) = match kind {
            Kind::Text => (dialect.text, " NOT NULL"),
            Kind::Int => (dialect.integer, " NOT NULL"),
            Kind::OptText => (dialect.text, ""),
            Kind::OptInt => (dialect.integer, ""),
        };
        let _ = write!(sql, "{} {kind}{null}, ", quoted(name));
    }
    let key = names(table.columns.iter().take(table.key).map(|column| column.name));
    // In the order of insertion: keys are hashes, and in their order every row that changes would be on a page of its own.
    let _ = writeln!(sql, "PRIMARY KEY ({key})) {};", dialect.heap);
    for index in table.indexes {
        let name = quoted(&format!("{}_{index}", table.name));
        let _ = writeln!(sql, "CREATE INDEX IF NOT EXISTS {name} ON {} ({});", quoted(table.name), quoted(index));
    }
    sql
}

/// A statement that inserts as many rows as it is given room for, all but its `VALUES`.
#[derive(Debug)]
pub(crate) struct Insert {
    head: String,
    tail: String,
    width: usize,
}

impl Insert {
    /// Inserts; a row that is there already is an error.
    pub(crate) fn new(table: &str, columns: &[&str]) -> Self {
        let head = format!("INSERT INTO {} ({}) SELECT * FROM (VALUES ", quoted(table), names(columns.iter().copied()));
        // The filter lets one text serve several numbers of rows: those not used are bound to NULL.
        Self { head, tail: ") WHERE column1 IS NOT NULL;\n".to_owned(), width: columns.len() }
    }

    /// Inserts, or replaces the row with the same key (the first `key` columns).
    pub(crate) fn or_replace(table: &str, columns: &[&str], key: usize) -> Self {
        let mut insert = Self::new(table, columns);
        let (key, rest) = columns.split_at(key.min(columns.len()));
        let rest: Vec<_> = rest.iter().map(|name| format!("{0} = excluded.{0}", quoted(name))).collect();
        let action = if rest.is_empty() { "NOTHING".to_owned() } else { format!("UPDATE SET {}", rest.join(", ")) };
        insert.tail =
            format!(") WHERE column1 IS NOT NULL ON CONFLICT ({}) DO {action};\n", names(key.iter().copied()));
        insert
    }

    /// How many columns it has.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Appends the statement with room for `rows`; parameters are numbered from `first`. Returns the next number.
    pub(crate) fn write(&self, dialect: &Dialect, rows: usize, first: usize, sql: &mut String) -> usize {
        let mut next = first;
        sql.push_str(&self.head);
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { "), (" });
            for column in 0..self.width {
                if column > 0 {
                    sql.push_str(", ");
                }
                sql.push_str(&(dialect.parameter)(next));
                next += 1;
            }
        }
        sql.push(')');
        sql.push_str(&self.tail);
        next
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use nightdesk_store::contract::{BALANCES, ORDERS};

    use super::*;
    use crate::dialect::SQLITE;

    #[test]
    fn a_table_is_made_from_its_description() {
        let expected = expect![[r#"
            CREATE TABLE IF NOT EXISTS "orders" ("id" TEXT NOT NULL, "status" TEXT NOT NULL, "updated_at" INTEGER NOT NULL, "note" TEXT, "done_at" INTEGER, PRIMARY KEY ("id")) STRICT;
            CREATE INDEX IF NOT EXISTS "orders_status" ON "orders" ("status");
            CREATE INDEX IF NOT EXISTS "orders_updated_at" ON "orders" ("updated_at");
            CREATE INDEX IF NOT EXISTS "orders_done_at" ON "orders" ("done_at");
            CREATE TABLE IF NOT EXISTS "balances" ("account" TEXT NOT NULL, "asset" TEXT NOT NULL, "free" TEXT NOT NULL, PRIMARY KEY ("account", "asset")) STRICT;
        "#]];
        expected.assert_eq(&(create_table(&SQLITE, &ORDERS) + &create_table(&SQLITE, &BALANCES)));
    }

    #[test]
    fn inserts_and_replacements_have_room_for_rows() {
        let mut sql = String::new();
        assert_eq!(Insert::new("journal", &["stream", "version"]).write(&SQLITE, 2, 1, &mut sql), 5);
        let balances = Insert::or_replace("balances", &["account", "asset", "free"], 2);
        assert_eq!(balances.write(&SQLITE, 1, 5, &mut sql), 8);
        Insert::or_replace("seen", &["id"], 1).write(&SQLITE, 1, 8, &mut sql);
        let expected = expect![[r#"
            INSERT INTO "journal" ("stream", "version") SELECT * FROM (VALUES (?, ?), (?, ?)) WHERE column1 IS NOT NULL;
            INSERT INTO "balances" ("account", "asset", "free") SELECT * FROM (VALUES (?, ?, ?)) WHERE column1 IS NOT NULL ON CONFLICT ("account", "asset") DO UPDATE SET "free" = excluded."free";
            INSERT INTO "seen" ("id") SELECT * FROM (VALUES (?)) WHERE column1 IS NOT NULL ON CONFLICT ("id") DO NOTHING;
        "#]];
        expected.assert_eq(&sql);
    }

    #[test]
    fn a_name_stays_a_name() {
        assert_eq!(quoted("a\"; DROP TABLE x"), "\"a\"\"; DROP TABLE x\"");
    }
}
