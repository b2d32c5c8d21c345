//! What must still be so of an account when something is appended that rests on it.

use super::{AccountError, LiveAccount};
use crate::CredentialId;
use crate::privacy::{AccountEmail, Personal};

impl LiveAccount {
    pub(super) const fn remains(&self) -> Result<(), AccountError> {
        if self.erasure.is_some() { Err(AccountError::OwnerLeaves) } else { Ok(()) }
    }

    pub(super) fn has_password(&self, credential: CredentialId) -> Result<(), AccountError> {
        if self.credential == credential { Ok(()) } else { Err(AccountError::PasswordReplaced) }
    }

    pub(super) const fn tokens_ended(&self, times: u64) -> Result<(), AccountError> {
        if self.api_token_endings == times { Ok(()) } else { Err(AccountError::TokensEnded) }
    }

    /// Each sealing is another value, so that another address is never taken for the one that was compared.
    pub(super) fn has_email(&self, email: &Personal<AccountEmail>) -> Result<(), AccountError> {
        if self.email != *email {
            return Err(AccountError::EmailReplaced);
        }
        if self.email_verified { Ok(()) } else { Err(AccountError::EmailUnverified) }
    }
}
