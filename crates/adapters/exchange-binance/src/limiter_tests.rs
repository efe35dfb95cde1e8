use super::*;

const LIMITS: Limits = Limits { requests: 10, weight: 1_000, orders: 50, orders_window: Micros::from_secs(10) };

fn ms(at: i64) -> Timestamp {
    Timestamp::from_millis(at)
}

/// Lets `count` requests of `purpose` in at `at` and returns how many were admitted; the rest leave the queue.
fn ask(core: &mut Core, at: i64, purpose: Purpose, count: usize, weight: u32) -> usize {
    let tickets: Vec<_> = (0..count).map(|_| core.enter(purpose, weight)).collect();
    core.poll(ms(at));
    tickets
        .into_iter()
        .filter(|ticket| {
            let admitted = core.take(*ticket);
            core.leave(*ticket);
            admitted
        })
        .count()
}

#[test]
fn no_second_holds_more_requests_than_the_rate() {
    let mut core = Core::new(LIMITS);
    assert_eq!(ask(&mut core, 0, Purpose::Exit, 7, 1), 7);
    assert_eq!(ask(&mut core, 500, Purpose::Exit, 7, 1), 3);
    assert_eq!(ask(&mut core, 999, Purpose::Exit, 1, 1), 0);
    assert_eq!(ask(&mut core, 1_000, Purpose::Exit, 20, 1), 7);
    assert_eq!(ask(&mut core, 1_500, Purpose::Exit, 20, 1), 3);
}

#[test]
fn an_exit_finds_room_though_the_rest_asks_for_all_it_can_get() {
    let mut core = Core::new(LIMITS);
    assert_eq!(ask(&mut core, 0, Purpose::Background, 100, 1), 6);
    assert_eq!(ask(&mut core, 0, Purpose::Place, 100, 1), 2);
    assert_eq!(ask(&mut core, 0, Purpose::Query, 100, 1), 1);
    assert_eq!(ask(&mut core, 0, Purpose::Exit, 100, 1), 1);
}

#[test]
fn whoever_ranks_higher_goes_first_and_equals_go_by_age() {
    let mut core = Core::new(Limits { requests: 2, ..LIMITS });
    assert_eq!(ask(&mut core, 0, Purpose::Exit, 2, 1), 2);
    let place = core.enter(Purpose::Place, 1);
    let exits = [core.enter(Purpose::Exit, 1), core.enter(Purpose::Exit, 1), core.enter(Purpose::Exit, 1)];
    assert_eq!(core.poll(ms(10)), (0, Some(ms(1_000))));
    assert_eq!(core.poll(ms(1_000)), (2, Some(ms(2_000))));
    assert_eq!((core.take(exits[0]), core.take(exits[1]), core.take(exits[2])), (true, true, false));
    assert!(!core.take(place));
}

#[test]
fn weight_is_kept_below_the_limit_and_comes_back_with_the_exchanges_minute() {
    let mut core = Core::new(LIMITS);
    core.set_phase(Micros::from_secs(50));
    core.sent(ms(0), 700, false);
    assert_eq!(ask(&mut core, 0, Purpose::Background, 1, 1), 0);
    assert_eq!(ask(&mut core, 0, Purpose::Place, 1, 1), 1);
    core.observe(ms(1), Some(940), None);
    assert_eq!(ask(&mut core, 1, Purpose::Place, 1, 1), 0);
    assert_eq!(ask(&mut core, 1, Purpose::Exit, 1, 1), 1);
    core.observe(ms(2), Some(960), None);
    assert_eq!(ask(&mut core, 2, Purpose::Exit, 1, 1), 0);
    let ticket = core.enter(Purpose::Background, 20);
    assert_eq!(core.poll(ms(3)), (0, Some(ms(10_000))));
    assert_eq!(core.poll(ms(10_000)).0, 1);
    assert!(core.take(ticket));
}

#[test]
fn a_request_heavier_than_its_share_passes_once_in_an_empty_window() {
    let mut core = Core::new(Limits { weight: 20, ..LIMITS });
    assert_eq!(ask(&mut core, 0, Purpose::Background, 1, 50), 1);
    core.sent(ms(0), 50, false);
    assert_eq!(ask(&mut core, 1, Purpose::Background, 1, 50), 0);
}

#[test]
fn the_order_count_holds_placements_back_but_no_exit() {
    let mut core = Core::new(LIMITS);
    core.observe(ms(0), None, Some(40));
    assert_eq!(ask(&mut core, 0, Purpose::Place, 1, 1), 0);
    assert_eq!(ask(&mut core, 0, Purpose::Exit, 1, 1), 1);
    // Fills bring the exchange's count down.
    core.observe(ms(1), None, Some(12));
    assert_eq!(ask(&mut core, 1, Purpose::Place, 1, 1), 1);
    core.block_orders(ms(5_000));
    assert_eq!(ask(&mut core, 4_999, Purpose::Place, 1, 1), 0);
    assert_eq!(ask(&mut core, 5_000, Purpose::Place, 1, 1), 1);
}

#[test]
fn nothing_leaves_before_a_ban_ends_not_even_an_exit() {
    let mut core = Core::new(LIMITS);
    core.block(ms(120_000));
    core.block(ms(7_000));
    assert_eq!(ask(&mut core, 119_999, Purpose::Exit, 1, 1), 0);
    assert_eq!(core.blocked(ms(119_000)), Some(Micros::from_secs(1)));
    assert_eq!((ask(&mut core, 120_000, Purpose::Exit, 1, 1), core.blocked(ms(120_000))), (1, None));
}

#[test]
fn a_rate_of_one_serves_every_purpose() {
    for purpose in [Purpose::Exit, Purpose::Query, Purpose::Place, Purpose::Background] {
        let mut core = Core::new(Limits { requests: 1, ..LIMITS });
        assert_eq!(ask(&mut core, 0, purpose, 2, 1), 1);
        assert_eq!(ask(&mut core, 1_000, purpose, 2, 1), 1);
    }
}

#[test]
fn use_is_told_as_a_ratio() {
    let mut core = Core::new(LIMITS);
    core.sent(ms(0), 250, true);
    assert_eq!(core.usage(ms(0)), LimitUsage { weight: 0.25, orders: 0.02 });
    assert_eq!(core.usage(ms(60_000)), LimitUsage { weight: 0.0, orders: 0.0 });
}

#[tokio::test(start_paused = true)]
async fn admission_waits_for_the_core_and_an_abandoned_wait_frees_its_place() {
    let limiter = std::sync::Arc::new(Limiter::new(Limits { requests: 2, ..LIMITS }));
    let start = Instant::now();
    limiter.admit(Purpose::Exit, 1).await;
    limiter.admit(Purpose::Exit, 1).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    drop(tokio::time::timeout(Duration::from_millis(10), limiter.admit(Purpose::Exit, 1)).await);
    let waits: Vec<_> = (0..3)
        .map(|_| {
            let limiter = std::sync::Arc::clone(&limiter);
            tokio::spawn(async move { limiter.admit(Purpose::Exit, 1).await })
        })
        .collect();
    for wait in waits {
        wait.await.unwrap();
    }
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_secs(2) && elapsed < Duration::from_millis(2_010), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ban_holds_and_ends_on_time() {
    let limiter = Limiter::new(LIMITS);
    limiter.change(|core, now| core.block(now + Micros::from_secs(3)));
    let start = Instant::now();
    limiter.admit(Purpose::Exit, 1).await;
    assert!(start.elapsed() >= Duration::from_secs(3));
    limiter.unblocked().await;
}
