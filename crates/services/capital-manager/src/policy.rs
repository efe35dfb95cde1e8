//! The rules in force as a flat list of settings, and when each last changed.

use std::collections::BTreeMap;

use nightdesk_capital::CapitalRules;
use nightdesk_store::Row;
use nightdesk_units::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tables::rule_row;

/// A setting's value (`None`: it is no longer set) and when that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Setting {
    value: Option<String>,
    since: Timestamp,
}

/// Every setting there has ever been, by its dotted name such as `strategies.123.max_order`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Policy(BTreeMap<String, Setting>);

impl Policy {
    /// Takes new rules in; returns the names whose value changed.
    pub(crate) fn change(&mut self, rules: &CapitalRules, at: Timestamp) -> Vec<String> {
        let mut wanted = BTreeMap::new();
        // Rules are plain data with text keys: they always have a JSON form.
        flatten("", &serde_json::to_value(rules).unwrap_or_default(), &mut wanted);
        let gone = self.0.keys().filter(|name| !wanted.contains_key(*name)).cloned().collect::<Vec<_>>();
        let values = wanted.into_iter().map(|(name, value)| (name, Some(value)));
        let values = values.chain(gone.into_iter().map(|name| (name, None)));
        let mut changed = Vec::new();
        for (name, value) in values {
            let same = self.0.get(&name).is_some_and(|setting| setting.value == value);
            if !same {
                self.0.insert(name.clone(), Setting { value, since: at });
                changed.push(name);
            }
        }
        changed
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(crate) fn row(&self, name: &str) -> Option<Row> {
        let setting = self.0.get(name)?;
        Some(rule_row(name, setting.value.as_deref(), setting.since))
    }
}

fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(&name, value, into);
            }
        }
        Value::String(text) => drop(into.insert(name.to_owned(), text.clone())),
        other => drop(into.insert(name.to_owned(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::tests::rules;

    fn rows(policy: &Policy, names: &[String]) -> Vec<String> {
        let row = |name: &String| policy.row(name).unwrap().values;
        let text = |values: Vec<nightdesk_store::Value>| {
            let value = values[1].as_str().unwrap_or("gone");
            format!("{}={value} @{}", values[0].as_str().unwrap(), values[2].as_int().unwrap())
        };
        names.iter().map(|name| text(row(name))).collect()
    }

    #[test]
    fn each_setting_is_a_row_by_its_dotted_name() {
        let mut policy = Policy::default();
        let names = policy.change(&rules(), Timestamp(7));
        let all = rows(&policy, &names);
        for expected in ["total=10000 @7", "collar=2.5 @7", "strategies.123.order_rate.per_second=5 @7"] {
            assert!(all.iter().any(|row| row == expected), "{expected} in {all:?}");
        }
        assert_eq!(policy.names().count(), names.len());
    }

    #[test]
    fn only_what_changed_is_named_and_what_is_gone_has_no_value() {
        let mut policy = Policy::default();
        policy.change(&rules(), Timestamp(1));
        assert!(policy.change(&rules(), Timestamp(2)).is_empty());
        let mut other = rules();
        other.total = "20000".parse().unwrap();
        other.max_symbol_position.clear();
        let names = policy.change(&other, Timestamp(3));
        assert_eq!(rows(&policy, &names), ["total=20000 @3", "max_symbol_position.BTCUSDT=gone @3"]);
        let names = policy.change(&rules(), Timestamp(4));
        assert_eq!(rows(&policy, &names), ["max_symbol_position.BTCUSDT=6000 @4", "total=10000 @4"]);
    }

    #[test]
    fn it_survives_its_text() {
        let mut policy = Policy::default();
        policy.change(&rules(), Timestamp(1));
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    }
}
