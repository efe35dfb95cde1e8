use super::*;

pub(crate) fn rules() -> CapitalRules {
    serde_json::from_str(include_str!("rules.json")).unwrap()
}
