//! Who asks for rows of keys at the same time shares the statements, and the commit of keys that are made.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use super::KeyringError;
use super::key_cache::LEASE_LOST;
use super::key_rows::{FetchedKeys, KeyRows, LockWait, WantedKey};

/// How many statements are under way at once. Who finds them all taken waits, and shares the next one.
const AT_ONCE: usize = 2;
/// Of one statement; the last request of it may reach beyond.
const KEYS_MAX: usize = 256;

/// Reads keys from their rows, and creates missing ones, for all callers of a node.
pub(super) struct KeyRequests {
    rows: Arc<KeyRows>,
    waiting: Arc<Mutex<Vec<KeyRequest>>>,
    turns: Arc<Semaphore>,
}

struct KeyRequest {
    wanted: Vec<WantedKey>,
    /// Dropped without an answer: the request is to be asked alone.
    answer: oneshot::Sender<Result<FetchedKeys, KeyringError>>,
}

impl KeyRequests {
    pub fn new(rows: KeyRows) -> Self {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        Self { rows: Arc::new(rows), waiting: Arc::default(), turns }
    }

    /// The keys, to be used at once, all of them read after the call. [`KeyringError::LeaseLost`] also when somebody
    /// else's key was waited for: ask alone then.
    pub async fn fetch(&self, wanted: Vec<WantedKey>) -> Result<FetchedKeys, KeyringError> {
        let (answer, mut answered) = oneshot::channel();
        lock(&self.waiting).push(KeyRequest { wanted: wanted.clone(), answer });
        let shared = tokio::select! {
            biased;
            shared = &mut answered => shared,
            turn = Arc::clone(&self.turns).acquire_owned() => {
                let (rows, waiting) = (Arc::clone(&self.rows), Arc::clone(&self.waiting));
                // It goes on for the others when this caller gives up.
                tokio::spawn(async move {
                    loop {
                        let requests = take(&mut lock(&waiting));
                        if requests.is_empty() {
                            break;
                        }
                        answer_all(&rows, requests).await;
                    }
                    drop(turn);
                });
                answered.await
            }
        };
        match shared {
            Ok(answer) => answer,
            Err(_) => self.fetch_alone(&wanted).await,
        }
    }

    /// The same, in statements of its own.
    pub async fn fetch_alone(&self, wanted: &[WantedKey]) -> Result<FetchedKeys, KeyringError> {
        self.rows.fetch(wanted, LockWait::Long).await
    }
}

fn lock(waiting: &Mutex<Vec<KeyRequest>>) -> MutexGuard<'_, Vec<KeyRequest>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The oldest requests, as many as one statement takes.
fn take(waiting: &mut Vec<KeyRequest>) -> Vec<KeyRequest> {
    waiting.retain(|request| !request.answer.is_closed());
    let mut keys = 0;
    let fits = |request: &&KeyRequest| {
        let fits = keys < KEYS_MAX;
        keys += request.wanted.len();
        fits
    };
    let count = waiting.iter().take_while(fits).count();
    waiting.drain(..count).collect()
}

/// An answer that came too late for the lease is too late for each of them. After any other error each asks alone:
/// it may be about a key of one.
async fn answer_all(rows: &KeyRows, requests: Vec<KeyRequest>) {
    let (mut places, mut wanted) = (HashMap::new(), Vec::new());
    for key in requests.iter().flat_map(|request| &request.wanted) {
        if let Entry::Vacant(place) = places.entry(*key) {
            place.insert(wanted.len());
            wanted.push(*key);
        }
    }
    let fetched = rows.fetch(&wanted, LockWait::Short).await;
    let requests = match <[KeyRequest; 1]>::try_from(requests) {
        Ok([request]) => return drop(request.answer.send(fetched)),
        Err(requests) => requests,
    };
    for KeyRequest { wanted, answer } in requests {
        let part = match &fetched {
            Ok(FetchedKeys { keys, sequence }) => {
                let key = |wanted| places.get(wanted).and_then(|place| keys.get(*place)).cloned();
                let keys = wanted.iter().map(key).collect::<Option<_>>();
                keys.map(|keys| Ok(FetchedKeys { keys, sequence: *sequence }))
            }
            Err(KeyringError::LeaseLost(_)) => Some(Err(LEASE_LOST)),
            Err(_) => None,
        };
        if let Some(part) = part {
            drop(answer.send(part));
        }
    }
}
