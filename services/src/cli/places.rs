//! Where everything is, said once it can be used.

use super::serve::Running;
use super::terminal::say;
use crate::config::{Config, Value};

pub(super) fn say_where(config: &Config, running: &Running) {
    let line = |name: &str, text: String| say(format_args!("{name:<9}{text}"));
    match (&running.databases.cluster, &config.database_url) {
        (Some(cluster), _) => {
            line("data", format!("{} (a private PostgreSQL)", cluster.dir().display()));
        }
        (None, url) => line("data", url.redacted()),
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
            "clear",
            "other machines reach the API without TLS: put a proxy with TLS before it".to_owned(),
        );
    }
    line("metrics", format!("http://{}/metrics", running.metrics.at));
    if let Some(api) = &running.api {
        line("page", format!("http://{}/docs/", api.at));
        // The last: whoever waits for it knows that all is ready.
        line("api", format!("http://{}", api.at));
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
