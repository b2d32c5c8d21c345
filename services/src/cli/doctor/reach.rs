//! What an erasure reaches, and what it does not: said as it is.

use domain::privacy::deadlines::PLANNED_DAYS_MAX;

use super::Findings;
use crate::config::Config;

pub fn say(config: &Config, findings: &Findings) {
    findings.note(
        "an erased person is unreadable within a second in every table, index, snapshot, replica and \
         dump that is opened with the keyring of today",
    );
    let escrow = match &config.escrow_recipient {
        Some(_) => format!("and {} days of escrow are over", config.escrow_days),
        None => "and none is escrowed".to_owned(),
    };
    findings.note(&format!(
        "an old copy of events and keys opens nothing of that person once the root key that wrapped \
         them is replaced (every {} hours), kept for {} hours more and until every standby has the \
         keys under the new one, {escrow}",
        config.root_rotation_hours, config.root_retention_hours
    ));
    if let Some(copy) = &config.copy_dir {
        findings.note(&format!(
            "that holds for the copy of the keyring in {}, too: no root key is erased before the copy \
             has the keys under the new one, and the older files open nothing without it",
            copy.display()
        ));
    }
    match &config.root_vault {
        None => findings
            .note("NOT reached: a copy of the whole disk from before, root file included, still opens"),
        Some(_) => findings.note(&format!(
            "NOT reached: snapshots and backups of Vault from before have its deleted keys: keep none \
             for longer than {} days",
            PLANNED_DAYS_MAX - i64::from(config.erasure_grace_days) - config.rotation_days()
        )),
    }
    findings.note(
        "NOT reached: mails that were delivered, exports that were handed out, what processors hold",
    );
}
