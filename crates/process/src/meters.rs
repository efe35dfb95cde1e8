//! The KPIs that nobody in particular owns, brought up to date whenever somebody looks.

use std::sync::Arc;

use nightdesk_bus::Bus;
use nightdesk_exchange_connector::Gauges;
use nightdesk_host::Host;
use nightdesk_platform::kpi;

/// A strategy instance's, which are there before it has traded.
pub fn strategy(host: &Host, instance: &str) {
    let by_strategy = [
        kpi::STRATEGY_PNL_DAILY,
        kpi::STRATEGY_TRADES,
        kpi::STRATEGY_ERRORS,
        kpi::STRATEGY_ERROR_RATIO,
        kpi::STRATEGY_PNL,
        kpi::STRATEGY_SHARPE,
        kpi::STRATEGY_DRAWDOWN_MAX,
    ];
    for measure in by_strategy {
        host.metrics().preset(&measure, &[instance]);
    }
}

/// The connector's.
pub fn exchange(host: &Host, gauges: Arc<Gauges>) {
    const EXCHANGE: &str = "binance";
    host.metrics().before_scrape(move |metrics| {
        let figures = gauges.figures();
        metrics.set(&kpi::EXCHANGE_FILL_RATIO, &[EXCHANGE], figures.fill_rate().unwrap_or(f64::NAN));
        metrics.set(&kpi::EXCHANGE_SLIPPAGE_MEAN, &[EXCHANGE], figures.mean_slippage().unwrap_or(f64::NAN));
        metrics.set(&kpi::EXCHANGE_RATE_LIMIT_USAGE, &[EXCHANGE, "weight"], figures.limits.weight);
        metrics.set(&kpi::EXCHANGE_RATE_LIMIT_USAGE, &[EXCHANGE, "orders"], figures.limits.orders);
    });
}

/// How many messages wait in the queues of `bus`.
pub fn queues(host: &Host, bus: Arc<dyn Bus>) {
    host.metrics().before_scrape(move |metrics| {
        for (queue, waiting) in bus.waiting() {
            #[allow(clippy::cast_precision_loss, reason = "a gauge; nothing is computed from it")]
            metrics.set(&kpi::QUEUE_MESSAGES_WAITING, &[queue.as_str()], waiting as f64);
        }
    });
}
