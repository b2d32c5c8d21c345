//! Gets keys: from memory under the lease, else from their rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::SubjectId;
use domain::privacy::Class;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use super::invalidations::Invalidations;
use super::key::{KeyId, KeyKind};
use super::key_cache::{KeyCache, KeySlot, KeyState, LEASE, LEASE_LOST, Renewal};
use super::key_requests::KeyRequests;
use super::key_rows::{FetchedKeys, KeyRows, WantedKey};
use super::lease::{Renewing, is_to_be_asked_again};
use super::roots::Roots;
use super::went_back::Regression;
use super::{KeyringError, crypto};
use crate::clock::since_boot;
use crate::postgres::Pool;
use crate::supervise;
use crate::trouble::{LastTry, Trouble};

/// The target of the log lines about the lease on keys in memory.
pub const LOG_TARGET: &str = module_path!();

const FIRST_LIVE_AFTER: &str = include_str!("sql/first_live_after.sql");
const RENEW_EVERY: Duration = Duration::from_millis(300);

/// The keys of one node. All parts of the keyring share one.
pub(super) struct Keys {
    pub cache: KeyCache,
    requests: KeyRequests,
    roots: Arc<Roots>,
    pool: Pool,
    /// One renewal at a time.
    renewing: Mutex<Renewing>,
    renewed: LastTry,
    regression: Arc<Regression>,
}

impl Keys {
    pub fn new(
        cache: KeyCache,
        rows: KeyRows,
        roots: Arc<Roots>,
        pool: Pool,
        regression: Arc<Regression>,
    ) -> Self {
        let (renewing, renewed) = (Mutex::default(), LastTry::default());
        let requests = KeyRequests::new(rows);
        Self { cache, requests, roots, pool, renewing, renewed, regression }
    }

    /// The state of each slot's key, in order. One round trip for all that are not in memory. `make`:
    /// create those that never existed.
    pub async fn get(&self, slots: &[KeySlot], make: bool) -> Result<Vec<KeyState>, KeyringError> {
        let mut tries = 1;
        loop {
            // A shared statement may have waited for a row that only another caller wants.
            let got = self.get_once(slots, make, tries == 1).await;
            if !is_to_be_asked_again(&got, tries) {
                return got;
            }
            tries += 1;
        }
    }

    async fn get_once(
        &self,
        slots: &[KeySlot],
        make: bool,
        shared: bool,
    ) -> Result<Vec<KeyState>, KeyringError> {
        self.regression.check()?;
        self.roots.usable()?;
        let mut cached = self.cache.look(slots, since_boot());
        if cached.is_none() {
            self.renew().await?;
            cached = self.cache.look(slots, since_boot());
        }
        let cached = cached.ok_or(LEASE_LOST)?;
        if cached.iter().all(Option::is_some) {
            return Ok(cached.into_iter().flatten().collect());
        }
        // Reads all of them: a key in memory may be erased during the round trip.
        self.read(slots, make, shared).await
    }

    async fn read(
        &self,
        slots: &[KeySlot],
        make: bool,
        shared: bool,
    ) -> Result<Vec<KeyState>, KeyringError> {
        let mut wanted = Vec::with_capacity(slots.len() * 2);
        for key in slots.iter().flat_map(|slot| keys_of(slot, make)) {
            if !wanted.contains(&key) {
                wanted.push(key);
            }
        }
        let fetched = if shared {
            self.requests.fetch(wanted.clone()).await?
        } else {
            self.requests.fetch_alone(&wanted).await?
        };
        let read = slots.iter().map(|slot| derive(slot, make, &wanted, &fetched));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        // Absence is not cached: the key may be created at any time.
        let kept = slots.iter().copied().zip(read.iter().cloned());
        let kept = kept.filter(|(_, state)| !matches!(state, KeyState::Absent));
        self.cache.keep(fetched.sequence, kept);
        Ok(read)
    }

    /// The number of the first live key of a family after `number`; where none is live, one that no key
    /// has had.
    pub async fn first_live_after(&self, kind: KeyKind, number: i64) -> Result<i64, KeyringError> {
        let KeyId { subject, class, .. } = KeyId::numbered(kind, number);
        let client = self.pool.get().await?;
        let of: [&(dyn ToSql + Sync); 4] = [&kind.as_str(), &subject, &class, &number];
        Ok(client.query_one(FIRST_LIVE_AFTER, &of).await?.try_get("number")?)
    }

    /// Renews the lease: reads what was invalidated since the last time. One request at a time, for
    /// all who wait.
    pub async fn renew(&self) -> Result<(), KeyringError> {
        let renewed = self.renew_now().await;
        self.renewed.note(&renewed);
        renewed
    }

    /// Since when the lease is not renewed.
    pub fn trouble(&self) -> Option<Trouble> {
        self.renewed.trouble()
    }

