//! New ids: random, or derived from a command's id.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::CommandId;
use ring::digest::{Context, SHA256};
use uuid::{Builder, Uuid};

/// Where new ids come from: version 7 (RFC 9562), or a seeded sequence that tests repeat.
#[derive(Clone, Debug)]
pub struct Ids(Option<Arc<Sequence>>);

#[derive(Debug)]
struct Sequence {
    seed: u64,
    drawn: AtomicU64,
}

impl Ids {
    /// Ids of version 7, from the system's clock and random generator.
    pub const fn system() -> Self {
        Self(None)
    }

    /// The same sequence of ids for the same seed, for tests.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Sequence { seed, drawn: AtomicU64::new(0) })))
    }

    /// The next id. No two calls return the same one.
    #[allow(clippy::disallowed_methods, reason = "this is the place that draws ids")]
    pub fn uuid(&self) -> Uuid {
        self.0.as_ref().map_or_else(Uuid::now_v7, |sequence| {
            let drawn = sequence.drawn.fetch_add(1, Ordering::Relaxed);
            hashed(&[&sequence.seed.to_be_bytes(), &drawn.to_be_bytes()])
        })
    }
}

/// An id derived from a command's: the same command, sent again, gets the same id.
pub fn derived(command: CommandId, label: &str) -> Uuid {
    hashed(&[command.0.as_bytes(), label.as_bytes()])
}

/// An id of version 8 (RFC 9562): the first bits of SHA-256 over the parts, each with its length.
pub fn hashed(parts: &[&[u8]]) -> Uuid {
    let mut hash = Context::new(&SHA256);
    for part in parts {
        hash.update(&part.len().to_be_bytes());
        hash.update(part);
    }
    let hash = hash.finish();
    let first = hash.as_ref().first_chunk::<16>().copied().unwrap_or_default();
    Builder::from_custom_bytes(first).into_uuid()
}
