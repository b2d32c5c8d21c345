//! Keys in a database of their own, the values that are sealed under them, and their erasure.
//!
//! A [`Keyring`] holds the parts. Give a caller only the part that it needs: the event store, for
//! example, gets a [`Sealer`] and the [`RequestMacKeys`].

mod claim_codes;
mod copy;
mod crypto;
mod durability;
mod email_generations;
mod email_index;
mod envelope;
mod erasure_entry;
mod erasure_ledger;
mod error;
mod escrow;
mod files;
mod invalidations;
mod key;
mod key_cache;
mod key_eraser;
mod key_requests;
mod key_rows;
mod keys;
mod lease;
mod link_tokens;
mod options;
mod position_tokens;
mod request_mac_keys;
mod rewrap;
mod root_eraser;
mod root_folder;
mod root_holds;
mod root_rotation;
mod root_row;
mod root_store;
mod root_vault;
mod roots;
mod sealed_field;
mod sealer;
mod secret;
mod shards;
mod status;
#[cfg(test)]
mod tests;
mod went_back;
mod writes;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::postgres::Pool;
use crate::trouble::Trouble;
use escrow::Escrow;
use key_cache::KeyCache;
use key_rows::KeyRows;
use keys::Keys;
use root_holds::HoldRules;
use roots::Roots;
use went_back::Regression;
use writes::Writes;

pub use claim_codes::ClaimCodes;
pub use copy::{
    CopyUpdate, KeyringCopy, RestoredKeyring, holds_copies, holds_keys, refuse_unreadable_copies,
    restore_keyring, state_copy_lost,
};
pub use email_index::{AddressReservations, EmailIndex, EmailKinds, IndexRotation, IndexTurn};
pub use erasure_entry::{
    ErasureEntry, ErasureStage, ErasureState, OpenErasures, RunLeft, RunsLeft, SubjectKind,
};
pub use erasure_ledger::{ErasureLedger, NewErasure};
pub use error::{KeyringError, OpenError, SealError};
pub use escrow::{EscrowOptions, check_escrow_recipient};
pub use key_eraser::{ErasedSubject, ExpiredKeys, KeyEraser};
pub use keys::LOG_TARGET as LEASE_LOG_TARGET;
pub use link_tokens::{LinkPurpose, LinkTokens, ReadLink};
pub use options::KeyringOptions;
pub use position_tokens::PositionTokens;
pub use request_mac_keys::{RequestMacKeys, RequestMacs};
pub use root_eraser::EscrowedRoot;
pub use root_folder::RootFolder;
pub use root_holds::{HeldRoot, RootHold};
pub use root_rotation::{RootRotation, RotatedRoot};
pub use root_store::{RootErasure, RootFingerprint, RootId, RootStore, RootStoreError};
pub use root_vault::{
    RootVault, RootVaultOptions, VaultAddress, VaultAddressError, VaultMount, VaultNameError,
    VaultPrefix, VaultToken, VaultTokenError, VaultTokenSource,
};
pub use sealer::Sealer;
pub use secret::Secret;
pub use status::{KeyringStatus, copy_age};
pub use went_back::KeyringWentBack;

/// One node's keyring: a handle to its [`KeyringParts`], which clones share.
#[derive(Clone)]
pub struct Keyring(Arc<KeyringParts>);

/// The parts of a keyring, over one set of root keys and one memory of keys. Keys in memory are used
/// under a lease, which is renewed for as long as the keyring, or a part that uses keys, is held.
pub struct KeyringParts {
    /// Seals and opens personal fields.
    pub sealer: Sealer,
    /// The requested erasures and their states.
    pub ledger: ErasureLedger,
    /// The secrets of claim codes.
    pub claim_codes: ClaimCodes,
    /// Tokens in mailed links.
    pub link_tokens: LinkTokens,
    /// MACs that recognise a repeated request.
    pub request_macs: RequestMacKeys,
    /// Tokens that stand for positions of the log.
    pub position_tokens: PositionTokens,
    /// The blind index of e-mail addresses.
    pub email_index: EmailIndex,
    /// Erases keys.
    pub eraser: KeyEraser,
    /// The copy outside the data directory, unless there is none.
    pub copy: Option<Arc<KeyringCopy>>,
    /// Replaces the root key.
    pub root_rotation: RootRotation,
    /// For how many days after its day content is kept.
    pub content_days: u32,
    pool: Pool,
    keys: Arc<Keys>,
    roots: Arc<Roots>,
    regression: Arc<Regression>,
    writes: Arc<Writes>,
}

impl Deref for Keyring {
    type Target = KeyringParts;

    fn deref(&self) -> &KeyringParts {
        &self.0
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<keyring>")
    }
}

impl Keyring {
    /// The time after an erasure until no node uses the erased keys any more.
    pub const LEASE: Duration = key_cache::LEASE;

