//! Why a setting is refused, and where it came from.

use std::fmt;
use std::path::PathBuf;

/// Where a setting came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment(String),
    File(PathBuf),
    /// The file of what an image sets: whoever runs the image has not chosen it.
    Image(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => out.write_str("flag"),
            Self::Environment(variable) => write!(out, "environment, {variable}"),
            Self::File(path) => write!(out, "file {}", path.display()),
            Self::Image(path) => write!(out, "image, {}", path.display()),
            Self::Default => out.write_str("default"),
        }
    }
}

/// Why a setting is refused, on one line.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {reason} ({origin})")]
pub struct ConfigError {
    pub setting: String,
    pub reason: String,
    pub origin: Origin,
}
