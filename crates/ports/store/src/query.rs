//! What a [`Select`] means, in plain code: the model's answer, and the names an adapter puts into its SQL.

use std::cmp::Ordering;

use crate::{Select, StoreError, Table, Value};

/// A [`Select`] whose columns have been found in its table.
#[derive(Debug)]
pub struct Query<'a> {
    select: &'a Select,
    /// Positions of the columns of `select.equal`.
    equal: Vec<usize>,
    /// Position of the column to sort by before the key.
    order_by: Option<usize>,
}

impl<'a> Query<'a> {
    /// Finds the columns.
    ///
    /// # Errors
    /// When a column does not exist, or `after` is used on a table whose key has several columns: `after` has room for one.
    pub fn new(select: &'a Select, place: &str) -> Result<Self, StoreError> {
        let unavailable = |detail| StoreError::Unavailable { place: place.to_owned(), detail };
        if select.after.is_some() && select.table.key != 1 {
            return Err(unavailable(format!("{} has no single key column to page by", select.table.name)));
        }
        let find = |name| position(select.table, name).map_err(unavailable);
        let equal = select.equal.iter().map(|(name, _)| find(name)).collect::<Result<_, _>>()?;
        Ok(Self { select, equal, order_by: select.order_by.map(find).transpose()? })
    }

    /// The selected rows out of all.
    pub fn run<'r>(&self, rows: impl Iterator<Item = &'r Vec<Value>>) -> Vec<Vec<Value>> {
        let mut chosen: Vec<_> = rows.filter(|row| self.matches(row)).collect();
        chosen.sort_by(|a, b| self.compare(a, b));
        chosen.into_iter().take(self.select.limit).cloned().collect()
    }

    fn matches(&self, row: &[Value]) -> bool {
        let select = self.select;
        self.equal.iter().zip(&select.equal).all(|(position, (_, value))| row[*position] == *value)
            && (select.keys.is_empty() || select.keys.contains(&row[0]))
            && select.after.as_ref().is_none_or(|(value, key)| {
                let by_value = self.order_by.map_or(Ordering::Equal, |position| row[position].cmp(value));
                self.directed(by_value.then_with(|| row[0].cmp(key))) == Ordering::Greater
            })
    }

    fn compare(&self, a: &[Value], b: &[Value]) -> Ordering {
        let by_value = self.order_by.map_or(Ordering::Equal, |position| a[position].cmp(&b[position]));
        let key = self.select.table.key;
        self.directed(by_value.then_with(|| a[..key].cmp(&b[..key])))
    }

    fn directed(&self, ordering: Ordering) -> Ordering {
        if self.select.descending { ordering.reverse() } else { ordering }
    }
}

fn position(table: &Table, name: &str) -> Result<usize, String> {
    let found = table.columns.iter().position(|column| column.name == name);
    found.ok_or_else(|| format!("{} has no column {name}", table.name))
}
