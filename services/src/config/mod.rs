//! The settings: flags override the environment, which overrides a TOML file, which overrides defaults.

mod check;
mod cors_origins;
#[macro_use]
mod declare;
mod descriptors;
mod error;
mod layers;
mod place;
mod public_url;
#[cfg(test)]
mod secrets;
mod settings;
#[cfg(test)]
mod tests;
mod value;
mod warnings;

pub use check::REPLAY_KEEP_HOURS_MAX;
pub use cors_origins::CorsOrigins;
pub use error::{ConfigError, Origin};
pub use layers::{Layers, SYSTEM_FILE};
pub use public_url::PublicUrl;
pub use settings::{Config, Flags};
pub use value::{LogFormat, Value, quoted};
