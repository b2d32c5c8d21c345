//! The root keys: where they are, who may read them, and whether everything opens under them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use chrono::TimeDelta;
use domain::privacy::deadlines::{ERASURE_DAYS_MAX, PLANNED_DAYS_MAX};
use infra::clock::Clock;
use infra::keyring::Keyring;

use super::Findings;
use crate::cli::CliError;
use crate::config::Config;

pub fn look(config: &Config, findings: &mut Findings) {
    let roots = &config.root_dir;
    let Ok(folder) = fs::metadata(roots) else {
        findings.know(&format!("{} is not there yet: the first start makes it", roots.display()));
        return;
    };
    let files: Vec<_> = fs::read_dir(roots).into_iter().flatten().flatten().collect();
    let mode = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.permissions().mode() & 0o777);
    let exposed = files.iter().any(|file| mode(&file.path()) & 0o077 != 0);
    findings.judge(
        !exposed && folder.permissions().mode() & 0o022 == 0,
        &format!("{}: only its owner reads the root keys", roots.display()),
        &format!("{}: others than its owner may read the root keys", roots.display()),
    );
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    if config.database_url.is_none() && device(&config.data_dir) == device(roots) {
        findings
            .know("the root keys are on the same disk as the data: keep them out of its backups");
    }
}

/// That the keyring started shows that every key's root is there.
pub async fn wrap(
    keyring: &Keyring,
    config: &Config,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let now = Clock::system().now();
    let status = keyring.status().await?;
    findings.well(&format!("all {} live keys open under their roots", status.live));
    let age = now - status.root_since;
    let every = TimeDelta::hours(config.root_rotation_hours.into());
    findings.judge(
        age < every * 2,
        &format!("root {} is {} hours old", status.root, age.num_hours()),
        &format!(
            "root {} is {} hours old: it is not rotated, so start `lethe serve`",
            status.root,
            age.num_hours()
        ),
    );
    let open = keyring.ledger.open().await?;
    let oldest = open.oldest.map_or(0, |oldest| (now - oldest).num_days());
    findings.judge(
        oldest < PLANNED_DAYS_MAX,
        &format!("{} erasures are open, the oldest for {oldest} days", open.count),
        &format!("an erasure has been open for {oldest} days: the GDPR allows {ERASURE_DAYS_MAX}"),
    );
    Ok(())
}
