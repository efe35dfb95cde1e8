//! What the store says by itself: lists that grow, and, when no engine runs, how things stood at its last word.

use std::collections::BTreeMap;
use std::sync::Arc;

use nightdesk_orders::{ClientOrderId, Status as OrderStatus};
use nightdesk_store::{Select, Store, Table, Value};
use nightdesk_units::{Asset, Qty};
use schemars::JsonSchema;
use serde::Deserialize;

use super::list::{Page, Wanted};
use super::model::{Mode, NameText, Position, Quarantined};
use super::model_market::{Fill, Order};
use super::{Problem, convert};
use crate::tables::{self, BALANCES, FILLS, MODES, ORDERS, POSITIONS, QUARANTINE};

/// More rows than a table of one per asset, instrument or position has.
const ROWS_MAX: usize = 10_000;

/// core-engine's store, read only.
#[derive(Clone)]
pub struct Archive(Arc<dyn Store>);

/// Which orders.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrdersQuery {
    /// Only with one of these statuses, separated by commas; `active` stands for all that are not over.
    #[schemars(extend("pattern" = status_pattern()))]
    pub status: Option<String>,
    /// Only in this instrument.
    #[schemars(with = "Option<NameText>")]
    pub symbol: Option<String>,
    /// Only of this strategy instance.
    #[schemars(with = "Option<NameText>")]
    pub instance: Option<String>,
    /// At most so many, 100 unless told.
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[schemars(extend("pattern" = "^([0-9a-f]{2})+$"))]
    pub cursor: Option<String>,
}

/// Which executions.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FillsQuery {
    /// Only in this instrument.
    #[schemars(with = "Option<NameText>")]
    pub symbol: Option<String>,
    /// Only of this strategy instance.
    #[schemars(with = "Option<NameText>")]
    pub instance: Option<String>,
    /// Only of this order.
    #[schemars(with = "Option<NameText>")]
    pub client_order_id: Option<String>,
    /// At most so many, 100 unless told.
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<usize>,
    /// `next` of the page before.
    #[schemars(extend("pattern" = "^([0-9a-f]{2})+$"))]
    pub cursor: Option<String>,
}

impl Archive {
    /// Reads `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }

    /// Orders, newest first.
    ///
    /// # Errors
    /// A question that makes no sense, or a store that cannot be read.
    pub async fn orders(&self, query: OrdersQuery) -> Result<Page<Order>, Problem> {
        let any = query.status.as_deref().map(statuses).transpose()?;
        let wanted = Wanted {
            table: &ORDERS,
            age: "created_at",
            equal: equal([("symbol", query.symbol), ("instance", query.instance)])?,
            any: any.map(|any| ("status", any)),
            keys: None,
            limit: query.limit,
            cursor: query.cursor,
        };
        wanted.read(&*self.0, convert::order).await
    }

    /// Executions, newest first.
    ///
    /// # Errors
    /// As [`Archive::orders`].
    pub async fn fills(&self, query: FillsQuery) -> Result<Page<Fill>, Problem> {
        let FillsQuery { symbol, instance, client_order_id, limit, cursor } = query;
        let equal = equal([("symbol", symbol), ("instance", instance), ("client_order_id", client_order_id.clone())])?;
        let keys = match client_order_id {
            Some(id) => Some(self.executions(id).await?),
            None => None,
        };
        let wanted = Wanted { table: &FILLS, age: "at", equal, any: None, keys, limit, cursor };
        wanted.read(&*self.0, convert::fill).await
    }

    /// The keys of an order's executions; none of an order that is not there.
    async fn executions(&self, client_order_id: String) -> Result<Vec<Value>, Problem> {
        let select = Select { keys: vec![client_order_id.into()], ..Select::from(&ORDERS, 1) };
        let rows = self.0.select(select).await.map_err(|error| Problem::store(&error))?;
        Ok(rows.first().and_then(|row| tables::entry(row)).map_or_else(Vec::new, |entry| tables::executions(&entry)))
    }

    /// One order.
    ///
    /// # Errors
    /// When there is none, or the store cannot be read.
    pub async fn order(&self, id: ClientOrderId) -> Result<Order, Problem> {
        let select = Select { keys: vec![Value::from(id.as_str())], ..Select::from(&ORDERS, 1) };
        let rows = self.0.select(select).await.map_err(|error| Problem::store(&error))?;
        let order = rows.first().and_then(|row| convert::order(row));
        order.ok_or_else(|| Problem::not_found(format!("there is no order {id}")))
    }

    /// What the account holds by our reckoning.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn balances(&self) -> Result<BTreeMap<Asset, Qty>, Problem> {
        let balance = |row: &[Value]| Some((row.first()?.as_str()?.parse().ok()?, row.get(1)?.as_str()?.parse().ok()?));
        Ok(self.all(&BALANCES, balance).await?.into_iter().collect())
    }

    /// The mode, if it was ever changed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn mode(&self) -> Result<Option<Mode>, Problem> {
        Ok(self.all(&MODES, convert::mode).await?.pop())
    }

    /// What is held, at cost.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn positions(&self) -> Result<Vec<Position>, Problem> {
        self.all(&POSITIONS, convert::position).await
    }

    /// Instruments left alone until an operator has looked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn quarantine(&self) -> Result<Vec<Quarantined>, Problem> {
        self.all(&QUARANTINE, convert::quarantined).await
    }

    async fn all<T>(&self, table: &'static Table, show: fn(&[Value]) -> Option<T>) -> Result<Vec<T>, Problem> {
        let rows = self.0.select(Select::from(table, ROWS_MAX)).await.map_err(|error| Problem::store(&error))?;
        Ok(rows.iter().filter_map(|row| show(row)).collect())
    }
}

/// A filter that can be no name would find nothing, which reads like "there is none".
fn equal<const N: usize>(filters: [(&'static str, Option<String>); N]) -> Result<Vec<(&'static str, Value)>, Problem> {
    let given = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let checked = given.map(|(name, value)| match NameText::allows(&value) {
        true => Ok((name, Value::from(value))),
        false => Err(Problem::bad_request(format!(
            "{name} is no name: 1 to 36 letters, digits, dots, underscores or hyphens"
        ))),
    });
    checked.collect()
}

fn status_pattern() -> String {
    let known = OrderStatus::ALL.map(OrderStatus::as_str).join("|");
    format!("^(active|{known})(,(active|{known}))*$")
}

fn statuses(text: &str) -> Result<Vec<Value>, Problem> {
    let mut chosen: Vec<OrderStatus> = Vec::new();
    for word in text.split(',') {
        let before = chosen.len();
        chosen.extend(OrderStatus::ALL.iter().filter(|status| match word {
            "active" => !status.is_final(),
            _ => status.as_str() == word,
        }));
        if chosen.len() == before {
            let known = OrderStatus::ALL.map(OrderStatus::as_str).join(", ");
            return Err(Problem::bad_request(format!("no status {word:?}: use active, {known}")));
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen.into_iter().map(|status| Value::from(status.as_str())).collect())
}
