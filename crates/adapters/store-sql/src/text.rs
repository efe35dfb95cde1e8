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
    fn a_name_stays_a_name() {
        assert_eq!(quoted("a\"; DROP TABLE x"), "\"a\"\"; DROP TABLE x\"");
    }
}
