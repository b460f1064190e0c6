//! The store's journal: what was done to containers, images and volumes, one JSON object a line.
//!
//! ```text
//! events     {"time":1767323045123456789,"type":"volume","action":"create","id":"data","attributes":{"driver":"local"}}
//! events.1   what was `events` before it reached 8 MiB
//! ```
//!
//! Every process appends for itself: a line is one write(2) of less than 4096 bytes. Whoever writes
//! holds the file's shared lock, and whoever rotates the exclusive one, which it only tries.
//!
//! Not here: what happens when, which is told by `container`.

mod filter;
mod journal;
mod line;
mod reader;

pub use filter::Filter;
pub use journal::Journal;
pub use line::parse as parse_line;
pub use reader::{EventReader, Span};

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{
    error::{ErrorKind, Failure},
    ident::Timestamp,
    store,
    sys::SysError,
};

/// What something was done to; Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum Kind {
    Container,
    Image,
    Volume,
    Network,
    Plugin,
}

impl Kind {
    const ALL: [(Kind, &str); 5] = [
        (Kind::Container, "container"),
        (Kind::Image, "image"),
        (Kind::Volume, "volume"),
        (Kind::Network, "network"),
        (Kind::Plugin, "plugin"),
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Kind::ALL.iter().find(|(kind, _)| kind == self);
        f.write_str(known.map_or("", |(_, name)| name))
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Kind::ALL.iter().find(|(_, name)| *name == text);
        known.map(|(kind, _)| *kind).ok_or_else(|| Error::Filter {
            text: format!("type={text}"),
        })
    }
}

/// Whom something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    /// An id, or a volume's name.
    pub id: String,
    /// What else is known: `name`, `image`, labels, ...
    pub attributes: BTreeMap<String, String>,
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: Timestamp,
    /// To what.
    pub kind: Kind,
    /// What; Docker's word: `create`, `destroy`, `untag`, ...
    pub action: String,
    /// To whom.
    pub actor: Actor,
}

/// Why the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a filter. Docker's text.
    #[error("invalid filter '{text}'")]
    Filter {
        /// As asked for.
        text: String,
    },
    /// Its file cannot be read.
    #[error("read journal")]
    Read {
        /// Why.
        #[from]
        source: SysError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Failure for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Error::Filter { .. } => ErrorKind::Invalid,
            Error::Read { source } => source.kind(),
            Error::Store(error) => error.kind(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Error::Filter { .. } => {
                Some("filter by container, event, image, label, type or volume".to_owned())
            }
            Error::Read { source } => source.hint(),
            Error::Store(error) => error.hint(),
        }
    }
}