    /// Checks that the root of every key exists, or creates the first root of an empty keyring, if the
    /// options allow it.
    /// `pool` leads to the primary and has two connections at least: one renews the lease.
    ///
    /// # Errors
    /// [`KeyringError::RootMissing`] and [`KeyringError::RootWrong`] when `roots` does not have the
    /// root of a key; [`KeyringError::NoRoot`]; [`KeyringError::EscrowRecipient`]; [`KeyringError::Standby`];
    /// [`KeyringError::Escrow`] where no root was ever put into it; [`KeyringError::SynchronousCommit`];
    /// [`KeyringError::WentBack`], [`KeyringError::CopyMissing`] and
    /// [`KeyringError::Copy`] of its copy; [`KeyringError::Database`].
    pub async fn start(
        pool: Pool,
        roots: Arc<dyn RootStore>,
        options: KeyringOptions,
        clock: Clock,
    ) -> Result<Self, KeyringError> {
        let escrow = options.escrow.as_ref().map(Escrow::new).transpose()?;
        let roots = Arc::new(Roots::new(roots, pool.clone()));
        let writes = Arc::new(Writes::new(pool.clone()));
        let (held, noted) = (Arc::clone(&roots), Arc::clone(&writes));
        let rows = KeyRows::new(pool.clone(), clock.clone(), held, noted);
        let cache = KeyCache::new(options.cache_max);
        let regression = Arc::new(Regression::new());
        let (held, noticed) = (Arc::clone(&roots), Arc::clone(&regression));
        let keys = Arc::new(Keys::new(cache, rows, held, pool.clone(), noticed));
        let copy = options.copy.as_ref().map(|dir| {
            let (roots, noticed) = (Arc::clone(&roots), Arc::clone(&regression));
            let limit = options.copy_timeout;
            Arc::new(KeyringCopy::new(pool.clone(), roots, (dir.clone(), limit), noticed))
        });
        let holds = HoldRules {
            retention: options.root_retention,
            // What is in the escrow opens a keyring that went back.
            needs_copy: copy.is_some() && escrow.is_none(),
        };
        let rotated = Arc::clone(&roots);
        let root_rotation =
            RootRotation::new(pool.clone(), clock.clone(), rotated, escrow, holds, copy.clone());
        let eraser = KeyEraser::new(
            Arc::clone(&keys),
            pool.clone(),
            clock.clone(),
            root_rotation.clone(),
            &options,
        );
        let email_index =
            EmailIndex::new(Arc::clone(&keys), pool.clone(), clock.clone(), eraser.clone());
        root_rotation.establish(options.creates_root).await?;
        if options.makes_escrow {
            root_rotation.eraser.prepare_escrow().await?;
        }
        email_index.establish().await?;
        // Nothing is in memory yet, so the first renewal may take the list from its end.
        keys.renew().await?;
        keys::keep_renewed(&keys);
        roots::keep_looking(&roots);
        writes::keep_probed(&writes);
        let request_macs = RequestMacKeys::new(Arc::clone(&keys), clock.clone());
        Ok(Self(Arc::new(KeyringParts {
            sealer: Sealer::new(Arc::clone(&keys), clock.clone()),
            ledger: ErasureLedger::new(pool.clone(), clock.clone()),
            claim_codes: ClaimCodes::new(Arc::clone(&keys), clock.clone()),
            link_tokens: LinkTokens::new(Arc::clone(&keys), clock),
            position_tokens: PositionTokens::new(request_macs.clone()),
            request_macs,
            email_index,
            eraser,
            copy,
            root_rotation,
            content_days: options.content_days,
            pool,
            keys,
            roots,
            regression,
            writes,
        })))
    }

    /// Creates the first root of a keyring that never had one; any other keyring is left as it is, also
    /// where its root is not in `roots`.
    ///
    /// # Errors
    /// [`KeyringError::Roots`], [`KeyringError::SynchronousCommit`], [`KeyringError::Database`].
    pub async fn create_first_root(
        pool: Pool,
        roots: Arc<dyn RootStore>,
        clock: Clock,
    ) -> Result<(), KeyringError> {
        if !root_row::read_roots(&pool.get().await?).await?.is_empty() {
            return Ok(());
        }
        let roots = Arc::new(Roots::new(roots, pool.clone()));
        let retention = KeyringOptions::default().root_retention;
        let holds = HoldRules { retention, needs_copy: false };
        RootRotation::new(pool, clock, roots, None, holds, None).establish(true).await
    }

    /// Whether this node can read the root keys that it needs. It looks every few seconds.
    ///
    /// # Errors
    /// [`KeyringError::RootsUnusable`]: it opens and seals nothing until it can.
    pub fn roots_usable(&self) -> Result<(), KeyringError> {
        self.roots.usable()
    }

    /// Whether the place of the root keys answered when this node last looked.
    ///
    /// # Errors
    /// [`KeyringError::RootsUnreached`]: it goes on with the root keys in memory, and rotates none.
    pub fn roots_reached(&self) -> Result<(), KeyringError> {
        self.roots.reached()
    }

    /// Since when the lease on keys in memory is not renewed: none is used meanwhile. `None`: it is, or an idle
    /// node has not tried.
    pub fn lease_trouble(&self) -> Option<Trouble> {
        self.keys.trouble()
    }

    /// Since when the database takes no new keys of this node: its disk is full, say. After a refusal that every key
    /// would meet it is asked each second, by a write that leaves nothing behind. `None`: it takes them, or none was
    /// refused.
    pub fn key_trouble(&self) -> Option<Trouble> {
        self.writes.trouble()
    }

    /// Changes to the reason when the keyring's database went back under this node: it uses no keys from then
    /// on, and has to stop.
    pub fn went_back(&self) -> tokio::sync::watch::Receiver<Option<KeyringWentBack>> {
        self.regression.watch()
    }

    /// What it reads does not grow with the keyring.
    ///
    /// # Errors
    /// [`KeyringError::Database`].
    pub async fn status(&self) -> Result<KeyringStatus, KeyringError> {
        let client = self.pool.get().await?;
        let row = client.query_one(&client.prepare_cached(KeyringStatus::READ).await?, &[]).await?;
        KeyringStatus::from_row(&row)
    }
}
