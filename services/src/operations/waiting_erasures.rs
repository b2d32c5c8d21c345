//! Erasures whose fence stands and that are not completed: how many there are, and what they wait for.

use chrono::{DateTime, TimeDelta, Utc};
use infra::keyring::{ErasureLedger, ErasureState, KeyringError};
use infra::outbox::Outbox;
use uuid::Uuid;

/// As many as are looked at.
const COUNTED_MAX: i64 = 64;
/// An erasure that nothing hinders takes two seconds.
const USUAL: TimeDelta = TimeDelta::minutes(1);

/// By what they wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingErasures {
    /// Mails to the person that are on their way, or whose files cannot be deleted.
    pub mails: i64,
    /// Something else, as the log of the node that erases says.
    pub other: i64,
}

impl WaitingErasures {
    pub async fn count(
        ledger: &ErasureLedger,
        outbox: &Outbox,
        now: DateTime<Utc>,
    ) -> Result<Self, KeyringError> {
        let due = ledger.due(now, COUNTED_MAX, 0).await?;
        let begun = due.iter().filter(|entry| {
            matches!(entry.state, ErasureState::Fenced | ErasureState::KeysErased)
                && entry.fenced_at.is_some_and(|at| now - at >= USUAL)
        });
        let subjects: Vec<Uuid> = begun.map(|entry| entry.subject.0).collect();
        let all = i64::try_from(subjects.len()).unwrap_or(i64::MAX);
        let mails = if all == 0 { 0 } else { outbox.count_subjects(&subjects).await? };
        Ok(Self { mails, other: all - mails })
    }
}
