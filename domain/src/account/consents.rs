//! What the person has agreed to: given and withdrawn in one step each.

use serde::{Deserialize, Serialize};

use super::{AccountError, AccountEvent, LiveAccount};
use crate::privacy::Purpose;

/// What the person last said of one purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The version of the privacy policy that was agreed to.
    pub policy_version: u32,
    /// `false` once it is withdrawn.
    pub given: bool,
}

impl LiveAccount {
    pub(super) fn give_consent(
        &self,
        purpose: Purpose,
        policy_version: u32,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        if !purpose.needs_consent() {
            return Err(AccountError::NotByConsent(purpose));
        }
        let given = Consent { policy_version, given: true };
        if self.consents.get(&purpose) == Some(&given) {
            return Ok(vec![]);
        }
        Ok(vec![AccountEvent::ConsentGiven { purpose, policy_version }])
    }

    pub(super) fn withdraw_consent(
        &self,
        purpose: Purpose,
    ) -> Result<Vec<AccountEvent>, AccountError> {
        if !purpose.needs_consent() {
            return Err(AccountError::NotByConsent(purpose));
        }
        match self.consents.get(&purpose) {
            Some(consent) if consent.given => Ok(vec![AccountEvent::ConsentWithdrawn { purpose }]),
            Some(_) | None => Ok(vec![]),
        }
    }
}
