//! Telling what is done while it is done.

use std::time::{Duration, Instant};

use crate::mount::Narration;

/// One thing that was done.
#[derive(Debug, Clone)]
pub struct Event {
    /// What and why.
    pub narration: Narration,
    /// How long it took.
    pub took: Duration,
}

/// Somebody who wants to be told.
pub type Listener<'a> = Box<dyn FnMut(Event) + 'a>;

/// Tells a listener, or nobody.
#[derive(Default)]
pub struct Explain<'a> {
    listener: Option<Listener<'a>>,
}

impl std::fmt::Debug for Explain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Explain")
            .field("listening", &self.listener.is_some())
            .finish()
    }
}

impl<'a> Explain<'a> {
    /// Tells nobody and costs nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Tells `listener`.
    pub fn to(listener: impl FnMut(Event) + 'a) -> Self {
        Self {
            listener: Some(Box::new(listener)),
        }
    }

    /// Whether anybody listens.
    pub fn is_wanted(&self) -> bool {
        self.listener.is_some()
    }

    /// Does something and tells about it; `narrate` is only asked when somebody listens.
    pub(super) fn step<T>(
        &mut self,
        work: impl FnOnce() -> T,
        narrate: impl FnOnce(&T) -> Narration,
    ) -> T {
        let start = self.is_wanted().then(Instant::now);
        let done = work();
        if let Some(start) = start {
            self.tell(narrate(&done), start.elapsed());
        }
        done
    }

    pub(super) fn tell(&mut self, narration: Narration, took: Duration) {
        if let Some(listener) = &mut self.listener {
            listener(Event { narration, took });
        }
    }
}
