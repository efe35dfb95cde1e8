//! Answers as text for people. Money is rounded for the eye; `--json` has it exactly.

use std::fmt::Write as _;

use nightdesk_capital::Level;
use nightdesk_core_engine::api::{
    Figures, Mode, ModeChange, Order, Page, Position, Quarantined, Status, Strategy, Watchdog,
};
use nightdesk_host::output::{Align, Table};
use nightdesk_units::{Decimal, Money};

const LEFT: Align = Align::Left;
const RIGHT: Align = Align::Right;

/// How things stand.
pub(super) fn status(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| named(&mut text, name, value);
    line("mode", &mode(&status.mode));
    let Status { currency, portfolio, .. } = status;
    match portfolio {
        None => line("portfolio", "not valued yet"),
        Some(figures) => {
            let Figures { equity, pnl, today, drawdown_pct, max_drawdown_pct, .. } = figures;
            let profit = format!("PnL {}, today {}", signed(*pnl), signed(*today));
            line("portfolio", &format!("{} {currency}, {profit}", money(*equity)));
            line("drawdown", &format!("{} %, at worst {} %", rounded(*drawdown_pct), rounded(*max_drawdown_pct)));
        }
    }
    line("orders", &format!("{} open, {} in doubt", status.open_orders, status.in_doubt));
    line("reconciled", status.reconciled_at.as_ref().map_or("not yet", |at| &at.0));
    reasons(&status.held_back, "new risk", "taken", &mut line);
    line("ages", &status.watchdogs.iter().map(age).collect::<Vec<_>>().join(", "));
    reasons(&status.quarantine, "quarantine", "empty", &mut line);
    let running = status.strategies.iter().filter(|known| state(known) == "running").count();
    line("strategies", &format!("{running} of {} running", status.strategies.len()));
    text
}

/// How old a source of knowledge is, such as `outbox 0.0 s`.
fn age(watchdog: &Watchdog) -> String {
    let Watchdog { source, symbol, age_ms, limit_ms, stale } = watchdog;
    let name = source.replace('_', " ");
    let name = symbol.map_or_else(|| name.clone(), |symbol| format!("{name} {symbol}"));
    let age = age_ms.map_or_else(|| "none".to_owned(), seconds);
    if *stale { format!("{name} {age} (STALE, limit {})", seconds(*limit_ms)) } else { format!("{name} {age}") }
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
}

/// How things stood when the database was last written.
pub(super) fn last_word(
    last: Option<&Mode>,
    open: &Page<Order>,
    positions: &[Position],
    quarantine: &[Quarantined],
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| named(&mut text, name, value);
    line("mode", &last.map_or_else(|| "normal".to_owned(), mode));
    let more = if open.next.is_some() { "or more " } else { "" };
    line("orders", &format!("{} {more}open by our book", open.items.len()));
    let held = positions.iter().filter(|position| !position.quantity.is_zero());
    let held: Vec<String> = held.map(|p| format!("{} {} ({})", p.quantity, p.symbol, p.instance)).collect();
    line("positions", &if held.is_empty() { "nothing is held".to_owned() } else { held.join(", ") });
    reasons(quarantine, "quarantine", "empty", &mut line);
    text
}

/// A halt that waits for the next start.
pub(super) fn next_start(by: &str, reason: &str) -> String {
    let mut text = String::new();
    named(&mut text, "next start", &format!("held by {by}: {reason}"));
    text
}

/// A line of name and value. Words from outside must not move the cursor.
fn named(text: &mut String, name: &str, value: &str) {
    let value: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = writeln!(text, "{name:<12}{value}");
}

fn reasons(all: &[Quarantined], name: &str, none: &str, line: &mut impl FnMut(&str, &str)) {
    if all.is_empty() {
        line(name, none);
    }
    for (position, Quarantined { symbol, reason }) in all.iter().enumerate() {
        line(if position == 0 { name } else { "" }, &format!("{symbol}: {reason}"));
    }
}

fn mode(mode: &Mode) -> String {
    let Mode { level, read_only, version, reason, by, at } = mode;
    let flag = if *read_only { ", read-only" } else { "" };
    match at {
        Some(at) if *level != Level::Normal || *read_only => {
            format!("{level}{flag} since {at}, by {by}: {reason} (version {version})")
        }
        _ => format!("{level}{flag}"),
    }
}

/// Orders, and whether there are more.
pub(super) fn orders(orders: &[Order], more: bool) -> String {
    let columns = [
        ("decided", LEFT),
        ("order", LEFT),
        ("symbol", LEFT),
        ("side", LEFT),
        ("kind", LEFT),
        ("price", RIGHT),
        ("quantity", RIGHT),
        ("filled", RIGHT),
        ("status", LEFT),
        ("why", LEFT),
    ];
    let mut table = Table::new(&columns).or_say("no orders");
    for order in orders {
        table.row([
            order.created_at.0.get(..19).unwrap_or_default().to_owned(),
            order.client_order_id.to_string(),
            order.symbol.to_string(),
            order.side.to_string(),
            order.kind.clone(),
            order.price.map_or_else(|| "-".to_owned(), |price| price.to_string()),
            order.quantity.to_string(),
            order.filled.to_string(),
            order.status.as_str().to_owned(),
            order.reason.clone().unwrap_or_default(),
        ]);
    }
    let rest = if more { "there are more: raise --limit\n" } else { "" };
    format!("{table}{rest}")
}

