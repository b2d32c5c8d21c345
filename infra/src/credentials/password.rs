//! A password that somebody may choose: long enough, and not one that everybody chooses.

use secrecy::{ExposeSecret, SecretString};

pub const LENGTH_MIN: usize = 12;
pub const LENGTH_MAX: usize = 1024;

/// The usual ones of at least twelve bytes, which are tried first by whoever guesses.
const COMMON: &str = include_str!("common.txt");

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("a password has at least {LENGTH_MIN} bytes")]
    TooShort,
    #[error("a password has at most {LENGTH_MAX} bytes")]
    TooLong,
    #[error("this password is among the first that are guessed: choose another")]
    Common,
}

/// By NIST SP 800-63B, 3.1.1.2: a length, no rules of composition, and a list of refused ones.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
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
