//! Times as people write them in tables.

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// Microseconds since the epoch: of a date with or without time and offset (UTC where none is given), or of a number of
/// seconds, milliseconds, microseconds or nanoseconds, told apart by how large it is.
pub(super) fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(text, number);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.split(['-', '/']);
    let mut next = || parts.next()?.parse::<i64>().ok();
    let (year, month, day) = (next()?, next()?, next()?);
    let days = days_from_civil(year, month, day)?;
    let clock = rest.strip_prefix(['T', 't', ' ']).unwrap_or(rest).trim();
    let (clock, offset) = split_offset(clock)?;
    Some((days * 86_400 - offset) * SECOND + time_of_day(clock)?)
}

/// A year beyond 5138 in seconds is one before 1974 in milliseconds: whatever is larger is of a finer unit.
fn epoch(text: &str, number: f64) -> Option<i64> {
    let scale = match number.abs() {
        n if n < 1e11 => 1e6,
        n if n < 1e14 => 1e3,
        n if n < 1e17 => 1.0,
        n if n < 1e20 => 1e-3,
        _ => return None,
    };
    // Whole numbers stay exact.
    match (text.parse::<i64>(), scale >= 1.0) {
        (Ok(whole), true) => whole.checked_mul(scale as i64),
        (Ok(whole), false) => Some(whole / 1_000),
        (Err(_), _) => Some((number * scale).round() as i64),
    }
}

/// The time of day and the offset from UTC in seconds.
fn split_offset(clock: &str) -> Option<(&str, i64)> {
    if let Some(clock) = clock.strip_suffix(['Z', 'z']) {
        return Some((clock, 0));
    }
    if let Some(clock) = clock.strip_suffix("UTC") {
        return Some((clock.trim_end(), 0));
    }
    let Some(at) = clock.rfind(['+', '-']) else { return Some((clock, 0)) };
    let (clock, offset) = clock.split_at(at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let digits: String = offset.chars().filter(char::is_ascii_digit).collect();
    let (hours, minutes) = (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..).unwrap_or(""));
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i64>().ok()? };
    Some((clock.trim_end(), sign * (hours * 3_600 + minutes * 60)))
}

fn time_of_day(clock: &str) -> Option<i64> {
    if clock.is_empty() {
        return Some(0);
    }
    let mut parts = clock.split(':');
    let (hours, minutes) = (parts.next()?.parse::<i64>().ok()?, parts.next()?.parse::<i64>().ok()?);
    let seconds = parts.next().map_or(Some(0.0), |seconds| seconds.parse::<f64>().ok())?;
    let fits = (0..=24).contains(&hours) && (0..60).contains(&minutes) && (0.0..61.0).contains(&seconds);
    (fits && parts.next().is_none()).then(|| (hours * 3_600 + minutes * 60) * SECOND + (seconds * 1e6).round() as i64)
}

/// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap day is their last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=length).contains(&day) || !(1..=9_999).contains(&year) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468)
}

/// A moment as text, to the second.
pub(super) fn show(micros: i64) -> String {
    let text = nightdesk_units::Timestamp(micros.div_euclid(SECOND) * SECOND).to_string();
    match text.split_once('.') {
        Some((whole, fraction)) => format!("{whole}{}", fraction.trim_start_matches(|c: char| c.is_ascii_digit())),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_however_they_are_written() {
        let expected = 1_722_470_400 * SECOND;
        let same = [
            "2024-08-01",
            "2024-08-01 00:00",
            "2024-08-01 00:00:00",
            "2024/08/01 00:00:00",
            "2024-08-01T00:00:00Z",
            "2024-08-01T02:00:00+02:00",
            "2024-07-31 19:30:00.000 -0430",
            "2024-08-01 00:00:00 UTC",
            "1722470400",
            "1722470400.0",
            "1722470400000",
            "1722470400000000",
            "1722470400000000000",
        ];
        for text in same {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
        assert_eq!(show(expected + 1), "2024-08-01T00:00:00Z");
        assert_eq!(parse("2024-02-29 23:59:59.5"), Some(1_709_251_199 * SECOND + 500_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "yesterday", "2023-02-29", "2024-13-01", "2024-08-01 25:00", "2024-08-01 10:61", "timestamp"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
