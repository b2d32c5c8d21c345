//! Random bytes of the system, for keys and tokens.

use ring::rand::{SecureRandom, SystemRandom};

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system returned no random bytes")]
pub struct NoRandomness;

/// Bytes that nobody can predict. Whoever keeps secrets in them overwrites them after use.
///
/// # Errors
/// [`NoRandomness`].
pub fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}
