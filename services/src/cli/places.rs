//! Prints where data, keys, mails, metrics and API are, once they can be used.

use std::net::SocketAddr;
use std::path::Path;

use infra::descriptors::DescriptorLimits;

use super::terminal::{count, say};
use crate::config::{Config, Value};

/// `limits` are in force. `cluster` is the folder of the private PostgreSQL, if Lethe has started one.
pub(super) fn say_where(
    config: &Config,
    limits: DescriptorLimits,
    cluster: Option<&Path>,
    metrics: SocketAddr,
    api: Option<SocketAddr>,
) {
    for (name, text) in lines(config, limits, cluster, metrics, api) {
        say(format_args!("{name:<9}{text}"));
    }
}

pub(super) fn lines(
    config: &Config,
    limits: DescriptorLimits,
    cluster: Option<&Path>,
    metrics: SocketAddr,
    api: Option<SocketAddr>,
) -> Vec<(&'static str, String)> {
    let data = match cluster {
        Some(dir) => format!("{} (a private PostgreSQL)", dir.display()),
        None => config.database_url.redacted(),
    };
    let mail = match &config.smtp_url {
        Some(url) => url.to_string(),
        None => format!("{} (no mail server is set)", config.mail_dir.display()),
    };
    let mut lines = vec![
        ("data", data),
        ("roots", roots(config)),
        ("copy", copy(config)),
        ("escrow", escrow(config)),
        ("mail", mail),
        ("egress", egress(config)),
        ("files", format!("at most {} open, connections among them", limits.soft)),
    ];
    let warnings = config.network_warnings().into_iter();
    let warnings = warnings.chain(config.copy_warning()).chain(config.place_warning());
    let warnings = warnings.chain(config.descriptors_warning(limits.soft, 0));
    lines.extend(warnings.map(|warning| ("warning", warning)));
    lines.push(("metrics", format!("http://{metrics}/metrics")));
    if let Some(api) = api {
        lines.push(("page", format!("http://{api}/docs/")));
        // The last line: whoever waits for it knows that everything is ready.
        lines.push(("api", format!("http://{api}")));
    }
    lines
}

fn roots(config: &Config) -> String {
    match &config.root_vault {
        None => format!("{} (keep it out of the data's backups)", config.root_dir.display()),
        Some(vault) => format!(
            "Vault at {vault}, {}/keys/{}*",
            config.root_vault_mount, config.root_vault_prefix
        ),
    }
}

fn copy(config: &Config) -> String {
    let none = || "none: a backup that takes the keyring back may open nothing".to_owned();
    config.copy_dir.as_ref().map_or_else(none, |dir| format!("{} (of the keyring)", dir.display()))
}

fn escrow(config: &Config) -> String {
    match &config.escrow_recipient {
        None => format!(
            "none: a replaced root key is erased after {}",
            count(config.root_retention_hours, "hour", "hours")
        ),
        Some(_) => format!("{}, {} days", config.escrow_dir.display(), config.escrow_days),
    }
}

fn egress(config: &Config) -> String {
    let mail = config.smtp_url.as_ref().map_or("", |_| "the mail server, and ");
    format!("{mail}servers at {}", config.egress_allow)
}
