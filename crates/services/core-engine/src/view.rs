//! How things stand: for operators, for capital-manager's limits, and for `/metrics`.

use nightdesk_capital::{Mode, Percent, Performance};
use nightdesk_platform::kpi;
use nightdesk_positions::Figures;
use nightdesk_shell::Turn;
use nightdesk_units::{Asset, InstanceId, Money, Price, Qty, Symbol, Timestamp};
use nightdesk_wire::{AccountView, Message, Queue, RunState};
use serde::Serialize;

use crate::Watchdog;
use crate::engine::{CoreEngine, Out};

/// Everything a status page shows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// As of.
    pub at: Timestamp,
    /// What it is reckoned in.
    pub currency: Asset,
    /// What may be sent.
    pub mode: Mode,
    /// The portfolio.
    pub portfolio: Option<Figures>,
    /// The strategies.
    pub strategies: Vec<StrategyView>,
    /// What is held.
    pub positions: Vec<PositionView>,
    /// Orders that are not over.
    pub open_orders: usize,
    /// Orders whose fate is unknown.
    pub in_doubt: usize,
    /// Orders whose next word is not known yet: not sent, not answered, in doubt, or with executions to be fetched.
    pub unsettled: usize,
    /// Instruments left alone, and why.
    pub quarantine: Vec<(Symbol, String)>,
    /// Why no new risk can be taken, by instrument; empty when it can.
    pub held_back: Vec<(Symbol, String)>,
    /// How fresh everything is that new risk depends on.
    pub watchdogs: Vec<Watchdog>,
    /// Last completed reconciliation.
    pub reconciled_at: Option<Timestamp>,
}

/// A strategy instance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyView {
    /// Its name.
    pub instance: InstanceId,
    /// What it runs.
    pub strategy: String,
    /// What it trades.
    pub symbol: Symbol,
    /// What it does.
    pub state: Option<RunState>,
    /// Why, when it failed.
    pub reason: Option<String>,
    /// True unless an operator stopped it.
    pub wanted: bool,
    /// Its figures.
    pub figures: Option<Figures>,
}

/// A position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionView {
    /// Whose.
    pub instance: InstanceId,
    /// In what.
    pub symbol: Symbol,
    /// Base quantity.
    pub quantity: Qty,
    /// Average cost; `None` when nothing is held.
    pub average_cost: Option<Price>,
    /// What it cost.
    pub cost: Money,
    /// Profit of what was sold.
    pub realised: Money,
    /// Profit of what is held, at the mark.
    pub open: Option<Money>,
    /// Mid price it is valued at.
    pub mark: Option<Price>,
}

impl CoreEngine {
    /// How things stand.
    #[must_use]
    pub fn view(&self, turn: &Turn) -> View {
        let durable = &self.durable;
        let strategies = self.config.instances.iter().map(|known| {
            let state = durable.strategies.get(&known.instance);
            StrategyView {
                instance: known.instance,
                strategy: known.strategy.clone(),
                symbol: known.symbol,
                state: state.map(|state| state.state),
                reason: state.and_then(|state| state.reason.clone()),
                wanted: !durable.stopped.contains(&known.instance),
                figures: durable.portfolio.figures(Some(known.instance)).ok(),
            }
        });
        let held_back = self.config.symbols().into_iter();
        let held_back = held_back.filter_map(|symbol| Some((symbol, self.may_add_risk(turn, symbol).err()?)));
        let in_doubt = |entry: &&crate::state::Entry| entry.order.status == nightdesk_orders::Status::InDoubt;
        let unsettled = |entry: &&crate::state::Entry| {
            entry.order.status != nightdesk_orders::Status::Open || entry.order.reported > entry.order.filled
        };
        View {
            at: turn.now,
            currency: self.config.quote,
            mode: durable.mode.clone(),
            portfolio: durable.portfolio.figures(None).ok(),
            strategies: strategies.collect(),
            positions: self.positions(),
            open_orders: durable.active.len(),
            in_doubt: durable.active_orders().filter(in_doubt).count(),
            unsettled: durable.active_orders().filter(unsettled).count(),
            quarantine: durable.quarantine.iter().map(|(symbol, reason)| (*symbol, reason.clone())).collect(),
            held_back: held_back.collect(),
            watchdogs: self.watchdogs(turn),
            reconciled_at: self.reconciler.last_good(),
        }
    }

