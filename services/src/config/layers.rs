//! The layers in which a setting is searched, highest first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin};
use super::{Config, Flags};

#[derive(Default)]
pub struct Layers {
    pub flags: Flags,
    pub environment: BTreeMap<String, String>,
    pub file: BTreeMap<String, String>,
    pub file_path: PathBuf,
}

impl Layers {
    /// The flags, this process's environment, and the file that they name.
    pub fn here(flags: Flags) -> Result<Self, ConfigError> {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named =
            flags.config.clone().or_else(|| environment.get("LETHE_CONFIG").map(Into::into));
        let beside = PathBuf::from("lethe.toml");
        let file_path = match named {
            Some(path) => path,
            None if beside.exists() => beside,
            None => return Ok(Self { flags, environment, ..Self::default() }),
        };
        let file = read_file(&file_path)?;
        Ok(Self { flags, environment, file, file_path })
    }

    pub(super) fn find(&self, setting: &str, default: impl FnOnce() -> String) -> (String, Origin) {
        if let Some(value) = self.flags.value(setting) {
            return (value.clone(), Origin::Flag);
        }
        let variables = [format!("LETHE_{}", setting.to_uppercase()), setting.to_uppercase()];
        // DATABASE_URL is the only variable that is read without the prefix LETHE_.
        let known = if setting == "database_url" { 2 } else { 1 };
        for variable in variables.into_iter().take(known) {
            if let Some(value) = self.environment.get(&variable) {
                return (value.clone(), Origin::Environment(variable));
            }
        }
        if let Some(value) = self.file.get(setting) {
            return (value.clone(), Origin::File(self.file_path.clone()));
        }
        (default(), Origin::Default)
    }

    pub(super) fn refuse_unknown(&self, settings: &[&str]) -> Result<(), ConfigError> {
        match self.file.keys().find(|key| !settings.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(ConfigError {
                setting: key.clone(),
                reason: "there is no such setting: see `lethe help settings`".to_owned(),
                origin: Origin::File(self.file_path.clone()),
            }),
        }
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let refused = |setting: &str, error: ::config::ConfigError| ConfigError {
        setting: setting.to_owned(),
        reason: error.to_string().lines().collect::<Vec<_>>().join(" "),
        origin: Origin::File(path.to_path_buf()),
    };
    let source = ::config::File::from(path).format(::config::FileFormat::Toml);
    let values: BTreeMap<String, ::config::Value> = ::config::Config::builder()
        .add_source(source)
        .build()
        .and_then(::config::Config::try_deserialize)
        .map_err(|error| refused("config", error))?;
    values
        .into_iter()
        .map(|(key, value)| match value.into_string() {
            Ok(text) => Ok((key, text)),
            Err(error) => Err(refused(&key, error)),
        })
        .collect()
}

impl Config {
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        Self::of(&Layers::here(flags)?)
    }

    pub fn origin(&self, setting: &str) -> &Origin {
        self.origins.get(setting).unwrap_or(&Origin::Default)
    }
}
