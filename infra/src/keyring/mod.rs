//! Keys in a database of their own: sealing, forgetting, and the rotation of root keys.

mod cache;
mod crypto;
mod durable;
mod email_index;
mod email_rotation;
mod envelope;
mod erasure_entry;
mod erasure_ledger;
mod error;
mod escrow;
mod fetch;
mod forget;
mod held;
mod key;
mod lease;
mod link;
mod open;
mod request_macs;
mod retention;
mod root_store;
mod roots;
mod rotation;
mod seal;
mod status;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::postgres::Pool;
use cache::Cache;

pub use email_rotation::{AddressReservations, EmailKinds};
pub use envelope::commitment;
pub use erasure_entry::{ErasureEntry, ErasureStage, ErasureState, OpenErasures, SubjectKind};
pub use erasure_ledger::ErasureLedger;
pub use error::{KeyringError, OpenError, SealError};
pub use forget::Forgotten;
pub use link::LinkPurpose;
pub use request_macs::RequestMacs;
pub use retention::Retained;
pub use root_store::{RootFolder, RootId, RootStore, RootStoreError, Secret};
pub use rotation::Rotation;
pub use status::Status;

/// The keys of one node, cached under a lease of one second.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
    pub ledger: ErasureLedger,
}

struct Inner {
    pool: Pool,
    roots: Arc<dyn RootStore>,
    options: KeyringOptions,
    clock: Clock,
    cache: Cache,
    known: Mutex<HashMap<RootId, Arc<Secret>>>,
    current: AtomicI64,
    /// One renewal at a time, on the connection that the last one used.
    renewing: tokio::sync::Mutex<Option<deadpool_postgres::Object>>,
}

/// How long keys are kept, and where old root keys go.
#[derive(Clone, Debug)]
pub struct KeyringOptions {
    /// Keys held in memory at most.
    pub cache_max: usize,
    pub security_days: u32,
    pub content_days: u32,
    pub billing_months: u32,
    /// None: an old root is destroyed without escrow.
    pub escrow: Option<EscrowOptions>,
}

impl Default for KeyringOptions {
    fn default() -> Self {
        Self {
            cache_max: 65_536,
            security_days: 90,
            content_days: 30,
            billing_months: 120,
            escrow: None,
        }
    }
}

/// Where old root keys wait, encrypted to somebody who is not online.
#[derive(Clone, Debug)]
pub struct EscrowOptions {
    /// An age recipient: `age1...`.
    pub recipient: String,
    pub dir: PathBuf,
    pub keep: TimeDelta,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<keyring>")
    }
}

impl Keyring {
    /// Checks that the root of every key is there, or mints the first root of an empty keyring.
    /// `pool` leads to the primary and has two connections at least: one renews. The lease is renewed for as long as a clone is held.
    pub async fn start(
        pool: Pool,
        roots: Arc<dyn RootStore>,
        options: KeyringOptions,
        clock: Clock,
    ) -> Result<Self, KeyringError> {
        if let Some(escrow) = &options.escrow {
            escrow::recipient(escrow)?;
        }
        // Nothing is in memory yet, so the first renewal may take the list from its end.
        let ledger = ErasureLedger::new(pool.clone(), clock.clone());
        let inner = Arc::new(Inner {
            cache: Cache::new(options.cache_max),
            pool,
            roots,
            options,
            clock,
            known: Mutex::default(),
            current: AtomicI64::new(0),
            renewing: tokio::sync::Mutex::default(),
        });
        inner.establish().await?;
        inner.begin_email_index().await?;
        inner.renew().await?;
        lease::keep_renewed(&inner);
        Ok(Self { inner, ledger })
    }

    /// How long it takes until every node has stopped using what was destroyed before.
    pub const fn lease() -> Duration {
        cache::LEASE
    }
}
