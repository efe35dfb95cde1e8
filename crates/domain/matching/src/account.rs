//! Accounts: balances, fee rates, fills; and the ledger that proves that no money appears or vanishes.

use std::collections::{BTreeMap, VecDeque};

use nightdesk_units::{Asset, Decimal, Qty};
use serde::{Deserialize, Serialize};

use crate::order::Fill;
use crate::{BalanceView, Ledger};

/// What an account holds of one asset.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Balance {
    pub(crate) free: Qty,
    pub(crate) locked: Qty,
}

/// An account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) maker_fee: Decimal,
    pub(crate) taker_fee: Decimal,
    pub(crate) balances: BTreeMap<Asset, Balance>,
    pub(crate) fills: VecDeque<Fill>,
}

impl Account {
    pub(crate) fn new(maker_fee: Decimal, taker_fee: Decimal) -> Self {
        Self { maker_fee, taker_fee, balances: BTreeMap::new(), fills: VecDeque::new() }
    }

    pub(crate) fn balance(&self, asset: Asset) -> Balance {
        self.balances.get(&asset).copied().unwrap_or_default()
    }

    pub(crate) fn view(&self, asset: Asset) -> BalanceView {
        let Balance { free, locked } = self.balance(asset);
        BalanceView { asset, free, locked }
    }

    /// Adds to the free and the locked part.
    pub(crate) fn change(&mut self, asset: Asset, free: Decimal, locked: Decimal) {
        let balance = self.balances.entry(asset).or_default();
        add(&mut balance.free, free);
        add(&mut balance.locked, locked);
    }

    /// Moves free balance to locked, or back when negative.
    pub(crate) fn lock(&mut self, asset: Asset, amount: Decimal) {
        self.change(asset, -amount, amount);
    }
}

/// Money by asset.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Books(BTreeMap<Asset, Entry>);

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Entry {
    deposited: Qty,
    fees: Qty,
    outside: Qty,
}

impl Books {
    pub(crate) fn deposit(&mut self, asset: Asset, delta: Decimal) {
        add(&mut self.0.entry(asset).or_default().deposited, delta);
    }

    pub(crate) fn fee(&mut self, asset: Asset, amount: Decimal) {
        add(&mut self.0.entry(asset).or_default().fees, amount);
    }

    /// Paid to (or, negative, received from) an external counterparty.
    pub(crate) fn pay(&mut self, asset: Asset, amount: Decimal) {
        add(&mut self.0.entry(asset).or_default().outside, amount);
    }

    pub(crate) fn view(&self) -> Vec<Ledger> {
        let line = |(asset, e): (&Asset, &Entry)| Ledger {
            asset: *asset,
            deposited: e.deposited,
            fees: e.fees,
            outside: e.outside,
        };
        self.0.iter().map(line).collect()
    }
}

/// Deposits are bounded far below the range of a decimal (see `Venue::deposit`), so sums do not reach it.
fn add(to: &mut Qty, delta: Decimal) {
    *to = Qty::new(to.get().saturating_add(delta));
}
