use futures_util::FutureExt;
use nightdesk_env::{NoActivity, SeededEntropy, VirtualClock};
use nightdesk_platform::PlatformError;
use nightdesk_store::{Batch, ModelStore, StoreError};
use nightdesk_units::Timestamp;

use super::*;
use crate::test_house::House;

#[derive(Default)]
struct Counting(std::sync::Mutex<usize>);

impl EmergencyJournal for Counting {
    fn append(&self, _: &EmergencyRecord) -> Result<(), PlatformError> {
        Ok(())
    }

    fn pending(&self) -> Result<Vec<EmergencyRecord>, PlatformError> {
        Ok(Vec::new())
    }

    fn merged(&self, count: usize) -> Result<(), PlatformError> {
        *self.0.lock().unwrap() += count;
        Ok(())
    }
}

#[test]
fn a_forgotten_order_is_looked_up_until_the_store_can_be_read() {
    let mut house = House::new();
    house.play("quote 100 100.02 | buy a 2 100");
    let entry = house.engine.durable.orders.values().next().unwrap().clone();
    let (clock, store) = (VirtualClock::new(Timestamp(0)), ModelStore::new("core"));
    let rows = vec![tables::order(&entry)];
    store.commit(Batch { rows, ..Batch::default() }).now_or_never().unwrap().unwrap();
    store.set_fault(Some(StoreError::Unavailable { place: "core".to_owned(), detail: "gone".to_owned() }));
    let entropy = Arc::new(SeededEntropy::new(1));
    let env = Env { clock: Arc::new(clock.clone()), entropy, activity: Arc::new(NoActivity) };
    let mut perform = performer(env, Arc::new(store.clone()), Arc::new(Counting::default()));
    let report = ExecutionReport {
        symbol: entry.order.spec.symbol,
        client_order_id: entry.order.spec.client_order_id,
        exchange_order_id: 1,
        side: entry.order.spec.side,
        kind: entry.order.spec.kind,
        qty: entry.order.spec.qty,
        status: nightdesk_orders::ExchangeStatus::New,
        filled: nightdesk_units::Qty::ZERO,
        filled_quote: nightdesk_units::Money::ZERO,
        fill: None,
        at: Timestamp(0),
    };
    let pending = Pending::Report(report, Vec::new());
    let mut lookup = perform(Effect::Recall(entry.order.spec.client_order_id, pending)).unwrap();
    assert!((&mut lookup).now_or_never().is_none(), "an unreadable store has not said that it does not know the order");
    store.set_fault(None);
    clock.advance_to(Timestamp(0) + RETRY);
    let Some(Event::Recalled(_, found)) = lookup.now_or_never() else { panic!("not answered") };
    assert_eq!(found.as_deref(), Some(&*entry));
}

#[test]
fn answers_go_to_whoever_asked_and_merged_records_are_forgotten() {
    let emergency = Arc::new(Counting::default());
    let clock = Arc::new(VirtualClock::new(Timestamp(0)));
    let env = Env { clock, entropy: Arc::new(SeededEntropy::new(1)), activity: Arc::new(NoActivity) };
    let mut perform = performer(env, Arc::new(ModelStore::new("core")), Arc::clone(&emergency) as _);
    let (reply, answer) = Reply::channel();
    assert!(perform(Effect::Answer(reply, Response::Done)).is_none());
    assert_eq!(answer.try_recv(), Ok(Response::Done));
    let (reply, gone) = Reply::channel();
    drop(gone);
    assert!(perform(Effect::Answer(reply, Response::Done)).is_none(), "whoever asked may have gone away");
    assert!(perform(Effect::Merged(3)).is_none());
    assert_eq!(*emergency.0.lock().unwrap(), 3);
}
