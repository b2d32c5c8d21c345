//! Erases expired keys, and rotates the root key.

use chrono::TimeDelta;
use infra::keyring::KeyringError;

use crate::wiring::App;

/// Erases the keys of expired periods. A rotation may wait for a disk or a server; this does not.
pub(super) async fn erase_expired_keys(app: App) -> Result<(), KeyringError> {
    let retained = app.keyring.eraser.erase_expired().await?;
    if retained != infra::keyring::ExpiredKeys::default() {
        tracing::info!(?retained, "keys of expired periods were erased");
    }
    Ok(())
}

/// Rotates the root key when it is old enough.
pub(super) async fn rotate_keys(app: App) -> Result<(), KeyringError> {
    let every = TimeDelta::hours(i64::from(app.config.root_rotation_hours));
    if let Some(rotation) = app.keyring.root_rotation.rotate_when_due(every).await? {
        let infra::keyring::RotatedRoot { current, shards, keys, erased } = rotation;
        tracing::info!(root = %current, shards, keys, erased, "the rotation of the root key has moved on");
    }
    Ok(())
}

/// Brings the keyring's copy up to date.
pub(super) async fn copy_keyring(app: App) -> Result<(), KeyringError> {
    let Some(copy) = &app.keyring.copy else { return Ok(()) };
    copy.keep_up().await;
    Ok(())
}
