//! Moving a recorded stream line to another time: where a line says times, and how each is replaced. Every other byte
//! of the line stays as it was recorded, numbers digit for digit.
//!
//! It must not know the current time, nor what the rest of a line means.

use std::ops::Range;

use feeds::instant::{format_utc_ms, parse_utc_ms};

/// Keys of market definitions whose values are times as texts.
const TIME_KEYS: [&str; 5] = ["marketTime", "openDate", "suspendTime", "settledTime", "removalDate"];

/// From recorded times to new ones: what was `from_ms` becomes `to_ms`, and time between messages passes
/// `speed_milli / 1000` times as fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeMap {
    /// A recorded time, Unix ms.
    pub(crate) from_ms: u64,
    /// What it becomes, Unix ms.
    pub(crate) to_ms: u64,
    /// Thousandths; at least 1.
    pub(crate) speed_milli: u64,
}

impl TimeMap {
    /// The new time of a recorded one.
    pub(crate) fn at(&self, recorded_ms: u64) -> u64 {
        if recorded_ms >= self.from_ms {
            self.to_ms.saturating_add(self.shrunk(recorded_ms - self.from_ms))
        } else {
            self.to_ms.saturating_sub(self.shrunk(self.from_ms - recorded_ms))
        }
    }

    fn shrunk(&self, gap_ms: u64) -> u64 {
        u64::try_from(u128::from(gap_ms) * 1000 / u128::from(self.speed_milli.max(1))).unwrap_or(u64::MAX)
    }
}

/// When the message says it was published; none when it does not say.
pub(crate) fn published_ms(line: &str) -> Option<u64> {
    let mut fields = Fields::of(line);
    fields.find_map(|field| field.is_published().then(|| line.get(field.value)?.parse().ok())?)
}

/// The line with another publish time, and the times in its definitions moved by `map`.
pub(crate) fn moved(line: &str, published_ms: u64, map: &TimeMap) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut copied = 0;
    for field in Fields::of(line) {
        let value = line.get(field.value.clone()).unwrap_or_default();
        let new = if field.is_published() {
            value.parse::<u64>().ok().map(|_| published_ms.to_string())
        } else if TIME_KEYS.contains(&field.key) {
            let at_ms = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(parse_utc_ms);
            at_ms.map(|at_ms| format!("\"{}\"", format_utc_ms(map.at(at_ms))))
        } else {
            None
        };
        if let Some(new) = new {
            out.push_str(line.get(copied..field.value.start).unwrap_or_default());
            out.push_str(&new);
            copied = field.value.end;
        }
    }
    out.push_str(line.get(copied..).unwrap_or_default());
    out
}

/// A line that says only that the stream is alive.
pub(crate) fn heartbeat(published_ms: u64) -> String {
    format!(r#"{{"op":"mcm","id":0,"clk":"","pt":{published_ms},"ct":"HEARTBEAT"}}"#)
}

/// A key with a value that is neither object nor list.
#[derive(Debug)]
struct Field<'a> {
    key: &'a str,
    /// How many objects and lists it is in.
    depth: usize,
    value: Range<usize>,
}

impl Field<'_> {
    fn is_published(&self) -> bool {
        self.depth == 1 && self.key == "pt"
    }
}

/// Walks over the fields of a JSON text. Of a text that is no JSON it yields something or nothing, and ends.
struct Fields<'a> {
    line: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Fields<'a> {
    fn of(line: &'a str) -> Self {
        Self { line, at: 0, depth: 0 }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.line.as_bytes().get(at).copied()
    }

    fn skip_space(&mut self) {
        while self.byte(self.at).is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Steps over the text that begins here, quotes included.
    fn quoted(&mut self) -> Range<usize> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.byte(self.at) {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                break;
            }
        }
        start..self.at.min(self.line.len())
    }

    /// Steps over a text, a number or a word.
    fn scalar(&mut self) -> Range<usize> {
        if self.byte(self.at) == Some(b'"') {
            return self.quoted();
        }
        let start = self.at;
        while self.byte(self.at).is_some_and(|b| !matches!(b, b',' | b'}' | b']') && !b.is_ascii_whitespace()) {
            self.at += 1;
        }
        start..self.at
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            match self.byte(self.at)? {
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b'"' => {
                    let key = self.quoted();
                    self.skip_space();
                    if self.byte(self.at) != Some(b':') {
                        continue;
                    }
                    self.at += 1;
                    self.skip_space();
                    if matches!(self.byte(self.at), Some(b'{' | b'[')) {
                        continue;
                    }
                    let value = self.scalar();
                    let key = self.line.get(key.start + 1..key.end.saturating_sub(1)).unwrap_or_default();
                    return Some(Field { key, depth: self.depth, value });
                }
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"op":"mcm", "pt" : 1000,"clk":"a\"pt\":1","mc":[{"id":"1.1","pt":7,"tv":1.50,"marketDefinition":{"marketTime":"1970-01-01T00:00:03.000Z","openDate":"soon","name":"é"}}]}"#;

    #[test]
    fn only_times_change_and_numbers_keep_their_digits() {
        let map = TimeMap { from_ms: 1_000, to_ms: 500_000, speed_milli: 2_000 };
        assert_eq!(published_ms(LINE), Some(1_000));
        let expected = LINE.replace(" 1000", " 500001").replace("00:00:03.000Z", "00:08:21.000Z");
        assert_eq!(moved(LINE, 500_001, &map), expected);
        assert_eq!(moved(&expected, 1_000, &TimeMap { from_ms: 501_000, to_ms: 3_000, ..map }), LINE);
    }

    #[test]
    fn times_before_the_first_line_are_moved_too() {
        let map = TimeMap { from_ms: 10_000, to_ms: 100_000, speed_milli: 10_000 };
        assert_eq!((map.at(0), map.at(10_000), map.at(20_000)), (99_000, 100_000, 101_000));
        assert_eq!(TimeMap { to_ms: 5, speed_milli: 1_000, ..map }.at(0), 0);
    }

    #[test]
    fn what_is_no_message_stays_as_it_is() {
        let map = TimeMap { from_ms: 0, to_ms: 9, speed_milli: 1_000 };
        for line in
            ["", "{", "\"", "{\"pt\":", "{\"pt\":\"1\"}", "[{\"pt\":1}]", "}}}", "{\"pt\\", "{\"x\":\"\\", "nonsense é"]
        {
            assert_eq!(moved(line, 5, &map), line);
            assert_eq!(published_ms(line), None, "{line}");
        }
    }

    #[test]
    fn a_heartbeat_is_one_to_its_reader() {
        let read = feeds::betfair::parse_line(heartbeat(42).as_bytes()).unwrap();
        let feeds::betfair::StreamMessage::Market(message) = read else { panic!("{read:?}") };
        assert!(message.heartbeat && message.pt == 42 && message.changes.is_empty());
    }
}
