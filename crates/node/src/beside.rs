//! What is done beside the commits, on threads of its own: sealing segments of logs, and reading snapshots for peers
//! from a state that stands still. Knows the port and the network's way out; decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crdt::Site;
use engine::door::Input;
use engine::port::Archive;
use engine::snapshot::Served;
use engine::wire::{PeerMessage, SnapshotAsk};
use net::{Lane, Net};
use tokio::sync::mpsc;

/// A state is pinned for a peer that asks for nothing at most this long.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// Questions of one peer that wait; it repeats what finds no room.
const ASKS_MAX: usize = 8;
/// Sealed segments that wait to be told to the engine, which wishes one at a time.
pub(crate) const SEALED_MAX: usize = 8;

/// The threads, and what they are told. Dropping it ends them and waits for them, so that the store can be closed.
#[derive(Debug)]
pub(crate) struct Beside<A> {
    archive: A,
    net: Option<Net>,
    told: mpsc::Sender<Input>,
    serving: BTreeMap<u16, (u64, SyncSender<SnapshotAsk>)>,
    threads: Vec<JoinHandle<()>>,
    /// A segment is being written: no two ever write the same file.
    sealing: Arc<AtomicBool>,
}

impl<A: Archive + Clone + Send + 'static> Beside<A> {
    pub(crate) fn new(archive: A, net: Option<Net>, told: mpsc::Sender<Input>) -> Self {
        Self { archive, net, told, serving: BTreeMap::new(), threads: Vec::new(), sealing: Arc::default() }
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) {
        self.threads.retain(|thread| !thread.is_finished());
        match Builder::new().name(name.to_owned()).spawn(work) {
            Ok(thread) => self.threads.push(thread),
            // The engine or the peer asks again.
            Err(error) => tracing::error!(%error, name, "cannot start a thread"),
        }
    }
}

/// Ends the time in which a segment is written, also when its thread panics or never starts.
struct Sealing(Arc<AtomicBool>);

impl Drop for Sealing {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What the engine wishes done beside the commits.
pub(crate) trait Wishes: Send {
    /// Seals entries into a segment.
    fn seal(&mut self, site: Site, first: u64, last: u64);
    /// Answers a peer's question for a page; `None`: the peer is gone.
    fn serve(&mut self, region: u16, ask: Option<SnapshotAsk>);
}

impl<A: Archive + Clone + Send + 'static> Wishes for Beside<A> {
    fn seal(&mut self, site: Site, first: u64, last: u64) {
        if self.sealing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (archive, told, sealing) = (self.archive.clone(), self.told.clone(), Sealing(Arc::clone(&self.sealing)));
        self.spawn("archive", move || {
            match archive.seal(site, first, last) {
                // Full or closed: the engine wishes it again, if it still runs.
                Ok(seal) => drop(told.try_send(Input::Archived { site, first, last, seal })),
                Err(error) => tracing::error!(%error, %site, first, last, "entries of a log cannot be archived"),
            }
            drop(sealing);
        });
    }

    fn serve(&mut self, region: u16, ask: Option<SnapshotAsk>) {
        let Some(ask) = ask else {
            self.serving.remove(&region);
            return;
        };
        let known = self.serving.get(&region).filter(|(id, _)| *id == ask.id);
        let closed = match known {
            // No room: the peer repeats its question.
            Some((_, asks)) => matches!(asks.try_send(ask), Err(std::sync::mpsc::TrySendError::Disconnected(_))),
            None => true,
        };
        if !closed {
            return;
        }
        self.serving.remove(&region);
        let Some(net) = self.net.clone() else { return };
        if ask.page > 0 {
            return send(&net, region, &Served::unknown(ask.id));
        }
        let (asks, asked) = sync_channel(ASKS_MAX);
        self.serving.insert(region, (ask.id, asks));
        let archive = self.archive.clone();
        self.spawn("snapshot", move || serve(&archive, ask, &asked, |message| send(&net, region, message)));
    }
}

/// Serves one snapshot to its end, or until nobody asks.
fn serve<A: Archive>(archive: &A, first: SnapshotAsk, asked: &Receiver<SnapshotAsk>, answer: impl Fn(&PeerMessage)) {
    archive.pinned(&mut |pinned| {
        let Some(mut served) = Served::begin(first.id, pinned) else {
            return answer(&Served::unknown(first.id));
        };
        let mut ask = first;
        loop {
            if let Some(message) = served.answer(ask, pinned) {
                answer(&message);
            }
            ask = match asked.recv_timeout(IDLE_MAX) {
                Ok(ask) => ask,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return,
            };
        }
    });
}

fn send(net: &Net, region: u16, message: &PeerMessage) {
    // What finds no room is asked for again.
    let _ = net.send(region, Lane::Bulk, message.encode());
}

impl<A> Drop for Beside<A> {
    fn drop(&mut self) {
        self.serving.clear();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so; there is nothing to undo.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use engine::conformance::one_of_each;
    use engine::port::{Durable as _, Write};
    use engine::wire::SnapshotWord;
    use store::{Identity, Store};

    use super::*;

    fn store(dir: &std::path::Path) -> Store {
        let identity = Identity { cluster: "t".to_owned(), region: 1, region_name: "eu".to_owned(), incarnation: 1 };
        Store::open(dir, identity).unwrap()
    }

    /// Everything of one small story, at rest.
    fn story() -> Vec<Write> {
        one_of_each().into_iter().filter(|w| !matches!(w, Write::Meta(_) | Write::Log(..))).collect()
    }

    #[test]
    fn a_snapshot_shows_the_state_as_it_was_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        store.commit(&story()).unwrap();
        let (beside, (asks, asked), (told, heard)) = (store.beside(), sync_channel(ASKS_MAX), channel());
        let thread = std::thread::spawn(move || {
            serve(&beside, SnapshotAsk { id: 7, page: 0 }, &asked, |message| told.send(message.clone()).unwrap());
        });
        let PeerMessage::SnapshotPage(page) = heard.recv().unwrap() else { panic!("a page") };
        assert_eq!((page.page, page.records.len()), (0, 11), "one of each replicated kind, and what is confirmed");
        store.commit(&[Write::Unstage, Write::Cut(Site::new(1, 1), 9)]).unwrap();
        asks.send(SnapshotAsk { id: 7, page: 1 }).unwrap();
        let PeerMessage::SnapshotWord(SnapshotWord::End { pages, sum, heads, .. }) = heard.recv().unwrap() else {
            panic!("the end")
        };
        assert_eq!((pages, sum, heads.len()), (1, page.sum, 1));
        asks.send(SnapshotAsk { id: 8, page: 1 }).unwrap();
        assert_eq!(heard.recv().unwrap(), Served::unknown(8));
        drop(asks);
        thread.join().unwrap();
    }

    #[test]
    fn nothing_is_served_while_a_snapshot_is_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = store(dir.path());
        store.commit(&one_of_each()).unwrap();
        let ((_asks, asked), (told, heard)) = (sync_channel(ASKS_MAX), channel());
        serve(&store.beside(), SnapshotAsk { id: 7, page: 0 }, &asked, |m| told.send(m.clone()).unwrap());
        assert_eq!(heard.recv().unwrap(), Served::unknown(7));
    }

    #[test]
    fn what_cannot_be_sealed_is_not_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        let (told, mut done) = mpsc::channel(SEALED_MAX);
        let mut beside = Beside::new(store.beside(), None, told);
        beside.seal(Site::new(1, 1), 1, 5);
        drop(beside);
        assert!(done.try_recv().is_err(), "there are no such entries");
    }
}
