//! Claim codes: who has one asks for the state of an erasure, and for its certificate.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use domain::{CommandId, SubjectId};
use infra::keyring::{ErasureEntry, ErasureState, KeyringError};
use ring::digest::{SHA256, digest};

use crate::wiring::App;

const PREFIX: &str = "le_";

/// The code of the erasure that `command` requests and that is entered at `requested_at`. `None` once
/// its key is erased.
///
/// # Errors
/// The keyring is not reached.
pub(super) async fn claim_code(
    app: &App,
    subject: SubjectId,
    command: CommandId,
    requested_at: DateTime<Utc>,
) -> Result<Option<String>, KeyringError> {
    let secret = app.keyring.claim_codes.secret(subject, command, requested_at).await?;
    Ok(secret.map(|secret| format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))))
}

/// The entry that `command` made in the ledger, and its code: the one that is not cancelled, else the
/// latest.
///
/// # Errors
/// The keyring is not reached.
pub(crate) async fn entry_of(
    app: &App,
    subject: SubjectId,
    command: CommandId,
) -> Result<Option<(ErasureEntry, String)>, KeyringError> {
    let mut entries = app.keyring.ledger.entries_of(subject).await?;
    // They are sorted by time already.
    entries.sort_by_key(|entry| entry.state == ErasureState::Cancelled);
    for entry in entries {
        let code = claim_code(app, subject, command, entry.requested_at).await?;
        if let Some(code) = code.filter(|code| hash_code(code) == entry.claim_code_hash) {
            return Ok(Some((entry, code)));
        }
    }
    Ok(None)
}

/// The stored form of a code. A look-up by hash reveals nothing by its duration.
pub(crate) fn hash_code(code: &str) -> [u8; 32] {
    let hash = digest(&SHA256, code.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}
