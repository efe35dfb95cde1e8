//! The Prometheus text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::Ordering;

use nightdesk_platform::kpi::Kind;

use super::recorder::{Buckets, Family, Labels, Series};

pub(super) fn page(families: &BTreeMap<String, Family>) -> String {
    let mut page = String::with_capacity(16_384);
    for (name, family) in families {
        let name = valid_name(name);
        head(&mut page, &name, &family.help, family.kind);
        for (labels, series) in &family.series {
            match series {
                Series::Counter(value) => sample(&mut page, &name, labels, value.load(Ordering::Relaxed)),
                Series::Gauge(value) | Series::Float(value) => {
                    sample(&mut page, &name, labels, number(f64::from_bits(value.load(Ordering::Relaxed))));
                }
                Series::Histogram(buckets) => histogram(&mut page, &name, labels, buckets),
            }
        }
    }
    aliases(&mut page, families);
    page
}

/// The user's names, from the same values.
fn aliases(page: &mut String, families: &BTreeMap<String, Family>) {
    for family in families.values() {
        let Some(alias) = family.alias else { continue };
        head(page, alias.name, alias.help, family.kind);
        for (labels, series) in &family.series {
            if let Series::Gauge(value) = series {
                let value = f64::from_bits(value.load(Ordering::Relaxed)) * alias.factor;
                sample(page, alias.name, labels, number(value));
            }
        }
    }
}

// Writing to a string cannot fail.

fn head(page: &mut String, name: &str, help: &str, kind: Kind) {
    let kind = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    if !help.is_empty() {
        let _ = writeln!(page, "# HELP {name} {}", help.replace('\\', "\\\\").replace('\n', "\\n"));
    }
    let _ = writeln!(page, "# TYPE {name} {kind}");
}

fn sample(page: &mut String, name: &str, labels: &Labels, value: impl std::fmt::Display) {
    let _ = writeln!(page, "{name}{} {value}", braces(labels, None));
}

fn histogram(page: &mut String, name: &str, labels: &Labels, buckets: &Buckets) {
    let (cumulative, sum) = buckets.read();
    let total = cumulative.last().copied().unwrap_or_default();
    for (bound, count) in buckets.bounds.iter().zip(&cumulative) {
        let _ = writeln!(page, "{name}_bucket{} {count}", braces(labels, Some(&number(*bound))));
    }
    let _ = writeln!(page, "{name}_bucket{} {total}", braces(labels, Some("+Inf")));
    let _ = writeln!(page, "{name}_sum{} {}", braces(labels, None), number(sum));
    let _ = writeln!(page, "{name}_count{} {total}", braces(labels, None));
}

fn braces(labels: &Labels, bound: Option<&str>) -> String {
    let escape = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{}=\"{}\"", valid_name(name), escape(value))).collect();
    pairs.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}

fn valid_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == ':' { c } else { '_' }).collect()
}
