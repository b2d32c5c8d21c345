//! The copy of the keyring: whether it has everything, and what its lack would mean.

use infra::keyring::Keyring;

use super::Findings;
use super::roots::device;
use crate::config::Config;

/// A large base takes minutes.
const MINUTES_MAX: f64 = 5.0;

pub async fn look(keyring: &Keyring, config: &Config, findings: &mut Findings) {
    let (Some(copy), Some(dir)) = (&keyring.copy, &config.copy_dir) else {
        let after = config.root_retention_hours;
        return findings.note(&match config.escrow_recipient {
            Some(_) => format!(
                "copy_dir is empty: a backup of the keyring's server that is restored opens nothing \
                 {after} hours after its root key was replaced, without the escrow's recipient"
            ),
            None => format!(
                "copy_dir is empty, and there is no escrow: a backup of the keyring's server that is \
                 restored opens nothing {after} hours after its root key was replaced"
            ),
        });
    };
    let seconds = keyring.status().await.ok().and_then(|status| status.copy_seconds);
    let minutes = seconds.map(|seconds| seconds / 60.0);
    let place = dir.display();
    match copy.is_complete().await {
        Ok(true) => findings.well(&format!("{place}: the copy of the keyring has every change")),
        Ok(false) if minutes.is_some_and(|minutes| minutes < MINUTES_MAX) => {
            findings.note(&format!("{place}: the copy of the keyring is being written"));
        }
        Ok(false) => {
            let when = minutes.map_or_else(
                || "when the copy of the keyring was complete is not known".to_owned(),
                |minutes| format!("the copy of the keyring was complete {minutes:.0} minutes ago"),
            );
            findings.wrong(&format!(
                "{place}: {when}: start `lethe serve`, or read in its log why it cannot be written"
            ));
        }
        Err(error) => findings.wrong(&error.to_string()),
    }
    if config.database_url.is_none()
        && let (Ok(data), Ok(copy)) = (device(&config.data_dir), device(dir))
        && data == copy
    {
        findings.note("the copy of the keyring is on the same disk as the data");
    }
}
