//! What Lethe says of itself while it runs, on standard error.
//!
//! The rules of every line, in every package:
//! - No personal value and no secret: ids, counts, codes, durations, names of routes by pattern.
//!   A database error is told by `infra::postgres::told`, which leaves out DETAIL and values.
//! - `error` needs somebody, `warn` may, `info` is a change of what runs, `debug` is each request.
//! - A message is a constant; what varies stands in fields.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::Subscriber;

use crate::config::{Config, ConfigError, LogFormat};

/// Quiet, unless asked for: they speak of what our own lines tell already. russh repeats what
/// servers say.
const QUIET: &str = "actix_server=warn,actix_http=warn,mio=warn,refinery_core=warn,\
    deadpool.postgres=error,russh=off";

/// `otherwise` is what is said when no setting asks for more or less.
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
