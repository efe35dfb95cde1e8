//! The matrix on paper.
#![allow(clippy::print_stdout, reason = "a developer's tool answers on the terminal")]

use serde_json::{Value, json};

use super::{Cell, Row};

fn ms(span: nightdesk_units::Micros) -> i64 {
    span.0 / 1_000
}

/// Prints a row for every cell; an impossible one says so by dashes.
pub(crate) fn print(rows: &[(Cell, Option<Row>)]) {
    println!(
        "{:<24} {:<13} {:>5} {:>7} {:>7} {:>8} {:>7} {:>7} {:>6} {:>4} {:>8} {:>10} {:>12}",
        "fault",
        "order",
        "runs",
        "crashes",
        "intents",
        "given up",
        "orders",
        "doubled",
        "fills",
        "lost",
        "position",
        "certain ms",
        "worst, crash"
    );
    for (cell, row) in rows {
        let (fault, end) = (cell.fault.as_str(), cell.end.as_str());
        let Some(row) = row else {
            println!("{fault:<24} {end:<13} {:>5}", "-");
            continue;
        };
        println!(
            "{fault:<24} {end:<13} {:>5} {:>7} {:>7} {:>8} {:>7} {:>7} {:>6} {:>4} {:>8} {:>10} {:>12}{}",
            row.runs,
            row.crashes,
            row.intents,
            row.given_up,
            row.orders,
            row.doubled,
            row.fills,
            row.lost,
            row.wrong,
            ms(row.certain),
            ms(row.certain_worst),
            if row.failures.is_empty() { "" } else { "  FAILED" },
        );
    }
}

/// The same for machines.
pub(crate) fn report(rows: &[(Cell, Option<Row>)]) -> Value {
    let each = rows.iter().map(|(cell, row)| {
        let (fault, order) = (cell.fault.as_str(), cell.end.as_str());
        let Some(row) = row else { return json!({ "fault": fault, "order": order, "possible": false }) };
        json!({
            "fault": fault,
            "order": order,
            "possible": true,
            "runs": row.runs,
            "crashes": row.crashes,
            "intents": row.intents,
            "given_up": row.given_up,
            "orders": row.orders,
            "doubled": row.doubled,
            "fills": row.fills,
            "fills_lost": row.lost,
            "position_errors": row.wrong,
            "certain_ms": ms(row.certain),
            "certain_worst_ms": ms(row.certain_worst),
            "failures": row.failures,
        })
    });
    Value::from(each.collect::<Vec<_>>())
}
