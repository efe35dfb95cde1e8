//! Single values: types, literals, ranges, lengths.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeValue};

use super::super::nearest::nearest;
use super::super::schema::Node;
use super::{Place, Walk, list};

impl Walk<'_> {
    /// Whether the value has a type the schema allows; reports it if not.
    pub(super) fn has_type(&mut self, value: &Spanned<DeValue<'_>>, node: &Node<'_>, place: &Place) -> bool {
        let types = node.types();
        let allowed: Vec<&str> = types.into_iter().filter(|t| *t != "null").collect();
        let fits = allowed.is_empty() || allowed.iter().any(|t| is_of(value.get_ref(), t));
        if !fits {
            let wanted: Vec<&str> = allowed.iter().map(|t| called(t)).collect();
            let message = format!("expected {}, found {}", wanted.join(" or "), found_as(value.get_ref()));
            self.mistake(place, message, remedy(value.get_ref(), &allowed));
        }
        fits
    }

    /// Checks a value against the literals allowed.
    pub(super) fn literal(&mut self, value: &Spanned<DeValue<'_>>, literals: &[Value], place: &Place) {
        let said = match value.get_ref() {
            DeValue::String(text) => Value::from(text.as_ref()),
            DeValue::Boolean(flag) => Value::from(*flag),
            DeValue::Integer(number) => {
                integer(number).and_then(|n| i64::try_from(n).ok()).map_or(Value::Null, Value::from)
            }
            _ => Value::Null,
        };
        if literals.contains(&said) {
            return;
        }
        let names: Vec<&str> = literals.iter().filter_map(Value::as_str).collect();
        let message = match said.as_str() {
            Some(text) => format!("unknown value `{text}`"),
            None => format!(
                "expected {}, found {}",
                if names.is_empty() { "another value" } else { "text" },
                found_as(value.get_ref())
            ),
        };
        let hint = said.as_str().and_then(|text| nearest(text, names.iter().copied()));
        let hint = hint.map_or_else(|| format!("one of {}", list(&names)), |meant| format!("did you mean `{meant}`?"));
        self.mistake(place, message, Some(hint));
    }

    /// Checks a number against the schema's limits.
    pub(super) fn range(&mut self, value: &DeValue<'_>, node: &Node<'_>, place: &Place) {
        let Some(number) = as_f64(value) else {
            return self.mistake(place, "this number is too large".to_owned(), None);
        };
        let (low, above) = (node.number("minimum"), node.number("exclusiveMinimum"));
        let (high, below) = (node.number("maximum").or_else(|| format_max(node)), node.number("exclusiveMaximum"));
        let outside = low.is_some_and(|low| number < low)
            || above.is_some_and(|above| number <= above)
            || high.is_some_and(|high| number > high)
            || below.is_some_and(|below| number >= below)
            || number.is_nan();
        if !outside {
            return;
        }
        let limits = [("at least", low), ("more than", above), ("at most", high), ("less than", below)];
        let said: Vec<String> =
            limits.iter().filter_map(|(text, limit)| limit.map(|l| format!("{text} {l}"))).collect();
        self.mistake(place, format!("{number} is out of range"), Some(format!("must be {}", said.join(" and "))));
    }

    /// Checks how many items or characters there are.
    pub(super) fn length(&mut self, length: usize, node: &Node<'_>, place: &Place, names: (&str, &str), what: &str) {
        let limit = |name| node.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let (low, high) = (limit(names.0), limit(names.1));
        if low.is_some_and(|low| length < low) {
            let low = low.unwrap_or_default();
            let message =
                if length == 0 { "must not be empty".to_owned() } else { format!("too short: {length} {what}") };
            self.mistake(place, message, Some(format!("at least {low}")));
        } else if let Some(high) = high.filter(|high| length > *high) {
            self.mistake(place, format!("too long: {length} {what}"), Some(format!("at most {high}")));
        }
    }
}

fn is_of(value: &DeValue<'_>, json_type: &str) -> bool {
    matches!(
        (value, json_type),
        (DeValue::Integer(_), "integer" | "number")
            | (DeValue::Float(_), "number")
            | (DeValue::String(_) | DeValue::Datetime(_), "string")
            | (DeValue::Boolean(_), "boolean")
            | (DeValue::Array(_), "array")
            | (DeValue::Table(_), "object")
    )
}

/// A JSON type in words.
fn called(json_type: &str) -> &str {
    match json_type {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        other => other,
    }
}

fn found_as(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("text \"{text}\""),
        DeValue::String(_) => "text".to_owned(),
        DeValue::Integer(number) => format!("the whole number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// What to write instead.
fn remedy(value: &DeValue<'_>, allowed: &[&str]) -> Option<String> {
    let only = |t: &str| allowed == [t];
    match value {
        DeValue::Integer(n) if only("string") => Some(format!("write it in quotes: \"{n}\"")),
        DeValue::Float(n) if only("string") => Some(format!("write it in quotes, so that it stays exact: \"{n}\"")),
        DeValue::String(text) if text.parse::<i64>().is_ok() && (only("integer") || only("number")) => {
            Some(format!("write it without quotes: {text}"))
        }
        DeValue::String(text) if text.parse::<f64>().is_ok() && only("number") => {
            Some(format!("write it without quotes: {text}"))
        }
        DeValue::String(text) if only("boolean") && matches!(text.as_ref(), "true" | "false") => {
            Some(format!("write it without quotes: {text}"))
        }
        DeValue::String(text) if only("array") => Some(format!("write a list: [\"{text}\"]")),
        _ => None,
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "limits are compared, not computed with")]
fn as_f64(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Integer(number) => integer(number).map(|n| n as f64),
        DeValue::Float(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

/// The largest value of a format whose schema does not state it.
fn format_max(node: &Node<'_>) -> Option<f64> {
    match node.text("format")? {
        "uint32" => Some(f64::from(u32::MAX)),
        "int32" => Some(f64::from(i32::MAX)),
        // TOML integers are signed 64-bit numbers; 2^63 - 1 is not exact as a float, the deserializer says the rest.
        _ => None,
    }
}
