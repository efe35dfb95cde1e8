//! What is traded, by whom, under which rules.

use nightdesk_capital::CapitalRules;
use nightdesk_strategy_worker::StrategyWorker;

/// The settings of all services.
#[derive(Debug, Clone)]
pub struct Trading {
    /// core-engine's.
    pub core: nightdesk_core_engine::Config,
    /// capital-manager's.
    pub rules: CapitalRules,
    /// exchange-connector's.
    pub connector: nightdesk_exchange_connector::Config,
    /// One per strategy instance.
    pub workers: Vec<nightdesk_strategy_worker::Config>,
}

impl Trading {
    /// capital-manager's settings.
    #[must_use]
    pub fn capital(&self) -> nightdesk_capital_manager::Config {
        nightdesk_capital_manager::Config { rules: self.rules.clone(), epoch: self.core.epoch }
    }

    /// The workers that the settings lead to, their strategies new.
    #[must_use]
    pub fn workers(&self) -> Vec<StrategyWorker> {
        self.workers.iter().cloned().map(StrategyWorker::new).collect()
    }
}
