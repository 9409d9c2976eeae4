//! Points in time as exchange feeds write them (`2022-07-11T11:00:00.000Z`) to and from milliseconds since 1970 UTC.
//!
//! It must not know the current time.

const DAY_MS: u64 = 86_400_000;

/// Unix milliseconds of an RFC 3339 time in UTC with seconds and at most three places; none for anything else.
#[must_use]
pub fn parse_utc_ms(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    let known = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    if !known || hour > 23 || minute > 59 || second > 59 || fraction.len() > 3 {
        return None;
    }
    let scale = [100, 10, 1].get(fraction.len().checked_sub(1)?)?;
    let fraction_ms = digits(fraction)? * scale;
    let days = (1970..year).map(|y| if is_leap(y) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|m| days_in(year, m)).sum::<u64>()
        + (day - 1);
    Some(days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + fraction_ms)
}

/// The inverse of [`parse_utc_ms`], always with three places; times after the year 9999 are shown as its last one.
#[must_use]
pub fn format_utc_ms(at_ms: u64) -> String {
    let at_ms = at_ms.min(253_402_300_799_999);
    let (mut days, rest) = (at_ms / DAY_MS, at_ms % DAY_MS);
    let (mut year, mut month) = (1970, 1);
    while days >= if is_leap(year) { 366 } else { 365 } {
        days -= if is_leap(year) { 366 } else { 365 };
        year += 1;
    }
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let (hour, minute, second, ms) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", days + 1)
}

fn fields(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut values = [0; 3];
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width)?;
        *value = digits(part)?;
    }
    parts.next().is_none().then_some(values)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2022-07-11T11:00:00.000Z", 1_657_537_200_000),
            ("2024-02-29T23:59:59.5Z", 1_709_251_199_500),
            ("2024-03-01T00:00:00Z", 1_709_251_200_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse_utc_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "2023-02-29T00:00:00Z",
            "2023-1-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01",
            "2023-01-01T00:00:00.Z",
            "2023-01-01T00:00:00+01:00",
            "2023-01-01T00:00:00.0000Z",
            "1969-12-31T00:00:00Z",
            "2023-13-01T00:00:00Z",
        ] {
            assert_eq!(parse_utc_ms(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(ms in 0..253_402_300_800_000_u64) {
            prop_assert_eq!(parse_utc_ms(&format_utc_ms(ms)), Some(ms));
        }
    }
}
