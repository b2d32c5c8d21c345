//! Argon2id in a bounded pool of threads.

use std::sync::Arc;

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::error::CredentialsError;
use super::password::LENGTH_MAX;

/// OWASP's minimum for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// About one second of work for a core: a longer queue would only serve callers that have given up.
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

/// Hashes as many passwords at the same time as there are cores, behind a bounded queue: each needs
/// 19 MiB.
#[derive(Clone)]
pub(super) struct Hashing {
    queue: Arc<Semaphore>,
    pub(super) cores: Arc<Semaphore>,
    nobody: Arc<OnceCell<PasswordHash>>,
    /// The initial permits of the two semaphores.
    permits: (usize, usize),
}

impl Hashing {
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::bounded(cores, cores * WAITING_PER_CORE)
    }

    pub(super) fn bounded(cores: usize, waiting: usize) -> Self {
        Self {
            queue: Arc::new(Semaphore::new(cores + waiting)),
            cores: Arc::new(Semaphore::new(cores)),
            nobody: Arc::default(),
            permits: (cores + waiting, cores),
        }
    }

    /// Callers that wait for a core.
    pub(super) fn waiting(&self) -> usize {
        let (callers, cores) = self.permits;
        let callers = callers.saturating_sub(self.queue.available_permits());
        callers.saturating_sub(cores.saturating_sub(self.cores.available_permits()))
    }

    pub(super) async fn hash(
        &self,
        password: SecretString,
    ) -> Result<PasswordHash, CredentialsError> {
        let made = self.run(move || {
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
    ) -> Result<bool, CredentialsError> {
        self.run(move || {
            let stored = phc::PasswordHash::new(&hash.0).map_err(|_| CredentialsError::Hashing)?;
            let clear = password.expose_secret().as_bytes();
            let cut = clear.get(..LENGTH_MAX).unwrap_or(clear);
            let right = hasher()?.verify_password(cut, &stored).is_ok();
            Ok(right && clear.len() <= LENGTH_MAX)
        })
        .await?
    }

    /// The hash of a password that nobody has.
    pub(super) async fn nobody(&self) -> Result<PasswordHash, CredentialsError> {
        let made = self.nobody.get_or_try_init(|| {
            self.hash(SecretString::from("the password of somebody who does not exist"))
        });
        made.await.cloned()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CredentialsError> {
        let overloaded = |_| CredentialsError::Overloaded;
        let waiting = Arc::clone(&self.queue).try_acquire_owned();
        let waiting = waiting.map_err(|_| CredentialsError::Overloaded)?;
        let core = Arc::clone(&self.cores).acquire_owned().await.map_err(overloaded)?;
        // The permits move into the thread: a request that is dropped does not free the core it uses.
        let permits: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (waiting, core);
        let done = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(permits);
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