    async fn renew_now(&self) -> Result<(), KeyringError> {
        let since = since_boot();
        let renewal = async {
            let mut renewing = self.renewing.lock().await;
            // One that was begun before, and was given up, may come first.
            while !self.cache.is_renewed_since(since) {
                let known = self.cache.sequence();
                let read = renewing.read(&self.pool, known).await?;
                let Invalidations { last, invalidated, file } = read.invalidations;
                self.regression.compare((read.known, last), file)?;
                self.roots.evict(invalidated.as_deref());
                let requested_at = read.requested_at;
                self.cache.renew(&Renewal { requested_at, last, invalidated });
            }
            Ok(())
        };
        timeout(LEASE, renewal).await.map_err(|_| LEASE_LOST)?
    }

    /// Stops using keys that this node has just invalidated.
    pub async fn evict(&self, keys: &[KeyId]) {
        if keys.is_empty() {
            return;
        }
        self.cache.evict(keys);
        // A key that was read before the commit and arrives after it must not be cached. If the
        // renewal fails, the lease ends.
        if let Err(error) = self.renew().await {
            tracing::warn!(%error, "the keyring's lease is not renewed after keys were erased");
        }
    }

    /// Waits until no node, and no command of at most `command_max`, uses the earlier state.
    pub async fn wait_for_other_nodes(&self, command_max: Duration) {
        const MARGIN: Duration = Duration::from_millis(50);
        tokio::time::sleep(LEASE + MARGIN + command_max).await;
    }
}

/// Renews the lease well before it ends, until the keys are dropped.
pub(super) fn keep_renewed(keys: &Arc<Keys>) {
    let is_well = Arc::new(AtomicBool::new(true));
    supervise::spawn_every("keyring lease", RENEW_EVERY, keys, move |keys| {
        let is_well = Arc::clone(&is_well);
        async move {
            if !keys.cache.is_renewal_due(since_boot()) {
                return;
            }
            let renewed = keys.renew().await;
            let was_well = is_well.swap(renewed.is_ok(), Ordering::Relaxed);
            match &renewed {
                Err(error) if was_well => {
                    tracing::warn!(%error, "the keyring's lease is not renewed");
                }
                Ok(()) if !was_well => tracing::info!("the keyring's lease is renewed again"),
                Ok(()) | Err(_) => {}
            }
        }
    });
}

fn keys_of(slot: &KeySlot, make: bool) -> Vec<WantedKey> {
    match *slot {
        KeySlot::Numbered(kind, number) => {
            vec![WantedKey::new(KeyId::numbered(kind, number), make)]
        }
        KeySlot::Data { subject, class, generation, bucket } => {
            let mut keys = vec![subject_key(subject, class, generation, make)];
            if bucket > 0 {
                keys.push(WantedKey::new(KeyId::bucket(class, bucket), make));
            }
            keys
        }
    }
}

fn subject_key(subject: SubjectId, class: Class, generation: Option<i64>, make: bool) -> WantedKey {
    WantedKey { number: generation, ..WantedKey::new(KeyId::subject(subject, class, 0), make) }
}

fn derive(
    slot: &KeySlot,
    make: bool,
    wanted: &[WantedKey],
    fetched: &FetchedKeys,
) -> Result<KeyState, KeyringError> {
    let find = |key: WantedKey| {
        let at = wanted.iter().position(|wanted| *wanted == key);
        at.and_then(|at| fetched.keys.get(at)).ok_or(KeyringError::Damaged)
    };
    match *slot {
        KeySlot::Numbered(kind, number) => {
            find(WantedKey::new(KeyId::numbered(kind, number), make)).cloned()
        }
        KeySlot::Data { subject, class, generation, bucket } => {
            let of_subject = find(subject_key(subject, class, generation, make))?;
            let KeyState::Live { number, key } = of_subject else { return Ok(of_subject.clone()) };
            let bucket_key = if bucket == 0 {
                None
            } else {
                let of_bucket = find(WantedKey::new(KeyId::bucket(class, bucket), make))?;
                let KeyState::Live { key, .. } = of_bucket else { return Ok(of_bucket.clone()) };
                Some(&**key)
            };
            let data_key = crypto::data_key(key, bucket_key, (subject, class, *number, bucket))?;
            Ok(KeyState::Live { number: *number, key: Arc::new(data_key) })
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::keyring::Secret;

    /// The data key of a subject and a bucket whose keys hold these bytes.
    fn data_key(subject: u8, bucket: u8) -> [u8; 32] {
        let class = Class::Security;
        let of = SubjectId(Uuid::from_u128(1));
        let slot = KeySlot::Data { subject: of, class, generation: None, bucket: 7 };
        let key =
            |byte| KeyState::Live { number: 1, key: Arc::new(Secret::from_bytes([byte; 32])) };
        let fetched = FetchedKeys { keys: vec![key(subject), key(bucket)], sequence: 0 };
        let derived = derive(&slot, false, &keys_of(&slot, false), &fetched).unwrap();
        let KeyState::Live { key, .. } = derived else { return [0; 32] };
        *key.expose()
    }

    /// Otherwise the erasure of the other key would leave something that opens.
    #[test]
    fn a_data_key_needs_the_key_of_its_subject_and_that_of_its_bucket() {
        assert_eq!(data_key(1, 2), data_key(1, 2));
        assert_ne!(data_key(1, 2), data_key(1, 3));
        assert_ne!(data_key(1, 2), data_key(3, 2));
        assert_ne!(data_key(1, 2), [0; 32]);
    }
}
