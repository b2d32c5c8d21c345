//! The root keys: where they are, who may read them, and whether everything opens under them.

use std::fs::{self, Metadata};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;
use domain::privacy::deadlines::{ERASURE_DAYS_MAX, PLANNED_DAYS_MAX};
use infra::clock::Clock;
use infra::keyring::{Keyring, OpenErasures, RootHold};

use super::Findings;
use crate::cli::CliError;
use crate::cli::terminal::count;
use crate::config::Config;
use crate::wiring;

/// A node deletes what is over each minute.
const ESCROW_LATE: TimeDelta = TimeDelta::hours(1);

pub async fn look(config: &Config, findings: &mut Findings) {
    if config.root_vault.is_some() { ask(config, findings).await } else { folder(config, findings) }
}

/// Whether Vault answers with the token that is set. That each root is read, the keyring finds out.
async fn ask(config: &Config, findings: &mut Findings) {
    let listed = match wiring::root_store(config) {
        Ok(store) => store.list().await.map(|roots| (store.place(), roots)),
        Err(error) => return findings.wrong(&error.to_string()),
    };
    match listed {
        Ok((place, roots)) => {
            let roots = count(roots.len(), "root key", "root keys");
            findings.well(&format!("{place}: it answers, and lists {roots}"));
        }
        Err(error) => findings.wrong(&error.to_string()),
    }
}

fn folder(config: &Config, findings: &mut Findings) {
    let roots = &config.root_dir;
    if let Some(warning) = config.place_warning() {
        findings.note(&warning);
    }
    match exposed(roots) {
        Err((path, error)) if path == *roots && error.kind() == ErrorKind::NotFound => {
            findings
                .note(&format!("{} is not there yet: the first start makes it", roots.display()));
            return;
        }
        Err((path, error)) => {
            findings.wrong(&format!(
                "who may read the root keys is not known: {}: {error} (run this as the user that \
                 runs Lethe)",
                path.display()
            ));
            return;
        }
        Ok(None) => {
            findings.well(&format!("{}: only its owner reads the root keys", roots.display()));
        }
        Ok(Some(path)) => findings.wrong(&format!(
            "{}: others than its owner may read or replace a root key: use chmod go= on it",
            path.display()
        )),
    }
    if config.database_url.is_none() {
        match (device(&config.data_dir), device(roots)) {
            (Ok(data), Ok(roots)) if data != roots => {}
            (Ok(_), Ok(_)) => findings.note(
                "the root keys are on the same disk as the data: keep them out of its backups",
            ),
            (Err(error), _) | (_, Err(error)) => findings.note(&format!(
                "whether the root keys are on the same disk as the data is not known: {error}"
            )),
        }
    }
}

