use super::*;

const FIVE_MINUTES: i64 = 300;
const DAY: i64 = 288;
const WEEK: i64 = 7 * DAY;
/// A Monday.
const START_S: i64 = 1_699_833_600;

/// Even noise between -1 and 1, the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / (1_u64 << 30) as f64 - 1.0
    }

    /// Nearly normal, with a deviation of one.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() / 2.0
    }
}

/// Readings of `rows` values, one each five minutes.
fn watch(rows: i64, mut value: impl FnMut(i64, &mut Noise) -> f64) -> Vec<Reading> {
    let (mut detector, mut noise) = (Detector::new(Config::default()), Noise(7));
    let mut next = |row: i64| detector.update(START_S + row * FIVE_MINUTES, value(row, &mut noise)).unwrap();
    (0..rows).map(&mut next).collect()
}

/// The rows that raise alarms, and why.
fn alarms(readings: &[Reading]) -> Vec<(i64, Reason)> {
    let raised = (0..).zip(readings).filter(|(_, reading)| reading.alarm);
    raised.map(|(row, reading)| (row, reading.reason.unwrap())).collect()
}

fn within(alarms: &[(i64, Reason)], rows: std::ops::Range<i64>) -> Vec<Reason> {
    alarms.iter().filter(|(row, _)| rows.contains(row)).map(|(_, reason)| *reason).collect()
}

fn season(row: i64) -> f64 {
    50.0 + 30.0 * (row as f64 / DAY as f64 * std::f64::consts::TAU).sin()
}

#[test]
fn a_detector_takes_no_more_than_four_kilobytes() {
    assert!(size_of::<Detector>() <= 4_096, "{}", size_of::<Detector>());
}

#[test]
fn a_restored_detector_continues_bit_for_bit() {
    let (mut detector, mut noise) = (Detector::new(Config::default()), Noise(3));
    let mut restored: Option<Detector> = None;
    for row in 0..4_000 {
        let (at_s, value) = (START_S + row * FIVE_MINUTES, season(row) + noise.bell());
        let reading = detector.update(at_s, value).unwrap();
        if let Some(restored) = &mut restored {
            assert_eq!(restored.update(at_s, value).unwrap(), reading);
        }
        if row % 700 == 350 {
            restored = Some(serde_json::from_str(&serde_json::to_string(&detector).unwrap()).unwrap());
        }
    }
    assert_eq!(restored.unwrap(), detector);
}

#[test]
fn later_values_change_no_earlier_reading() {
    let one = watch(3_000, |row, noise| season(row) + noise.bell());
    let other = watch(3_000, |row, noise| if row < 2_000 { season(row) + noise.bell() } else { -1e6 });
    let cut = watch(2_000, |row, noise| season(row) + noise.bell());
    assert_eq!(one[..2_000], other[..2_000]);
    assert_eq!(one[..2_000], cut[..]);
}

#[test]
fn a_cold_start_is_quiet_and_says_so() {
    let readings = watch(400, |row, noise| if row == 60 { 1e6 } else { noise.bell() });
    assert!(readings[..149].iter().all(|reading| reading.state == State::Learning && reading.score == 0.0));
    assert!(readings[0].expected.is_none() && readings[100].expected.is_some());
    assert!(readings[200..].iter().all(|reading| reading.state != State::Learning));
}

#[test]
fn a_constant_series_raises_nothing() {
    for constant in [0.0, 42.0, -1e12, 1e-9] {
        assert_eq!(alarms(&watch(3_000, |_, _| constant)), []);
    }
}

#[test]
fn a_value_that_leaves_a_constant_is_an_alarm() {
    let found = alarms(&watch(3_000, |row, _| if row == 2_000 { 43.0 } else { 42.0 }));
    assert_eq!(found.first().map(|(row, _)| *row), Some(2_000));
}

#[test]
fn what_is_no_number_is_a_gap() {
    let broken = |row: i64| match row % 50 {
        11 => Some(f64::NAN),
        12 => Some(f64::INFINITY),
        13 => Some(f64::NEG_INFINITY),
        14 => Some(1e300),
        _ => None,
    };
    let readings = watch(3_000, |row, noise| broken(row).unwrap_or(noise.bell()));
    assert!(alarms(&readings).len() <= 2);
    for (row, reading) in (0..).zip(&readings) {
        assert!(reading.score.is_finite() && reading.tail_probability.is_finite());
        assert!(broken(row).is_none() || (reading.score == 0.0 && reading.expected.is_none()));
    }
}

