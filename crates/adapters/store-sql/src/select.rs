//! A [`Select`] as SQL, and rows as values.

use nightdesk_store::query::Query;
use nightdesk_store::{Column, Kind, Select, StoreError, Table, Value};

use crate::backend::Backend;
use crate::text::{names, quoted};

/// The most parameters SQLite takes is 32,766, PostgreSQL 65,535; the conditions beside the keys need a few.
const KEYS_MAX: usize = 32_000;

/// The text and its parameters.
///
/// # Errors
/// When a column does not exist or there are too many keys.
pub(crate) fn build<B: Backend>(select: &Select, place: &str) -> Result<(String, B::Arguments), StoreError> {
    Query::new(select, place)?;
    if select.keys.len() > KEYS_MAX {
        let detail = format!("{} keys asked for at once, the most is {KEYS_MAX}", select.keys.len());
        return Err(StoreError::Unavailable { place: place.to_owned(), detail });
    }
    let mut text = Text::<B> { arguments: B::Arguments::default(), next: 1 };
    let conditions = text.conditions(select);
    let table = select.table;
    let columns = names(table.columns.iter().map(|column| column.name));
    let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let order = order(select);
    let limit = text.bind(&Value::Int(i64::try_from(select.limit).unwrap_or(i64::MAX)));
    let sql = format!("SELECT {columns} FROM {}{filter} ORDER BY {order} LIMIT {limit}", quoted(table.name));
    Ok((sql, text.arguments))
}

/// No value comes before any value, in either database.
fn order(select: &Select) -> String {
    let table = select.table;
    let direction = if select.descending { " DESC" } else { "" };
    let mut terms: Vec<_> = select
        .order_by
        .iter()
        .filter(|name| is_key(table, name).is_none())
        .map(|name| {
            let nulls = match (nullable(table, name), select.descending) {
                (false, _) => "",
                (true, false) => " NULLS FIRST",
                (true, true) => " NULLS LAST",
            };
            format!("{}{direction}{nulls}", quoted(name))
        })
        .collect();
    terms.extend(table.columns.iter().take(table.key).map(|column| format!("{}{direction}", quoted(column.name))));
    terms.join(", ")
}

/// The only key column's name, if `name` is it: sorting by it is sorting by key.
fn is_key<'a>(table: &Table, name: &'a str) -> Option<&'a str> {
    (table.key == 1 && table.columns[0].name == name).then_some(name)
}

fn nullable(table: &Table, name: &str) -> bool {
    let kind = table.columns.iter().find(|column| column.name == name).map(|column| column.kind);
    matches!(kind, Some(Kind::OptText | Kind::OptInt))
}

struct Text<B: Backend> {
    arguments: B::Arguments,
    next: usize,
}

impl<B: Backend> Text<B> {
    fn conditions(&mut self, select: &Select) -> Vec<String> {
        let mut conditions = Vec::new();
        for (name, value) in &select.equal {
            conditions.push(match value {
                Value::Null => format!("{} IS NULL", quoted(name)),
                Value::Int(_) | Value::Text(_) => format!("{} = {}", quoted(name), self.bind(value)),
            });
        }
        let key = quoted(select.table.columns[0].name);
        if !select.keys.is_empty() {
            let keys: Vec<_> = select.keys.iter().map(|value| self.bind(value)).collect();
            conditions.push(format!("{key} IN ({})", keys.join(", ")));
        }
        if let Some((value, last)) = &select.after {
            let column = select.order_by.filter(|name| is_key(select.table, name).is_none());
            conditions.push(match column {
                None => format!("{key} {} {}", beyond(select), self.bind(last)),
                Some(name) => self.after(select, name, value, last),
            });
        }
        conditions
    }

    /// Rows after (`value`, `last`), where no value comes before any value.
    fn after(&mut self, select: &Select, name: &str, value: &Value, last: &Value) -> String {
        let (column, key, beyond) = (quoted(name), quoted(select.table.columns[0].name), beyond(select));
        match (nullable(select.table, name), value, select.descending) {
            (false, ..) => format!("({column}, {key}) {beyond} ({}, {})", self.bind(value), self.bind(last)),
            (true, Value::Null, false) => {
                format!("(({column} IS NULL AND {key} > {}) OR {column} IS NOT NULL)", self.bind(last))
            }
            (true, Value::Null, true) => format!("({column} IS NULL AND {key} < {})", self.bind(last)),
            (true, Value::Int(_) | Value::Text(_), descending) => {
                let none = if descending { format!(" OR {column} IS NULL") } else { String::new() };
                format!("(({column}, {key}) {beyond} ({}, {}){none})", self.bind(value), self.bind(last))
            }
        }
    }

    fn bind(&mut self, value: &Value) -> String {
        B::bind(&mut self.arguments, value.clone());
        self.next += 1;
        (B::DIALECT.parameter)(self.next - 1)
    }
}

fn beyond(select: &Select) -> &'static str {
    if select.descending { "<" } else { ">" }
}

/// A row of `table`.
///
/// # Errors
/// When it does not have the table's shape.
pub(crate) fn values<B: Backend>(table: &Table, row: &B::Row, place: &str) -> Result<Vec<Value>, StoreError> {
    let value = |(position, column): (usize, &Column)| {
        let value = match column.kind {
            Kind::Text | Kind::OptText => B::text(row, position).map(Value::from),
            Kind::Int | Kind::OptInt => B::int(row, position).map(Value::from),
        };
        value.map_err(|error| B::failure(place, &error))
    };
    table.columns.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use nightdesk_store::contract::ORDERS;

    use super::*;
    use crate::sqlite::Sqlite;

    fn sql(select: Select) -> String {
        build::<Sqlite>(&select, "p").unwrap().0.split_once(" FROM ").unwrap().1.to_owned()
    }

    #[test]
    fn a_page_starts_with_a_comparison_an_index_serves() {
        let after = Some((Value::Int(5), Value::from("o1")));
        let select = Select { order_by: Some("updated_at"), descending: true, after, ..Select::from(&ORDERS, 10) };
        assert_eq!(
            sql(select),
            r#""orders" WHERE ("updated_at", "id") < (?, ?) ORDER BY "updated_at" DESC, "id" DESC LIMIT ?"#
        );
    }

    #[test]
    fn sorting_by_the_key_is_the_plain_order() {
        let after = Some((Value::from("o1"), Value::from("o1")));
        let select = Select { order_by: Some("id"), after, ..Select::from(&ORDERS, 10) };
        assert_eq!(sql(select), r#""orders" WHERE "id" > ? ORDER BY "id" LIMIT ?"#);
    }

    #[test]
    fn conditions_are_joined() {
        let select = Select {
            equal: vec![("status", "open".into()), ("note", Value::Null)],
            keys: vec!["a".into(), "b".into()],
            ..Select::from(&ORDERS, 10)
        };
        assert_eq!(
            sql(select),
            r#""orders" WHERE "status" = ? AND "note" IS NULL AND "id" IN (?, ?) ORDER BY "id" LIMIT ?"#
        );
    }

    #[test]
    fn too_many_keys_are_refused_in_words() {
        let select = Select { keys: vec![Value::Int(1); KEYS_MAX + 1], ..Select::from(&ORDERS, 1) };
        let error = build::<Sqlite>(&select, "p").map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "p not available: 32001 keys asked for at once, the most is 32000");
    }
}