/// The first file that others than its owner may read, or the folder if they may write to it. The
/// error says what could not be looked at.
fn exposed(roots: &Path) -> Result<Option<PathBuf>, (PathBuf, Error)> {
    let at = |path: &Path| {
        let path = path.to_path_buf();
        move |error| (path, error)
    };
    let mode = |found: Metadata| found.permissions().mode();
    let folder = fs::metadata(roots).map_err(at(roots))?;
    let entries = fs::read_dir(roots).map_err(at(roots))?;
    if mode(folder) & 0o022 != 0 {
        return Ok(Some(roots.to_path_buf()));
    }
    for entry in entries {
        let path = entry.map_err(at(roots))?.path();
        if mode(fs::metadata(&path).map_err(at(&path))?) & 0o077 != 0 {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

pub(super) fn device(path: &Path) -> Result<u64, String> {
    let found = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()));
    Ok(found?.dev())
}

/// That the keyring started shows that the root of every key is there.
pub async fn wrap(
    keyring: &Keyring,
    config: &Config,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let now = Clock::system().now();
    let status = keyring.status().await?;
    findings.well(&format!("the root keys of {} are there", count(status.live, "key", "keys")));
    let age = now - status.root_since;
    let every = TimeDelta::hours(config.root_rotation_hours.into());
    let hours = count(age.num_hours(), "hour", "hours");
    findings.judge(
        age < every * 2,
        &format!("root {} is {hours} old", status.root),
        &format!("root {} is {hours} old: it is not rotated, so start `lethe serve`", status.root),
    );
    old(keyring, config, findings).await?;
    let open = keyring.ledger.open().await?;
    let oldest = open.oldest.map_or(0, |oldest| (now - oldest).num_days());
    let days = count(oldest, "day", "days");
    let all_is_well = if open.count == 0 {
        "no erasure is open".to_owned()
    } else {
        format!("{} open, the oldest for {days}", erasures(open.count))
    };
    findings.judge(
        oldest < PLANNED_DAYS_MAX,
        &all_is_well,
        &format!("an erasure has been open for {days}: the GDPR allows {ERASURE_DAYS_MAX}"),
    );
    Ok(())
}

/// `1 erasure is`, `2 erasures are`, and where there may be more than were counted, `at least` so many.
fn erasures(open: i64) -> String {
    let at_least = if open < OpenErasures::COUNTED_MAX { "" } else { "at least " };
    format!("{at_least}{}", count(open, "erasure is", "erasures are"))
}

/// What keeps old roots, and files that are no root of this keyring.
async fn old(keyring: &Keyring, config: &Config, findings: &mut Findings) -> Result<(), CliError> {
    for held in keyring.root_rotation.held().await? {
        for hold in &held.holds {
            let text = format!("root {} is not erased yet: {hold}", held.id);
            match hold {
                RootHold::Retained { .. } | RootHold::NotCopied | RootHold::Behind { .. } => {
                    findings.note(&text);
                }
                RootHold::Unseen { .. }
                | RootHold::Due { .. }
                | RootHold::NotFound
                | RootHold::OtherKey
                | RootHold::Unreadable(_) => findings.wrong(&text),
            }
        }
    }
    if config.escrow_recipient.is_none() {
        for escrowed in keyring.root_rotation.escrowed().await? {
            let id = escrowed.id;
            findings.wrong(&format!(
                "an escrow that is switched off holds root {id}, and no certificate counts it as gone: set \
                 escrow_recipient again until its time is over, or destroy each copy of root-{id}.age and \
                 run `lethe keys escrow-destroyed {id}`"
            ));
        }
    }
    if config.escrow_recipient.is_some() {
        escrow(keyring, findings).await?;
    }
    let in_doubt = keyring.root_rotation.oldest_in_doubt().await?;
    for root in keyring.root_rotation.unknown().await? {
        let name = match &config.root_vault {
            None => format!("root-{root}.key in {}", config.root_dir.display()),
            Some(vault) => format!("{}{root} in Vault at {vault}", config.root_vault_prefix),
        };
        let text = format!(
            "{name} is no root of this keyring: it is another keyring's, or its server failed before \
             the standby knew of it. Nothing erases it: delete it if no other keyring uses the place"
        );
        if in_doubt == Some(root) {
            findings.wrong(&format!("{text}. Erasures are not proven until it is gone"));
        } else {
            findings.note(&text);
        }
    }
    if config.root_retention_hours == 0 {
        findings.note(
            "root_retention_hours is 0: a standby that is not connected and has no slot, and a base \
             backup, lose everybody at the next rotation",
        );
    }
    Ok(())
}

/// Whether the escrow takes old root keys, and gives them up when their time is over.
async fn escrow(keyring: &Keyring, findings: &mut Findings) -> Result<(), CliError> {
    match keyring.root_rotation.check_escrow().await {
        Ok(()) => findings.well("the escrow can be written to"),
        Err(error) => findings.wrong(&format!("no old root key is erased: {error}")),
    }
    let late = Clock::system().now() - ESCROW_LATE;
    for escrowed in keyring.root_rotation.escrowed().await? {
        if escrowed.until < late {
            let id = escrowed.id;
            findings.wrong(&format!(
                "the escrow of root {id} is over and not deleted, so that no certificate counts it as gone: the \
                 folder lacks root-{id}.age, or cannot be used. Put the file back; or, if each copy of it is \
                 destroyed, run `lethe keys escrow-destroyed {id}`"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erasures_that_are_not_all_counted_are_at_least_so_many() {
        assert_eq!(erasures(1), "1 erasure is");
        assert_eq!(erasures(OpenErasures::COUNTED_MAX - 1), "999 erasures are");
        assert_eq!(erasures(OpenErasures::COUNTED_MAX), "at least 1000 erasures are");
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_safe() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("roots");
        fs::write(&file, "").unwrap();

        let (path, error) = exposed(&file).unwrap_err();
        assert_eq!((path, error.kind()), (file, ErrorKind::NotADirectory));

        let dangling = folder.path().join("dangling");
        fs::create_dir(&dangling).unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", dangling.join("root-1.key")).unwrap();
        assert_eq!(exposed(&dangling).unwrap_err().0, dangling.join("root-1.key"));
    }

    #[test]
    fn a_root_key_that_others_may_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("root-1.key");
        fs::write(&key, "").unwrap();

        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(exposed(folder.path()).unwrap(), None);

        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(exposed(folder.path()).unwrap(), Some(key));
    }
}
