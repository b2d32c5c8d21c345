//! The links that were mailed and may still be followed.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{AccountError, Holding};
use crate::ProofId;
use crate::privacy::{AccountEmail, Personal};

/// What a mailed link proves, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What the link names. No other link has it.
    pub id: ProofId,
    /// From here on the link does nothing.
    pub until: DateTime<Utc>,
}

/// A change of address that waits for its link to be followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmailChange {
    /// The new address.
    pub email: Personal<AccountEmail>,
    /// The link that was mailed to the new address.
    pub proof: Proof,
}

/// The newest link of each kind that no event has ended: no other one is accepted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Proofs {
    /// Proves the current address.
    pub verification: Option<Proof>,
    /// Proves another address, which then takes the place of the current one.
    pub email_change: Option<EmailChange>,
    /// Sets another password.
    pub password_reset: Option<Proof>,
}

impl Proofs {
    pub(super) fn end(&mut self, ended: &[Holding]) {
        for holding in ended {
            match holding {
                Holding::Verification => self.verification = None,
                Holding::EmailChange => self.email_change = None,
                Holding::PasswordReset => self.password_reset = None,
                // Rows and streams of their own, which the event ends.
                Holding::Sessions | Holding::ApiTokens => {}
            }
        }
    }

    /// The new address, if the link proves it.
    pub(super) fn new_email(
        &self,
        shown: ProofId,
        now: DateTime<Utc>,
    ) -> Result<Personal<AccountEmail>, AccountError> {
        let change = self.email_change.as_ref().ok_or(AccountError::LinkReplaced)?;
        check(Some(change.proof), shown, now)?;
        Ok(change.email.clone())
    }
}

/// Whether the link that is shown is the one that counts.
pub(super) fn check(
    newest: Option<Proof>,
    shown: ProofId,
    now: DateTime<Utc>,
) -> Result<(), AccountError> {
    let newest = newest.filter(|newest| newest.id == shown).ok_or(AccountError::LinkReplaced)?;
    if now >= newest.until {
        return Err(AccountError::LinkExpired);
    }
    Ok(())
}
