//! The commit loop: drains a group of inputs through the engine, makes their batch durable with one sync, and only
//! then lets their effects out. Generic over the store; the very same code runs in `node` and in `sim`.

use model::Token;

use crate::door::{Config, Effect, Input, Now};
use crate::engine::Engine;
use crate::overlay::{Layered, Overlay};
use crate::planted::Planted;
use crate::port::{Durable, StoreError, Write};

/// One region: its engine over its store.
#[derive(Debug)]
pub struct Region<S> {
    engine: Engine,
    store: S,
    overlay: Overlay,
    batch: Vec<Write>,
}

impl<S: Durable> Region<S> {
    /// An engine restored from what a store holds. Feed it [`Input::Started`] first.
    #[must_use]
    pub fn open(config: Config, store: S) -> Self {
        let mut engine = Engine::new(config);
        store.load(&mut |write| engine.restore(write));
        Self { engine, store, overlay: Overlay::default(), batch: Vec::new() }
    }

    /// Runs a group; when the engine's deadline has passed, a [`Input::Tick`] joins it. `emit` hears each effect once its batch is durable.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was emitted; the engine's memory is ahead of the disk, so the process must stop.
    pub fn step(
        &mut self,
        now: Now,
        inputs: impl IntoIterator<Item = Input>,
        mut emit: impl FnMut(Effect, &Token),
    ) -> Result<usize, StoreError> {
        let mut effects = Vec::new();
        for input in inputs {
            self.feed(now, input, &mut effects);
        }
        if self.engine.deadline_ms().is_some_and(|due| due <= now.steady_ms) {
            self.feed(now, Input::Tick, &mut effects);
        }
        let output = self.engine.end_group(now);
        self.batch.extend(output.batch);
        effects.extend(output.then);
        let token = self.engine.token();
        let before_sync = self.engine.planted() == Planted::AckBeforeSync;
        if before_sync {
            effects.drain(..).for_each(|e| emit(e, &token));
        }
        let writes = self.batch.len();
        if writes > 0 {
            self.store.commit(&self.batch)?;
        }
        self.batch.clear();
        self.overlay.clear();
        effects.into_iter().for_each(|e| emit(e, &token));
        Ok(writes)
    }

    fn feed(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        let view = Layered { over: &self.overlay, under: &self.store };
        let output = self.engine.handle(now, input, &view);
        output.batch.iter().for_each(|w| self.overlay.absorb(w));
        self.batch.extend(output.batch);
        effects.extend(output.then);
    }

    /// The engine, for its deadline, statistics and (in tests) its state.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The engine, for planting bugs in tests.
    pub const fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// The store.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Takes the store out; the engine's memory is lost, as in a crash.
    pub fn into_store(self) -> S {
        self.store
    }
}
