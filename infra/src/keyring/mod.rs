//! Keys in a database of their own: sealing, forgetting, and the rotation of root keys.

mod error;
pub mod ledger;
mod pending;
mod root_store;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::TimeDelta;

pub use error::{KeyringError, OpenError, SealError};
pub use pending::{Forgotten, LinkPurpose, Reclaim, RequestMacs, Retained, Rotation, Status};
pub use root_store::{RootId, RootStore, RootStoreError, Secret};

/// The keys of one node, cached under a lease of one second.
#[derive(Clone)]
pub struct Keyring(Arc<Inner>);

struct Inner;

/// How long keys are kept, and where old root keys go.
#[derive(Clone, Debug)]
pub struct KeyringOptions {
    /// Data keys held in memory at most.
    cache_max: usize,
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
