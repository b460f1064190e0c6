//! What is told of layers on their way from a registry or to one.

use std::sync::Arc;

/// How far a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// It is wanted and not there.
    Wanted,
    /// It is there already.
    Exists,
    /// So many of its bytes have gone over.
    Moving {
        /// So far.
        done: u64,
        /// In all.
        total: u64,
    },
    /// The connection broke or stood still; another one is made after so many seconds, rounded up.
    Retrying(u64),
    /// All of them have.
    Moved,
    /// It is unpacked and has its place.
    Complete,
    /// It is compressed before it is sent.
    Compressing,
    /// Another repository of the registry had it.
    Mounted(String),
}

/// Something to tell whoever watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transfer {
    /// The image is found.
    Begins {
        /// Tag or digest.
        name: String,
        /// Without its registry.
        repository: String,
    },
    /// Another process fetches the same image.
    Waits,
    /// A layer's state has changed.
    Layer {
        /// Twelve digits.
        id: String,
        /// Its state now.
        state: LayerState,
    },
}

/// Is told; from several threads.
pub type Listener = Arc<dyn Fn(Transfer) + Send + Sync>;

pub(super) fn layer(listener: &Listener, id: &str, state: LayerState) {
    let id = id.to_owned();
    listener(Transfer::Layer { id, state });
}
