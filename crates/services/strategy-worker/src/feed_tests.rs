use expect_test::{Expect, expect};
use nightdesk_market::Interval;
use nightdesk_units::{Lots, Ticks};

use super::*;

fn candle(second: i64) -> Candle {
    Candle {
        symbol: "BTCUSDT".parse().unwrap(),
        interval: Interval::ONE_SECOND,
        open_at: Timestamp::from_millis(second * 1_000),
        open: Ticks(1),
        high: Ticks(1),
        low: Ticks(1),
        close: Ticks(1),
        volume: Lots(0),
        trades: 0,
    }
}

fn seconds(candles: &[Candle]) -> String {
    candles.iter().map(|c| (c.open_at.as_millis() / 1_000).to_string()).collect::<Vec<_>>().join(" ")
}

/// `at S`; `start`; `close S…` (candles that open then); `answer S…`; `stale`: an answer to another request; `due`.
fn check(history: usize, script: &str, expected: &Expect) {
    let wish = CandleWish { interval: Interval::ONE_SECOND, history };
    let mut feed = CandleFeed::new("7".parse().unwrap(), "BTCUSDT".parse().unwrap(), wish);
    let (mut now, mut asked, mut out) = (Timestamp(0), None, String::new());
    for line in script.split('\n').map(str::trim) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let numbers = || words[1..].iter().map(|word| word.parse::<i64>().unwrap());
        let said = match words[0] {
            "at" => {
                now = Timestamp((words[1].parse::<f64>().unwrap() * 1e6) as i64);
                continue;
            }
            "start" => {
                feed.start(now);
                String::new()
            }
            "close" => {
                let used: Vec<Candle> = numbers().map(candle).filter(|candle| feed.closed(candle, now)).collect();
                format!("used [{}]", seconds(&used))
            }
            "answer" | "stale" => {
                let mut request: CandleRequest = asked.unwrap();
                if words[0] == "stale" {
                    request.from = Timestamp(1);
                }
                let batch = CandleBatch { request, candles: numbers().map(candle).collect() };
                format!("used [{}]", seconds(&feed.answered(&batch, now)))
            }
            "due" => String::new(),
            other => panic!("{other}"),
        };
        if let Some(request) = feed.due(now) {
            asked = Some(request);
            let (from, to) = (request.from.as_millis() / 1_000, request.to.as_millis() / 1_000);
            out.push_str(&format!("{line}: {said} asks {from}..{to}\n"));
        } else {
            let wakeup = feed.wakeup().map_or_else(String::new, |at| format!(" waits until {}", at.0 as f64 / 1e6));
            out.push_str(&format!("{line}: {said}{wakeup}\n"));
        }
    }
    expected.assert_eq(&out);
}

#[test]
fn history_comes_first_and_what_closes_meanwhile_follows() {
    check(
        3,
        "close 8
         at 10.4
         start
         close 10 11
         answer 7 8 9
         close 12
         close 12 11",
        &expect![[r#"
            close 8: used []
            start:  asks 7..10
            close 10 11: used [] waits until 11.4
            answer 7 8 9: used [7 8 9 10 11]
            close 12: used [12]
            close 12 11: used []
        "#]],
    );
}

#[test]
fn an_exchange_without_history_does_not_hold_the_feed_up() {
    check(
        3,
        "at 10
         start
         answer
         close 15",
        &expect![[r#"
            start:  asks 7..10
            answer: used []
            close 15: used [15]
        "#]],
    );
}

#[test]
fn a_hole_is_fetched_before_the_candle_after_it_is_used() {
    check(
        10,
        "at 10
         start
         answer 8 9
         close 10
         at 14
         close 13
         close 14
         answer 11 12",
        &expect![[r#"
            start:  asks 0..10
            answer 8 9: used [8 9]
            close 10: used [10]
            close 13: used [] asks 11..13
            close 14: used [] waits until 15
            answer 11 12: used [11 12 13 14]
        "#]],
    );
}

#[test]
fn a_hole_that_stays_is_asked_about_thrice_and_then_accepted() {
    check(
        10,
        "at 10
         start
         answer 9
         at 13
         close 12
         answer
         at 13.5
         due
         at 14
         due
         answer 10
         at 15
         due
         answer
         at 16
         due
         answer",
        &expect![[r#"
            start:  asks 0..10
            answer 9: used [9]
            close 12: used [] asks 10..12
            answer: used [] waits until 14
            due:  waits until 14
            due:  asks 10..12
            answer 10: used [10] waits until 15
            due:  asks 11..12
            answer: used [] waits until 16
            due:  asks 11..12
            answer: used [12]
        "#]],
    );
}

#[test]
fn no_more_is_fetched_than_the_history_wanted() {
    check(
        3,
        "at 10
         start
         answer 9
         at 1000
         close 999
         answer 996 997 998",
        &expect![[r#"
            start:  asks 7..10
            answer 9: used [9]
            close 999: used [] asks 996..999
            answer 996 997 998: used [996 997 998 999]
        "#]],
    );
}

#[test]
fn a_request_without_an_answer_is_repeated_ever_more_slowly() {
    check(
        3,
        "at 10
         start
         at 11
         due
         at 12
         due
         at 13
         due
         at 17
         due
         at 1000
         due
         due",
        &expect![[r#"
            start:  asks 7..10
            due:  asks 7..10
            due:  waits until 13
            due:  asks 7..10
            due:  asks 7..10
            due:  asks 7..10
            due:  waits until 1016
        "#]],
    );
}

#[test]
fn an_answer_to_another_request_or_out_of_its_range_is_not_used() {
    check(
        3,
        "at 10
         start
         stale 7 8 9
         answer 9 8 8 7 6 10 11
         answer 7",
        &expect![[r#"
            start:  asks 7..10
            stale 7 8 9: used [] waits until 11
            answer 9 8 8 7 6 10 11: used [7 8 9]
            answer 7: used []
        "#]],
    );
}

#[test]
fn what_waits_is_bounded_and_what_fell_out_is_fetched() {
    let wish = CandleWish { interval: Interval::ONE_SECOND, history: 10_000 };
    let mut feed = CandleFeed::new("7".parse().unwrap(), "BTCUSDT".parse().unwrap(), wish);
    feed.start(Timestamp(0));
    let request = feed.due(Timestamp(0)).unwrap();
    let count = i64::try_from(MAX_WAITING).unwrap();
    for second in 0..count + 5 {
        assert!(!feed.closed(&candle(second), Timestamp(0)));
    }
    let batch = CandleBatch { request, candles: vec![candle(-1)] };
    assert_eq!(seconds(&feed.answered(&batch, Timestamp(0))), "-1");
    let request = feed.due(Timestamp(0) + HOLE_PAUSE).unwrap();
    assert_eq!((request.from, request.to), (Timestamp(0), Timestamp::from_millis(5_000)));
    let batch = CandleBatch { request, candles: (0..5).map(candle).collect() };
    assert_eq!(feed.answered(&batch, Timestamp(0)).len(), MAX_WAITING + 5);
    assert!(feed.is_live());
}
