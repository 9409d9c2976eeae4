//! The store's keys for what the feed names: `uof:sr:match:123;18;total=2.5`, `uof:1`. Specifiers come in any order and
//! are sorted; what would make a key ambiguous or is no key's character is percent-encoded.

use std::fmt::Write as _;

use model::{EventKey, GroupKey, KeyError, MarketKey, OutcomeKey, ProducerId};

/// The store's key of a producer of the feed: `uof:3`.
#[must_use]
pub fn producer_id(product: u32) -> ProducerId {
    ProducerId::new(&format!("uof:{product}")).expect("a number fits a key")
}

/// The store's key of an event: its own urn.
///
/// # Errors
/// [`KeyError`] when there is none or it is too long.
pub fn event_key(urn: &str) -> Result<EventKey, KeyError> {
    let mut key = String::with_capacity(urn.len());
    escape(&mut key, urn, b":@~");
    EventKey::new(&key)
}

/// The store's key of a market: event, id, and the specifiers sorted.
///
/// # Errors
/// [`KeyError`] when a part is empty, specifiers are not `name=value|name=value`, or the key gets too long.
pub fn market_key(event: &EventKey, id: u32, specifiers: &str) -> Result<MarketKey, KeyError> {
    let mut key = format!("uof:{event};{id}");
    let mut pairs = Vec::new();
    for pair in specifiers.split('|').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(KeyError::BadCharacter)?;
        if name.is_empty() {
            return Err(KeyError::Empty);
        }
        pairs.push((name, value));
    }
    pairs.sort_unstable();
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        key.push(if index == 0 { ';' } else { ',' });
        escape(&mut key, name, b":@~");
        key.push('=');
        escape(&mut key, value, b":@~");
    }
    MarketKey::new(&key)
}

/// The store's key of an outcome within its market: `1714`, `sr:exact_goals:4%2B:92`.
///
/// # Errors
/// [`KeyError`] when there is none or it is too long.
pub fn outcome_key(id: &str) -> Result<OutcomeKey, KeyError> {
    let mut key = String::with_capacity(id.len());
    escape(&mut key, id, b":;=,@~");
    OutcomeKey::new(&key)
}

/// The store's key of a group of markets.
///
/// # Errors
/// [`KeyError`] when there is none or it is too long.
pub fn group_key(name: &str) -> Result<GroupKey, KeyError> {
    let mut key = String::with_capacity(name.len());
    escape(&mut key, name, b":@~");
    GroupKey::new(&key)
}

/// Writes text with everything percent-encoded but letters, digits, `.`, `_`, `-` and `also`.
fn escape(key: &mut String, text: &str, also: &[u8]) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || also.contains(&byte) {
            key.push(char::from(byte));
        } else {
            write!(key, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_are_sorted_and_what_is_ambiguous_is_encoded() {
        let event = event_key("sr:match:123").unwrap();
        let key = |specifiers| market_key(&event, 18, specifiers).unwrap().as_str().to_owned();
        assert_eq!(key(""), "uof:sr:match:123;18");
        assert_eq!(key("total=2.5"), "uof:sr:match:123;18;total=2.5");
        assert_eq!(key("set=2|game=3|point=1"), "uof:sr:match:123;18;game=3,point=1,set=2");
        assert_eq!(key("game=3|point=1|set=2"), key("point=1|set=2|game=3"));
        assert_ne!(key("a=1,b=2"), key("a=1|b=2"), "a comma in a value is no separator");
        assert_eq!(key("variant=sr:exact_goals:6+"), "uof:sr:match:123;18;variant=sr:exact_goals:6%2B");
        assert_eq!(key("hcp=-0.25"), "uof:sr:match:123;18;hcp=-0.25");
        assert_eq!(market_key(&event, 18, "total"), Err(KeyError::BadCharacter));
        assert_eq!(market_key(&event, 18, "=1"), Err(KeyError::Empty));
        assert_eq!(market_key(&event, 18, &format!("a={}", "9".repeat(200))), Err(KeyError::TooLong));
        assert_eq!(outcome_key("sr:exact_goals:4+:92").unwrap().as_str(), "sr:exact_goals:4%2B:92");
        assert_eq!(outcome_key("a%2Bb").unwrap().as_str(), "a%252Bb", "the escape itself is escaped");
        assert_eq!(outcome_key(""), Err(KeyError::Empty));
        assert_eq!(event_key("sr:match:1;2").unwrap().as_str(), "sr:match:1%3B2");
        assert_eq!(producer_id(3).as_str(), "uof:3");
    }
}
