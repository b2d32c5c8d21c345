//! Argon2id in a bounded pool of threads.

use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OnceCell, Semaphore};

use super::error::CredentialsError;
use super::password::LENGTH_MAX;

/// OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// In each queue. About one second of work for a core: a longer one would only serve callers that have given up.
const WAITING_PER_CORE: usize = 32;

/// A PHC string: the algorithm, its parameters, the salt and the hash. `Debug` does not show it.
#[derive(Clone)]
pub struct PasswordHash(String);

impl PasswordHash {
    pub(super) const fn stored(phc: String) -> Self {
        Self(phc)
    }

    /// The PHC string, to be stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_current(&self) -> bool {
        let Ok(hash) = phc::PasswordHash::new(&self.0) else { return false };
        let Ok(params) = Params::try_from(&hash) else { return false };
        let today = (MEMORY_KIB, PASSES, LANES);
        hash.algorithm.as_str() == "argon2id"
            && hash.version == Some(Version::V0x13.into())
            && (params.m_cost(), params.t_cost(), params.p_cost()) == today
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<PasswordHash>")
    }
}

domain::named_enum! {
    /// Where a caller waits for a core. Neither queue uses up the places of the other one.
    pub enum HashQueue {
        /// For callers of whom more is known than what they send: they may use every core.
        Known = "known",
        /// For anybody: all cores but one, or the one core in turns with [`Self::Known`].
        Strangers = "strangers",
    }
}

/// Hashes as many passwords at the same time as there are cores, behind bounded queues: each needs
/// 19 MiB.
#[derive(Clone)]
pub(super) struct Hashing {
    /// Places of those who wait in each queue.
    known: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    waiting_max: usize,
    /// As many as strangers may use, or wait for together with those who are known.
    cores_of_strangers: Arc<Semaphore>,
    pub(super) cores: Arc<Semaphore>,
    nobody: Arc<OnceCell<PasswordHash>>,
}

impl Hashing {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::bounded(cores, cores * WAITING_PER_CORE)
    }

    pub(super) fn bounded(cores: usize, waiting_max: usize) -> Self {
        Self {
            known: Arc::new(Semaphore::new(waiting_max)),
            strangers: Arc::new(Semaphore::new(waiting_max)),
            waiting_max,
            cores_of_strangers: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
            cores: Arc::new(Semaphore::new(cores)),
            nobody: Arc::default(),
        }
    }

    fn places(&self, queue: HashQueue) -> &Semaphore {
        match queue {
            HashQueue::Known => &self.known,
            HashQueue::Strangers => &self.strangers,
        }
    }

    /// Callers that wait for a core.
    pub(super) fn waiting(&self, queue: HashQueue) -> usize {
        self.waiting_max.saturating_sub(self.places(queue).available_permits())
    }

    pub(super) async fn hash(
        &self,
        password: SecretString,
        queue: HashQueue,
    ) -> Result<PasswordHash, CredentialsError> {
        let made = self.run(queue, move || {
            let clear = password.expose_secret().as_bytes();
            hasher()?.hash_password(clear).map_err(|_| CredentialsError::Hashing)
        });
        made.await?.map(|hash: phc::PasswordHash| PasswordHash(hash.to_string()))
    }

    /// A password that is too long to be chosen is wrong; the check takes the same time.
    pub(super) async fn verify(
        &self,
        password: SecretString,
        hash: PasswordHash,
        queue: HashQueue,
    ) -> Result<bool, CredentialsError> {
        self.run(queue, move || {
            let stored = phc::PasswordHash::new(&hash.0).map_err(|_| CredentialsError::Hashing)?;
            let clear = password.expose_secret().as_bytes();
            let cut = clear.get(..LENGTH_MAX).unwrap_or(clear);
            let right = hasher()?.verify_password(cut, &stored).is_ok();
            Ok(right && clear.len() <= LENGTH_MAX)
        })
        .await?
    }

    /// The hash of a password that nobody has. It is made once, and whoever needs it waits for it: not among
    /// strangers.
    pub(super) async fn nobody(&self) -> Result<PasswordHash, CredentialsError> {
        let made = self.nobody.get_or_try_init(|| {
            let password = SecretString::from("the password of somebody who does not exist");
            self.hash(password, HashQueue::Known)
        });
        made.await.cloned()
    }

    pub(super) async fn run<T: Send + 'static>(
        &self,
        queue: HashQueue,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let overloaded = |_| CredentialsError::Overloaded;
        let place = self.places(queue).try_acquire().map_err(|_| CredentialsError::Overloaded)?;
        let stranger = match queue {
            HashQueue::Known => None,
            HashQueue::Strangers => {
                let cores = Arc::clone(&self.cores_of_strangers);
                Some(cores.acquire_owned().await.map_err(overloaded)?)
            }
        };
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(overloaded)?;
        drop(place);
        // The permits move into the thread: a request that is dropped does not free the core it uses. The core is
        // free first: whoever waits for it already comes before the next stranger.
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(core);
            drop(stranger);
            answer
        });
        done.await.map_err(|_| CredentialsError::Hashing)
    }
}

fn hasher() -> Result<Argon2<'static>, CredentialsError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None);
    let params = params.map_err(|_| CredentialsError::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}
