//! Frames and answers in words, and frames with broken bytes. Knows encodings only.

use bytes::Bytes;
use engine::door::Request;
use engine::wire::PeerMessage;
use model::{Answer, Command, WagerAnswer};

use crate::draw::Draw;

/// Broken bytes that can no longer be read as a frame; for odds, sometimes one value only.
pub(super) fn broken(draw: &mut Draw, frame: &Bytes) -> Bytes {
    if let Ok(PeerMessage::Odds(mut odds)) = PeerMessage::decode(frame)
        && draw.percent(50)
        && let Some(value) = odds.values.first_mut()
    {
        *value = vec![0xff; 3].into();
        return PeerMessage::Odds(odds).encode();
    }
    let mut bytes = frame.to_vec();
    for _ in 0..8 {
        let at = usize::try_from(draw.below(bytes.len() as u64)).unwrap_or(0);
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= u8::try_from(draw.between(1, 255)).unwrap_or(1);
        }
        if PeerMessage::decode(&bytes).is_err() {
            return Bytes::from(bytes);
        }
    }
    bytes.truncate(bytes.len() / 2);
    bytes.push(0xff);
    Bytes::from(bytes)
}

/// The kind of a frame, from its bytes alone.
pub(super) fn kind(frame: &Bytes) -> &'static str {
    let kinds = ["Hello", "Entries", "Have", "Pull", "Acquire", "Acquired", "Odds", "OddsFrom", "OpenAccount"];
    if frame.get(1) == Some(&16) {
        return "Relayed";
    }
    frame.get(1).and_then(|n| kinds.get(usize::from(*n))).copied().unwrap_or("?")
}

/// Whether a frame is worth a line in the report.
pub(super) fn is_news(frame: &Bytes) -> bool {
    let idle = kind(frame) == "Odds" && frame.len() < 100;
    !idle && !matches!(kind(frame), "Have" | "?")
}

pub(super) fn short(answer: &Answer) -> String {
    match answer {
        Answer::Market(view) => format!("market {} {:?} held {}", view.market, view.status, view.held),
        Answer::Placed(answers) => {
            let one = |a: &WagerAnswer| match a {
                WagerAnswer::Decided { record, replayed } => {
                    format!("{} {:?} replayed {replayed}", record.id, record.decision)
                }
                WagerAnswer::AwaitingAck { record, replayed } => format!("{} prepared replayed {replayed}", record.id),
                WagerAnswer::Ticket(ticket) => format!("{ticket:?}"),
                WagerAnswer::Delayed(delay) => format!("{delay:?}"),
                WagerAnswer::Refused(refusal) => format!("{refusal:?}"),
            };
            answers.iter().map(one).collect::<Vec<_>>().join("; ")
        }
        other => format!("{other:?}").chars().take(160).collect(),
    }
}

/// A request in one short line.
pub(super) fn asked(request: &Request) -> String {
    match request {
        Request::Command(Command::WriteOdds(writes)) => format!("{} odds, first {:?}", writes.len(), writes.first()),
        Request::Command(Command::PutMarket(draft)) => {
            format!("put {} with {} outcomes, {:?}", draft.market, draft.definition.outcomes.len(), draft.status)
        }
        Request::Command(Command::Place(items)) => {
            let one = |i: &model::WagerRequest| {
                let leg = i.legs.first().map(|l| (&l.market, &l.outcome, l.odds));
                format!("{} {} {} {leg:?} {:?}", i.id, i.account, i.unit_stake, i.policy)
            };
            format!("place {}", items.iter().map(one).collect::<Vec<_>>().join("; "))
        }
        Request::Feed(lines) => format!("{} feed lines", lines.len()),
        Request::Uof(messages) => format!("{} feed messages", messages.len()),
        other => format!("{other:?}"),
    }
}