#[test]
fn a_row_from_the_past_is_refused_and_teaches_nothing() {
    let mut detector = Detector::new(Config::default());
    for row in 0..300 {
        detector.update(row * 60, row as f64 % 7.0).unwrap();
    }
    let before = detector.clone();
    let refused = detector.update(299 * 60 - 1, 1e9).unwrap_err();
    assert_eq!(refused.to_string(), "time went back from 17940 s to 17939 s");
    assert_eq!(detector, before);
    assert!(detector.update(299 * 60, 3.0).is_ok(), "several rows at one time are fine");
}

#[test]
fn a_spike_is_one_alarm() {
    let found = alarms(&watch(3_000, |row, noise| noise.bell() + if row == 2_000 { 30.0 } else { 0.0 }));
    assert_eq!(within(&found, 1_990..2_100), [Reason::Spike]);
}

#[test]
fn a_level_that_shifts_and_stays_is_told_and_then_accepted() {
    let found = alarms(&watch(8_000, |row, noise| noise.bell() + if row < 3_000 { 0.0 } else { 12.0 }));
    assert!((1..=3).contains(&within(&found, 3_000..3_400).len()), "{found:?}");
    assert!(within(&found, 4_000..8_000).len() <= 4, "{found:?}");
}

#[test]
fn a_small_shift_that_holds_is_a_level_shift() {
    let found = alarms(&watch(3_400, |row, noise| noise.bell() + if row < 3_000 { 0.0 } else { 2.5 }));
    assert!(within(&found, 3_000..3_100).contains(&Reason::LevelShift), "{found:?}");
}

#[test]
fn days_and_weeks_are_usual() {
    let weekend = |row: i64| if row % WEEK >= 5 * DAY { 0.5 } else { 1.0 };
    let readings = watch(8 * WEEK, |row, noise| season(row) * weekend(row) + 2.0 * noise.bell());
    let found = alarms(&readings);
    assert!(within(&found, 3 * WEEK..8 * WEEK).len() <= 5, "{found:?}");
}

#[test]
fn a_day_without_its_peak_is_a_seasonal_residual() {
    let missing = 20 * DAY..20 * DAY + DAY / 2;
    let value = |row: i64| if missing.contains(&row) { 50.0 } else { season(row) };
    let found = alarms(&watch(22 * DAY, |row, noise| value(row) + noise.bell()));
    assert!(within(&found, 20 * DAY..21 * DAY).contains(&Reason::SeasonalResidual), "{found:?}");
}

#[test]
fn a_flat_line_is_told() {
    let found = alarms(&watch(3_000, |row, noise| if row < 2_500 { noise.bell() } else { 0.1 }));
    assert!(within(&found, 2_500..2_700).contains(&Reason::FlatLine), "{found:?}");
}

#[test]
fn a_series_that_becomes_wild_is_told() {
    let found = alarms(&watch(3_000, |row, noise| noise.bell() * if row < 2_500 { 1.0 } else { 4.0 }));
    assert!(!within(&found, 2_500..2_560).is_empty(), "{found:?}");
}

#[test]
fn what_comes_on_schedule_is_told_a_few_times_only() {
    let job = |row: i64| if row % 290 == 200 { 40.0 } else { 0.0 };
    let found = alarms(&watch(16 * 290, |row, noise| noise.bell() + job(row)));
    let on_time = found.iter().filter(|(row, _)| row % 290 == 200).count();
    assert!(on_time <= 6, "{found:?}");
    assert!(within(&found, 10 * 290..16 * 290).len() <= 2, "{found:?}");
}

#[test]
fn an_anomaly_that_lasts_is_told_again_only_when_it_worsens() {
    let value = |row: i64| match row {
        2_000..2_010 => 15.0,
        2_020..2_030 => 400.0,
        _ => 0.0,
    };
    let readings = watch(2_200, |row, noise| noise.bell() + value(row));
    let found = alarms(&readings);
    assert_eq!(within(&found, 2_000..2_020).len(), 1, "{found:?}");
    assert_eq!(within(&found, 2_020..2_060).len(), 1, "{found:?}");
    assert!(readings[2_005].score < ALARM_SCORE && readings[2_005].state == State::Alarm);
}

