//! Which passwords may be chosen: long enough, and not among the most common.

use secrecy::{ExposeSecret, SecretString};

/// In bytes of UTF-8.
pub const LENGTH_MIN: usize = 12;
/// In bytes of UTF-8.
pub const LENGTH_MAX: usize = 1024;

/// Common passwords of at least twelve bytes, one a line.
const COMMON: &str = include_str!("common.txt");

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum PasswordError {
    #[error("the password is too short: use at least {LENGTH_MIN} bytes")]
    TooShort,
    #[error("the password is too long: use at most {LENGTH_MAX} bytes")]
    TooLong,
    #[error("this password is one of the most common: choose another")]
    Common,
}

/// A password that may be chosen, by NIST SP 800-63B, 3.1.1.2: a length, a list of refused ones, and
/// no rules of composition.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    /// Checks the length and the list.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub fn parse(text: SecretString) -> Result<Self, PasswordError> {
        let clear = text.expose_secret();
        if clear.len() < LENGTH_MIN {
            return Err(PasswordError::TooShort);
        }
        if clear.len() > LENGTH_MAX {
            return Err(PasswordError::TooLong);
        }
        if is_common(clear) {
            return Err(PasswordError::Common);
        }
        Ok(Self(text))
    }

    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}

fn is_common(clear: &str) -> bool {
    let mut bytes = clear.bytes();
    let first = bytes.next();
    bytes.all(|byte| Some(byte) == first)
        || COMMON.lines().any(|common| common.eq_ignore_ascii_case(clear))
}
