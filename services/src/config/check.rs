//! Checks the values of settings, and settings that depend on each other.

use std::path::{Path, PathBuf};

use domain::privacy::deadlines::PLANNED_DAYS_MAX;
use domain::seat::LIMIT_MAX;
use infra::keyring::check_escrow_recipient;
use infra::mail::Mailbox;

use super::{Config, ConfigError, Origin};

/// A member whose client is gone blocks a seat for at most this long.
const LEASE_SECONDS_MAX: u32 = 3_600;
/// Ten years.
const UNVERIFIED_DAYS_MAX: u32 = 3_650;

/// A year: what is kept is written twice.
pub const REPLAY_KEEP_HOURS_MAX: u32 = 8_760;

/// A PiB: what is counted stays a number of the database.
const RUN_LOG_BYTES_PER_DAY_MAX: u64 = 1 << 50;

/// Without symbolic links, as far as it can be looked at.
fn real(path: &Path) -> PathBuf {
    infra::paths::real(path).unwrap_or_else(|_| path.to_owned())
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.check_erasure()?;
        self.check_copies()?;
        self.check_places()?;
        self.check_vault()?;
        self.check_transport()?;
        self.check_public_url()?;
        self.check_mail()?;
        self.check_counts()
    }

    fn check_erasure(&self) -> Result<(), ConfigError> {
        let (grace, escrow) = (i64::from(self.erasure_grace_days), i64::from(self.escrow_days));
        if grace > self.grace_days_max() {
            let rotation = self.rotation_days();
            let reason = format!(
                "{grace} days of grace, {escrow} of escrow and {rotation} until an old root key is gone \
                 (root_rotation_hours and root_retention_hours) are {} days: use at most \
                 {PLANNED_DAYS_MAX} in all",
                grace + escrow + rotation
            );
            return Err(self.refused("erasure_grace_days", reason));
        }
        if self.erasure_grace_days_min > self.erasure_grace_days {
            return Err(self
                .refused("erasure_grace_days_min", "must not be greater than erasure_grace_days"));
        }
        if self.unverified_accounts_days > UNVERIFIED_DAYS_MAX {
            let most = format!("must be at most {UNVERIFIED_DAYS_MAX}");
            return Err(self.refused("unverified_accounts_days", most));
        }
        if let Some(recipient) = &self.escrow_recipient {
            let checked = check_escrow_recipient(recipient);
            checked.map_err(|error| self.refused("escrow_recipient", error.to_string()))?;
        }
        if !(1..=24).contains(&self.root_rotation_hours) {
            return Err(self.refused("root_rotation_hours", "must be 1 to 24"));
        }
        Ok(())
    }

    /// Who wants neither a copy nor an escrow says for how long a backup of the keyring's server has to open.
    fn check_copies(&self) -> Result<(), ConfigError> {
        let is_kept = self.copy_dir.is_some() || self.escrow_recipient.is_some();
        if is_kept || *self.origin("root_retention_hours") != Origin::Default {
            return Ok(());
        }
        let reason = format!(
            "is empty, and escrow_recipient too: a backup of the keyring's server would open for {} hours only. \
             Set one of the two, or root_retention_hours to the hours for which such a backup has to open",
            self.root_retention_hours
        );
        Err(self.refused("copy_dir", reason))
    }

    fn check_places(&self) -> Result<(), ConfigError> {
        self.check_apart()?;
        let folders = [
            ("data_dir", &self.data_dir),
            ("copy_dir", self.copy_dir.as_ref().unwrap_or(&self.data_dir)),
            ("root_dir", &self.root_dir),
            ("mail_dir", &self.mail_dir),
            ("escrow_dir", &self.escrow_dir),
        ];
        for (setting, path) in folders {
            if path.exists() && !path.is_dir() {
                let reason = format!("{} is a file: use the path of a folder", path.display());
                return Err(self.refused(setting, reason));
            }
        }
        Ok(())
    }

    /// One of them inside another would be in its backups, or take its files for its own.
    fn check_apart(&self) -> Result<(), ConfigError> {
        let roots = self.root_vault.is_none().then_some(("root_dir", &self.root_dir));
        let copy = self.copy_dir.as_ref().map(|copy| ("copy_dir", copy));
        let keys = [roots, Some(("escrow_dir", &self.escrow_dir)), copy];
        let keys: Vec<_> = keys.into_iter().flatten().collect();
        let (data, mail) = (("data_dir", &self.data_dir), ("mail_dir", &self.mail_dir));
        for (setting, path) in &keys {
            if real(path).starts_with(real(&self.data_dir)) {
                let reason =
                    "must not be inside data_dir: a backup of the data would hold its keys";
                return Err(self.refused(setting, reason));
            }
        }
        for (outer, folder) in &keys {
            for (setting, path) in keys.iter().chain([&data, &mail]) {
                if setting != outer && real(path).starts_with(real(folder)) {
                    let reason =
                        format!("must not be {outer}, or inside it: use a folder of its own");
                    return Err(self.refused(setting, reason));
                }
            }
        }
        Ok(())
    }

    fn check_vault(&self) -> Result<(), ConfigError> {
        let (token, file) = (self.root_vault_token.is_some(), self.root_vault_token_file.is_some());
        if self.root_vault.is_none() {
            let idle = [
                ("root_vault_token", token),
                ("root_vault_token_file", file),
                ("root_vault_ca", self.root_vault_ca.is_some()),
            ];
            return match idle.into_iter().find(|(_, is_set)| *is_set) {
                Some((setting, _)) => Err(self.refused(setting, "is of no use without root_vault")),
                None => Ok(()),
            };
        }
        // An image names a folder for those who have no Vault.
        if !matches!(self.origin("root_dir"), Origin::Default | Origin::Image(_)) {
            let reason = "the root keys are either in Vault or in root_dir: remove one of the two";
            return Err(self.refused("root_vault", reason));
        }
        match (token, file) {
            (false, false) => {
                Err(self.refused("root_vault", "needs root_vault_token_file, or root_vault_token"))
            }
            (true, true) => {
                Err(self.refused("root_vault_token", "root_vault_token_file is set, too"))
            }
            (true, false) | (false, true) => Ok(()),
        }
    }

    fn check_transport(&self) -> Result<(), ConfigError> {
        let databases = [
            ("database_url", &self.database_url),
            ("keyring_url", &self.keyring_url),
            ("direct_url", &self.direct_url),
        ];
        if self.database_url.is_some() && self.keyring_url.is_none() {
            return Err(self.refused("keyring_url", "must not be empty beside database_url"));
        }
        for (setting, url) in databases {
            if url.is_some() && self.database_url.is_none() {
                return Err(self.refused(setting, "can only be set together with database_url"));
            }
        }
        if self.listen == self.metrics_listen && self.listen.port() != 0 {
            return Err(self.refused("metrics_listen", "must not be the same as listen"));
        }
        Ok(())
    }

    /// No link leads to every address, and no page has it as its origin.
    fn check_public_url(&self) -> Result<(), ConfigError> {
        if self.public_url.is_some() || !self.listen.ip().to_canonical().is_unspecified() {
            return Ok(());
        }
        let reason = format!(
            "is needed, since the API listens at every address ({}): set it to the URL that people open, such as \
             https://lethe.example, or http://localhost:{} on this machine alone",
            self.listen,
            self.listen.port()
        );
        Err(self.refused("public_url", reason))
    }

    fn check_mail(&self) -> Result<(), ConfigError> {
        let sender = Mailbox::parse(&self.mail_from);
        sender.map(drop).map_err(|error| self.refused("mail_from", error.to_string()))
    }

    fn check_counts(&self) -> Result<(), ConfigError> {
        if self.seat_limit_default > LIMIT_MAX {
            return Err(self.refused("seat_limit_default", format!("must be at most {LIMIT_MAX}")));
        }
        if !(1..=LEASE_SECONDS_MAX).contains(&self.seat_lease_seconds) {
            let range = format!("must be 1 to {LEASE_SECONDS_MAX}");
            return Err(self.refused("seat_lease_seconds", range));
        }
        let counts = [
            ("pool_size", u32::from(self.pool_size), 2),
            ("session_idle_minutes", self.session_idle_minutes, 1),
            ("session_absolute_days", self.session_absolute_days, 1),
            ("address_requests_per_second", self.address_requests_per_second, 1),
            ("account_requests_per_second", self.account_requests_per_second, 1),
            ("operator_requests_per_second", self.operator_requests_per_second, 1),
            ("sign_ins_per_minute", self.sign_ins_per_minute, 1),
            ("registrations_per_hour", self.registrations_per_hour, 1),
            ("mails_per_hour", self.mails_per_hour, 1),
            ("checks_per_minute", self.checks_per_minute, 1),
            ("ssh_connect_seconds", self.ssh_connect_seconds, 1),
            ("watch_fresh_seconds", self.watch_fresh_seconds, 1),
            ("sample_days", self.sample_days, 1),
            ("workers", self.workers.map_or(1, u32::from), 1),
            ("runs_per_server", self.runs_per_server, 1),
            ("runs_per_workspace", self.runs_per_workspace, 1),
            ("runs_per_account", self.runs_per_account, 1),
            ("runs_per_node", self.runs_per_node, 1),
            ("runs_queued_per_workspace", self.runs_queued_per_workspace, 1),
            ("run_lost_seconds", self.run_lost_seconds, 1),
            ("run_log_bytes_max", self.run_log_bytes_max, 1024),
        ];
        for (setting, count, least) in counts {
            if count < least {
                return Err(self.refused(setting, format!("must be at least {least}")));
            }
        }
        if self.replay_keep_hours > REPLAY_KEEP_HOURS_MAX {
            let most = format!("must be at most {REPLAY_KEEP_HOURS_MAX}");
            return Err(self.refused("replay_keep_hours", most));
        }
        if self.run_log_bytes_per_day < u64::from(self.run_log_bytes_max) {
            let reason = format!("must be at least run_log_bytes_max ({})", self.run_log_bytes_max);
            return Err(self.refused("run_log_bytes_per_day", reason));
        }
        if self.run_log_bytes_per_day > RUN_LOG_BYTES_PER_DAY_MAX {
            let reason = format!("must be at most {RUN_LOG_BYTES_PER_DAY_MAX}");
            return Err(self.refused("run_log_bytes_per_day", reason));
        }
        Ok(())
    }

    fn refused(&self, setting: &str, reason: impl Into<String>) -> ConfigError {
        let origin = self.origin(setting).clone();
        ConfigError { setting: setting.to_owned(), reason: reason.into(), origin }
    }
}