/// What is held, and what was.
pub(super) fn positions(positions: &[Position]) -> String {
    let columns = [
        ("instance", LEFT),
        ("symbol", LEFT),
        ("quantity", RIGHT),
        ("average cost", RIGHT),
        ("mark", RIGHT),
        ("open pnl", RIGHT),
        ("realised", RIGHT),
    ];
    let mut table = Table::new(&columns).or_say("nothing is held");
    for position in positions {
        table.row([
            position.instance.to_string(),
            position.symbol.to_string(),
            position.quantity.to_string(),
            position.average_cost.map_or_else(|| "-".to_owned(), |cost| cost.get().round_dp(8).normalize().to_string()),
            position.mark.map_or_else(|| "-".to_owned(), |mark| mark.to_string()),
            position.open.map_or_else(|| "-".to_owned(), signed),
            signed(position.realised),
        ]);
    }
    table.to_string()
}

/// Profit and loss.
pub(super) fn pnl(status: &Status) -> String {
    let columns = [
        ("", LEFT),
        ("value", RIGHT),
        ("pnl", RIGHT),
        ("today", RIGHT),
        ("realised", RIGHT),
        ("open", RIGHT),
        ("drawdown %", RIGHT),
        ("worst %", RIGHT),
        ("sharpe", RIGHT),
        ("fills", RIGHT),
    ];
    let mut table = Table::new(&columns);
    let mut row = |name: String, figures: Option<&Figures>| {
        let Some(figures) = figures else {
            table.row([name, "not valued yet".to_owned()]);
            return;
        };
        table.row([
            name,
            money(figures.equity),
            signed(figures.pnl),
            signed(figures.today),
            signed(figures.realised),
            signed(figures.open),
            rounded(figures.drawdown_pct),
            rounded(figures.max_drawdown_pct),
            figures.sharpe.map_or_else(|| "too early".to_owned(), |sharpe| format!("{sharpe:.2}")),
            figures.fills.to_string(),
        ]);
    };
    row(format!("portfolio ({})", status.currency), status.portfolio.as_ref());
    for known in &status.strategies {
        row(format!("{} {}", known.instance, known.strategy), known.figures.as_ref());
    }
    table.to_string()
}

/// Strategy instances.
pub(super) fn strategies(strategies: &[Strategy]) -> String {
    let columns = [
        ("instance", LEFT),
        ("strategy", LEFT),
        ("symbol", LEFT),
        ("state", LEFT),
        ("pnl", RIGHT),
        ("fills", RIGHT),
        ("why", LEFT),
    ];
    let mut table = Table::new(&columns).or_say("no strategy instances");
    for known in strategies {
        let figures = known.figures.as_ref();
        table.row([
            known.instance.to_string(),
            known.strategy.clone(),
            known.symbol.to_string(),
            state(known),
            figures.map_or_else(|| "-".to_owned(), |figures| signed(figures.pnl)),
            figures.map_or_else(|| "-".to_owned(), |figures| figures.fills.to_string()),
            known.reason.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// What it does, and what it is told to do where that differs.
fn state(known: &Strategy) -> String {
    use nightdesk_wire::RunState::{Failed, Running, Stopped, WarmingUp};
    let text = match (known.state, known.wanted) {
        (Some(Failed), _) => "failed",
        (Some(Stopped), false) => "stopped",
        (_, false) => "stopping",
        (Some(Running), true) => "running",
        (Some(WarmingUp), true) => "warming up",
        (Some(Stopped) | None, true) => "starting",
    };
    text.to_owned()
}

/// What came of a halt.
pub(super) fn halted(change: &ModeChange) -> String {
    let mut text = format!("{}\n", mode(&change.mode));
    if !change.effective {
        text.push_str(
            "The exchange connector has not confirmed yet: until it does, an order that had left may still arrive.\n\
             `nightdesk orders --status active` shows what is open.\n",
        );
    }
    if !change.in_flight.is_empty() {
        let _ = writeln!(text, "Already on its way, and being cancelled:");
        for id in &change.in_flight {
            let _ = writeln!(text, "  {id}");
        }
    }
    text
}

/// What came of a reconciliation.
pub(super) fn reconciled(status: &Status) -> String {
    let at = status.reconciled_at.as_ref().map_or("-", |at| &at.0);
    let mut text = format!("our book and the exchange's agree as of {at}\n");
    for Quarantined { symbol, reason } in &status.quarantine {
        let _ = writeln!(text, "except {symbol}, which is quarantined: {reason}");
    }
    text
}

/// Two places behind the point, thousands apart.
fn money(amount: Money) -> String {
    let text = format!("{:.2}", amount.get().round_dp(2));
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut grouped = String::new();
    for (position, digit) in whole.char_indices() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

/// The same with its sign.
fn signed(amount: Money) -> String {
    let text = money(amount);
    if amount.is_positive() { format!("+{text}") } else { text }
}

fn rounded(value: Decimal) -> String {
    format!("{:.2}", value.round_dp(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_grouped_and_rounded() {
        for (exact, expected) in [
            ("0", "0.00"),
            ("999.999", "1,000.00"),
            ("-1234567.005", "-1,234,567.00"),
            ("100", "100.00"),
            ("-0.2124742797", "-0.21"),
        ] {
            assert_eq!(money(exact.parse().unwrap()), expected, "{exact}");
        }
        assert_eq!([signed("5".parse().unwrap()), signed(Money::ZERO)], ["+5.00", "0.00"]);
    }
}
