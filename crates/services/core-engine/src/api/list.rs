//! Long lists, page by page: newest first, each page's end named by an opaque cursor.

use nightdesk_store::{Select, Store, Table, Value};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::convert::column;

/// A page's length when none is asked for.
const LIMIT_USUAL: usize = 100;
/// The longest page.
const LIMIT_MAX: usize = 500;

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The part.
    pub items: Vec<T>,
    /// Ask again with this `cursor` for what follows; `null` at the end.
    pub next: Option<String>,
}

/// Which part of a table is wanted.
pub(super) struct Wanted {
    pub(super) table: &'static Table,
    /// The column that tells the age.
    pub(super) age: &'static str,
    /// Column equals value, all of them.
    pub(super) equal: Vec<(&'static str, Value)>,
    /// Column equals one of these values.
    pub(super) any: Option<(&'static str, Vec<Value>)>,
    /// The rows with these keys only.
    pub(super) keys: Option<Vec<Value>>,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

impl Wanted {
    /// Reads the part and makes its rows into what the API says.
    pub(super) async fn read<T>(self, store: &dyn Store, show: fn(&[Value]) -> Option<T>) -> Result<Page<T>, Problem> {
        let Self { table, age, equal, any, keys, limit, cursor } = self;
        let limit = checked(limit)?;
        let after = cursor.map(|cursor| parse(&cursor)).transpose()?;
        if keys.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let one = Select {
            equal,
            keys: keys.unwrap_or_default(),
            order_by: Some(age),
            descending: true,
            after,
            // One more than wanted tells whether something follows.
            ..Select::from(table, limit + 1)
        };
        let selects = match any {
            None => vec![one],
            Some((name, values)) => values.into_iter().map(|value| narrowed(&one, name, value)).collect(),
        };
        let mut rows = Vec::new();
        for select in selects {
            rows.extend(store.select(select).await.map_err(|error| Problem::store(&error))?);
        }
        let place = |row: &Vec<Value>| Some((column(table, row, age)?.clone(), row.first()?.clone()));
        rows.sort_by_cached_key(|row| std::cmp::Reverse(place(row)));
        let follows = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| follows).and_then(place).map(|(age, key)| text(&age, &key));
        let items = rows.iter().filter_map(|row| {
            let shown = show(row);
            if shown.is_none() {
                tracing::error!(table = table.name, key = ?row.first(), "a row cannot be read");
            }
            shown
        });
        Ok(Page { items: items.collect(), next })
    }
}

fn narrowed(select: &Select, name: &'static str, value: Value) -> Select {
    let mut select = select.clone();
    select.equal.push((name, value));
    select
}

fn checked(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(LIMIT_USUAL);
    if (1..=LIMIT_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::bad_request(format!("limit is {limit}; a page has 1 to {LIMIT_MAX} items")))
    }
}

/// A place in the list: its age and its key, in hexadecimal so that nobody builds on it.
fn text(age: &Value, key: &Value) -> String {
    let plain = format!("{}/{}", age.as_int().unwrap_or_default(), key.as_str().unwrap_or_default());
    plain.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn parse(cursor: &str) -> Result<(Value, Value), Problem> {
    let read = || {
        let pairs = cursor.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let plain = String::from_utf8(pairs.collect::<Option<Vec<u8>>>()?).ok()?;
        let (age, key) = plain.split_once('/')?;
        Some((Value::Int(age.parse().ok()?), Value::from(key)))
    };
    read().ok_or_else(|| Problem::bad_request("this cursor is none of ours: pass on `next` of the page before"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let place = (Value::Int(-17), Value::from("nd-123-abc/def"));
        assert_eq!(parse(&text(&place.0, &place.1)), Ok(place));
    }

    #[test]
    fn a_foreign_cursor_is_refused() {
        for cursor in ["", "zz", "3", "31", "+1", "312f\u{e9}", "ff2f"] {
            assert_eq!(parse(cursor).unwrap_err().status, 400, "{cursor}");
        }
    }

    #[test]
    fn a_page_has_one_to_five_hundred_items() {
        assert_eq!(checked(None), Ok(100));
        assert_eq!([1, 500].map(|limit| checked(Some(limit))), [Ok(1), Ok(500)]);
        assert_eq!([0, 501].map(|limit| checked(Some(limit)).unwrap_err().status), [400, 400]);
    }
}