    fn positions(&self) -> Vec<PositionView> {
        let books = self.durable.portfolio.strategies();
        let positions = books.flat_map(|(instance, book)| book.positions.iter().map(move |(s, p)| (instance, *s, p)));
        positions
            .map(|(instance, symbol, position)| {
                let mark = self.mid(symbol).or_else(|| self.durable.portfolio.mark_of(symbol));
                PositionView {
                    instance,
                    symbol,
                    quantity: position.quantity,
                    average_cost: position.average_cost(),
                    cost: position.cost,
                    realised: position.realised,
                    open: mark.and_then(|mark| position.open_pnl(mark).ok()),
                    mark,
                }
            })
            .collect()
    }

    /// Tells capital-manager and `/metrics` how the portfolio and the strategies are doing.
    pub(crate) fn tell_view(&self, turn: &Turn, step: &mut Out) {
        let Ok(all) = self.durable.portfolio.figures(None) else { return };
        let strategies = self.config.instances.iter().filter_map(|known| {
            let figures = self.durable.portfolio.figures(Some(known.instance)).ok()?;
            Some((known.instance, figures))
        });
        let strategies: Vec<(InstanceId, Figures)> = strategies.collect();
        self.measure(&all, &strategies);
        let view = AccountView {
            portfolio: performance(&all),
            strategies: strategies.iter().map(|(instance, figures)| (*instance, performance(figures))).collect(),
            equity: all.equity,
            at: turn.now,
        };
        step.notify(Queue::CAPITAL, Message::AccountView(view));
    }

    fn measure(&self, all: &Figures, strategies: &[(InstanceId, Figures)]) {
        let money = |amount: Money| f64::try_from(amount.get()).unwrap_or(f64::NAN);
        let ratio = |percent: nightdesk_units::Decimal| f64::try_from(percent).unwrap_or(f64::NAN) / 100.0;
        let running = self.config.instances.iter().filter(|known| self.durable.runs(known.instance)).count();
        kpi::STRATEGIES_ACTIVE.gauge(&[]).set(running as f64);
        kpi::PORTFOLIO_PNL.gauge(&[]).set(money(all.pnl));
        kpi::PORTFOLIO_VALUE.gauge(&[]).set(money(all.equity));
        kpi::POSITIONS_OPEN.gauge(&[]).set(self.durable.portfolio.open_positions() as f64);
        kpi::PORTFOLIO_DRAWDOWN_MAX.gauge(&[]).set(ratio(all.max_drawdown_pct));
        kpi::PORTFOLIO_VAR_95.gauge(&[]).set(all.var_95_pct.map_or(f64::NAN, |percent| percent / 100.0));
        kpi::PORTFOLIO_SHARPE.gauge(&[]).set(all.sharpe.unwrap_or(f64::NAN));
        for (instance, figures) in strategies {
            let label = [instance.as_str()];
            kpi::STRATEGY_PNL_DAILY.gauge(&label).set(money(figures.today));
            kpi::STRATEGY_PNL.gauge(&label).set(money(figures.pnl));
            kpi::STRATEGY_SHARPE.gauge(&label).set(figures.sharpe.unwrap_or(f64::NAN));
            kpi::STRATEGY_DRAWDOWN_MAX.gauge(&label).set(ratio(figures.max_drawdown_pct));
        }
    }
}

fn performance(figures: &Figures) -> Performance {
    let drawdown = Percent::new(figures.drawdown_pct);
    Performance { pnl: figures.pnl, pnl_today: figures.today, drawdown }
}
