//! Records an erasure request in the ledger, under a claim code.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use domain::SubjectId;
use domain::privacy::deadlines::grace_days_max;
use infra::keyring::{KeyringError, SubjectKind};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::config::Config;
use crate::wiring::App;

const PREFIX: &str = "le_";
/// After this time a request is in the log, or will never be.
const SETTLED: TimeDelta = TimeDelta::minutes(1);

/// Why a request was not recorded. It may be tried again.
#[derive(Debug, thiserror::Error)]
pub enum RequestErasureError {
    #[error("the system returned no random bytes")]
    Random,
    #[error("the same erasure is being requested elsewhere: try again in {retry_seconds} seconds")]
    InProgress { retry_seconds: i64 },
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// Records the erasure in the ledger, and returns a new claim code, which is shown once. The caller
/// then appends the request to the log; if it does not, the eraser cancels the entry.
///
/// # Errors
/// Nothing was recorded.
pub async fn enter(
    app: &App,
    kind: SubjectKind,
    subject: SubjectId,
    due: DateTime<Utc>,
) -> Result<String, RequestErasureError> {
    let (code, hash) = draw_code()?;
    let ledger = &app.keyring.ledger;
    let entry = ledger.request(kind, subject, due, hash).await?;
    if entry.claim_code_hash == hash {
        return Ok(code);
    }
    if app.clock.now() - entry.requested_at < SETTLED {
        // Another request may be running, and may have returned the code of that entry.
        return Err(RequestErasureError::InProgress { retry_seconds: SETTLED.num_seconds() });
    }
    ledger.cancel(subject).await?;
    ledger.request(kind, subject, due, hash).await?;
    Ok(code)
}

/// The grace of an erasure: `days`, or the default of the settings. The rotation of the root key and its
/// escrow must end within the 30 days, too.
///
/// # Errors
/// More or fewer days than this installation allows.
pub fn grace(config: &Config, days: Option<i64>) -> Result<TimeDelta, String> {
    let days = days.unwrap_or_else(|| config.erasure_grace_days.into());
    let least = i64::from(config.erasure_grace_days_min);
    let most = grace_days_max(config.escrow_days.into());
    if (least..=most).contains(&days) {
        return Ok(TimeDelta::days(days));
    }
    Err(format!("this must be {least} to {most} days on this installation"))
}

fn draw_code() -> Result<(String, [u8; 32]), RequestErasureError> {
    let mut random = [0; 24];
    let drawn = SystemRandom::new().fill(&mut random);
    drawn.map_err(|_| RequestErasureError::Random)?;
    let code = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let hash = hash_code(&code);
    Ok((code, hash))
}

/// The stored form of a code. A look-up by hash reveals nothing by its duration.
pub(crate) fn hash_code(code: &str) -> [u8; 32] {
    let hash = digest(&SHA256, code.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may")]

    use super::*;

    #[test]
    fn a_claim_code_is_drawn_anew_and_found_by_its_hash() {
        let (code, hash) = draw_code().unwrap();
        assert_eq!(hash_code(&code), hash);
        assert_ne!(draw_code().unwrap().0, code);
    }
}
