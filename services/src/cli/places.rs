//! Prints where data, keys, mails, metrics and API are, once they can be used.

use std::net::SocketAddr;
use std::path::Path;

use super::terminal::say;
use crate::config::{Config, Value};

/// `cluster` is the folder of the private PostgreSQL, if Lethe has started one.
pub(super) fn say_where(
    config: &Config,
    cluster: Option<&Path>,
    metrics: SocketAddr,
    api: Option<SocketAddr>,
) {
    let line = |name: &str, text: String| say(format_args!("{name:<9}{text}"));
    match cluster {
        Some(dir) => line("data", format!("{} (a private PostgreSQL)", dir.display())),
        None => line("data", config.database_url.redacted()),
    }
    line("roots", format!("{} (keep it out of the data's backups)", config.root_dir.display()));
    line("escrow", escrow(config));
    match &config.smtp_url {
        Some(url) => line("mail", url.redacted()),
        None => line("mail", format!("{} (no mail server is set)", config.mail_dir.display())),
    }
    line("egress", egress(config));
    if !config.is_private() {
        line(
            "warning",
            "other machines reach the API without TLS: put a proxy with TLS before it".to_owned(),
        );
    }
    line("metrics", format!("http://{metrics}/metrics"));
    if let Some(api) = api {
        line("page", format!("http://{api}/docs/"));
        // The last line: whoever waits for it knows that everything is ready.
        line("api", format!("http://{api}"));
    }
}

fn escrow(config: &Config) -> String {
    match &config.escrow_recipient {
        None => "none: a replaced root key is erased at once".to_owned(),
        Some(_) => format!("{}, {} days", config.escrow_dir.display(), config.escrow_days),
    }
}

fn egress(config: &Config) -> String {
    let mail = config.smtp_url.as_ref().map_or("", |_| "the mail server, and ");
    format!("{mail}servers at {}", config.egress_allow)
}