#[test]
fn a_counter_that_resets_raises_nothing() {
    let mut detector = Detector::new(Config { kind: Kind::Counter, ..Config::default() });
    let (mut noise, mut count, mut raised) = (Noise(11), 0.0, 0);
    for row in 0..4_000 {
        count = if row % 900 == 899 { 0.0 } else { count + 100.0 + 10.0 * noise.next() };
        raised += i32::from(detector.update(row * 60, count).unwrap().alarm);
    }
    assert!(raised <= 2, "{raised}");
    let jump = detector.update(4_000 * 60, count + 5_000.0).unwrap();
    assert!(jump.alarm && jump.expected.unwrap().high < 4.0, "{jump:?}");
}

#[test]
fn gaps_and_uneven_sampling_are_no_anomaly() {
    let (mut detector, mut noise, mut at_s, mut raised) = (Detector::new(Config::default()), Noise(5), START_S, 0);
    for row in 0..4_000 {
        at_s += 240 + (noise.next() * 100.0) as i64;
        if row % 500 == 499 {
            at_s += 40_000;
        }
        let value = 10.0 + (at_s as f64 / 86_400.0 * std::f64::consts::TAU).sin() + 0.5 * noise.bell();
        raised += i32::from(detector.update(at_s, value).unwrap().alarm);
    }
    assert!(raised <= 4, "{raised}");
    assert!((200.0..300.0).contains(&detector.interval_s()), "{}", detector.interval_s());
}

#[test]
fn tail_probabilities_are_as_frequent_as_they_say() {
    let readings = watch(12 * WEEK, |_, noise| noise.bell());
    let late = &readings[2 * WEEK as usize..];
    for (probability, low, high) in [(0.01, 0.005, 0.02), (0.001, 0.0002, 0.004)] {
        let below = late.iter().filter(|reading| reading.tail_probability <= probability).count();
        let share = below as f64 / late.len() as f64;
        assert!((low..high).contains(&share), "{share} of rows are below {probability}");
    }
}

#[test]
fn the_expected_range_holds_what_is_usual() {
    let mut values = Vec::new();
    let readings = watch(6 * WEEK, |row, noise| {
        values.push(season(row) + 2.0 * noise.bell());
        values[row as usize]
    });
    let late = readings.iter().zip(&values).skip(2 * WEEK as usize);
    let held = late.clone().filter(|(reading, value)| {
        reading.expected.is_some_and(|expected| (expected.low..=expected.high).contains(value))
    });
    let share = held.count() as f64 / late.count() as f64;
    assert!((0.97..0.998).contains(&share), "{share}");
    let last = readings.last().unwrap().expected.unwrap();
    assert!(last.high - last.low < 20.0, "the season is known, so the range is that of the noise: {last:?}");
}

#[test]
fn pure_noise_raises_at_most_two_alarms_a_week() {
    let found = alarms(&watch(10 * WEEK, |_, noise| noise.bell()));
    assert!(found.len() <= 20, "{}", found.len());
}

#[test]
fn a_market_that_is_always_violent_at_alarms_raises_the_threshold() {
    let (mut detector, mut noise) = (Detector::new(Config::default()), Noise(9));
    for row in 0..6_000 {
        let violent = row % 4 == 0;
        let value = noise.bell() * if violent { 5.0 } else { 1.0 };
        detector.update_in(row * 60, value, Some(if violent { 3.0 } else { 1.0 })).unwrap();
    }
    let mut calm = detector.clone();
    let there = detector.update_in(6_000 * 60, 0.0, Some(3.0)).unwrap().threshold;
    let here = calm.update_in(6_000 * 60, 0.0, Some(1.0)).unwrap().threshold;
    assert!(there > here * 1.05, "{there} {here}");
}

#[test]
fn an_unknown_setting_is_an_error() {
    assert!(serde_json::from_str::<Config>(r#"{"threshold": 5.0}"#).is_ok());
    assert!(serde_json::from_str::<Config>(r#"{"treshold": 5.0}"#).is_err());
}
