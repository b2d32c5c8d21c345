//! The log of a running Lethe, on standard error.
//!
//! The rules of every line, in every package:
//! - No personal value and no secret: ids, counts, codes, durations, names of routes by pattern.
//!   A database error is described by `infra::postgres::describe`, which leaves out DETAIL and values.
//! - `error` needs an operator, `warn` may need one, `info` is a change of state, `debug` is each
//!   request.
//! - A message is a constant; values that vary are fields.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

use crate::config::{Config, ConfigError, LogFormat};

/// Silent unless the filter names them: they repeat what our own lines say, russh logs text from servers, and
/// hickory the names of hosts.
const QUIET: &str = "actix_server=warn,actix_http=warn,mio=warn,refinery_core=warn,russh=off,\
                     hickory_resolver=off,hickory_net=off,hickory_proto=off";

/// `otherwise` is the filter if the setting is empty.
pub fn start(config: &Config, otherwise: &str) -> Result<(), ConfigError> {
    let says = config.log.as_deref().unwrap_or(otherwise);
    let filter = EnvFilter::try_new(format!("{QUIET},{says}")).map_err(|error| {
        let origin = config.origin("log").clone();
        ConfigError { setting: "log".to_owned(), reason: error.to_string(), origin }
    })?;
    let lines = Subscriber::builder()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start, as in tests, keeps the first subscriber.
    let _ = match config.log_format {
        LogFormat::Text => tracing::subscriber::set_global_default(lines.finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(lines.json().finish()),
    };
    Ok(())
}
