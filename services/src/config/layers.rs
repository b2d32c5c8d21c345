//! The layers in which a setting is searched, highest first.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use infra::accounts::User;
use strsim::damerau_levenshtein;

use super::error::{ConfigError, Origin};

const PREFIX: &str = "LETHE_";
/// In the working directory.
const BESIDE: &str = "lethe.toml";
/// Of the whole machine: what its service reads, and the commands of the service's user.
pub const SYSTEM_FILE: &str = "/etc/lethe/lethe.toml";
/// Names the file of what an image sets, which every other layer comes before.
const DEFAULTS: &str = "LETHE_DEFAULTS";
/// The only variable that is read without the prefix.
const DATABASE_URL: &str = "DATABASE_URL";
/// A name that differs by more is not meant.
const TYPING_ERRORS_MAX: usize = 3;

#[derive(Default)]
pub struct Layers {
    /// By the names of settings.
    pub flags: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    pub file: BTreeMap<String, String>,
    pub file_path: PathBuf,
    /// What an image sets.
    pub defaults: BTreeMap<String, String>,
    pub defaults_path: PathBuf,
}

impl Layers {
    /// The flags, this process's environment, and a file: the one that `--config` or the environment names,
    /// else the one of the working directory, else the one of the machine. And what an image sets.
    pub fn here(
        file: Option<PathBuf>,
        flags: BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let environment = environment(std::env::vars_os())?;
        let defaults_path: Option<PathBuf> = environment.get(DEFAULTS).map(Into::into);
        let defaults = match &defaults_path {
            Some(path) => read_file(path, true)?,
            None => BTreeMap::new(),
        };
        let defaults_path = defaults_path.unwrap_or_default();
        let below = Self { defaults, defaults_path, ..Self::default() };
        let named = file.or_else(|| environment.get("LETHE_CONFIG").map(Into::into));
        let is_named = named.is_some();
        let file_path = match named {
            Some(path) => Some(path),
            None => find(Path::new(BESIDE), Path::new(SYSTEM_FILE))?,
        };
        let Some(file_path) = file_path else {
            return Ok(Self { flags, environment, ..below });
        };
        let file = read_file(&file_path, is_named)?;
        Ok(Self { flags, environment, file, file_path, ..below })
    }

    /// The text of the highest layer that has the setting.
    pub(super) fn find(&self, setting: &str) -> Option<(&str, Origin)> {
        if let Some(value) = self.flags.get(setting) {
            return Some((value, Origin::Flag));
        }
        let mut variables = vec![variable(setting)];
        if setting == "database_url" {
            variables.push(DATABASE_URL.to_owned());
        }
        for variable in variables {
            if let Some(value) = self.environment.get(&variable) {
                return Some((value, Origin::Environment(variable)));
            }
        }
        self.files()
            .into_iter()
            .find_map(|(file, origin)| file.get(setting).map(|value| (value.as_str(), origin)))
    }

    /// The files, highest first.
    fn files(&self) -> [(&BTreeMap<String, String>, Origin); 2] {
        [
            (&self.file, Origin::File(self.file_path.clone())),
            (&self.defaults, Origin::Image(self.defaults_path.clone())),
        ]
    }

    /// Refuses names that no setting has, in the files and in the environment.
    pub(super) fn refuse_unknown(&self, settings: &[&str]) -> Result<(), ConfigError> {
        let keys: Vec<String> = settings.iter().map(ToString::to_string).collect();
        for (file, origin) in self.files() {
            if let Some(key) = file.keys().find(|key| !keys.contains(key)) {
                return Err(unknown(key, &keys, origin));
            }
        }
        let variables: Vec<String> = settings.iter().map(|setting| variable(setting)).collect();
        let mut ours = self.environment.keys().filter(|name| may_be_setting(name));
        match ours.find(|name| !variables.contains(name)) {
            Some(name) => Err(unknown(name, &variables, Origin::Environment(name.clone()))),
            None => Ok(()),
        }
    }
}

/// Whether a variable that no setting has is meant as one. Others begin with `LETHE_` as well: what a run
/// gives to its command, which may be `lethe`, and what Kubernetes makes for services.
fn may_be_setting(variable: &str) -> bool {
    let Some(name) = variable.strip_prefix(PREFIX) else { return false };
    let testing = cfg!(feature = "testing") && name.starts_with("FAILPOINT");
    !(testing || ["CONFIG", "DEFAULTS", "RUN", "FOLLOWS"].contains(&name) || is_of_a_service(name))
}

/// Whether Kubernetes makes a variable of this name, without `LETHE_`, for a service that is called
/// `lethe`, or whose name begins with `lethe-`.
fn is_of_a_service(name: &str) -> bool {
    let name = format!("_{name}");
    let ends = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| name.ends_with(end));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let names_port = name.match_indices("_PORT_").any(|(at, found)| {
        let mut rest = name.split_at(at + found.len()).1.splitn(3, '_');
        rest.next().is_some_and(is_number)
            && rest.next().is_some_and(|protocol| ["TCP", "UDP", "SCTP"].contains(&protocol))
            && rest.next().is_none_or(|part| ["PROTO", "PORT", "ADDR"].contains(&part))
    });
    ends || names_port || name.contains("_SERVICE_PORT_")
}

fn unknown(name: &str, known: &[String], origin: Origin) -> ConfigError {
    let near = known.iter().min_by_key(|known| damerau_levenshtein(known, name));
    let near = near.filter(|known| damerau_levenshtein(known, name) <= TYPING_ERRORS_MAX);
    let did_you_mean = near.map(|known| format!("use {known}, or ")).unwrap_or_default();
    ConfigError {
        setting: quoted_name(name),
        reason: format!("there is no such setting: {did_you_mean}see `lethe help settings`"),
        origin,
    }
}

/// A name of the file that is no name may be a URL at the wrong side of `=`.
fn quoted_name(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.chars().all(is_plain) { name.to_owned() } else { "a name in quotes".to_owned() }
}

fn variable(setting: &str) -> String {
    format!("{PREFIX}{}", setting.to_uppercase())
}

/// The variables that may hold a setting. A value that is not UTF-8 is refused, not left out.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, ConfigError> {
    let ours = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let ours = ours.filter(|(name, _)| name.starts_with(PREFIX) || name == DATABASE_URL);
    ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(ConfigError {
            setting: name.clone(),
            reason: "the value is not UTF-8".to_owned(),
            origin: Origin::Environment(name),
        }),
    })
    .collect()
}

/// The file to read where none is named.
pub(super) fn find(beside: &Path, of_machine: &Path) -> Result<Option<PathBuf>, ConfigError> {
    // A folder that this user may not enter, such as the home of who calls sudo, has no settings for it.
    if beside.try_exists().unwrap_or_default() {
        return Ok(Some(beside.to_owned()));
    }
    match of_machine.try_exists() {
        Ok(is_there) => Ok(is_there.then(|| of_machine.to_owned())),
        Err(error) => Err(unreadable(of_machine, not_opened(&error))),
    }
}

fn unreadable(path: &Path, reason: String) -> ConfigError {
    ConfigError { setting: "config".to_owned(), reason, origin: Origin::File(path.to_path_buf()) }
}

fn not_opened(error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::NotFound {
        "there is no such file: correct --config, LETHE_CONFIG or LETHE_DEFAULTS".to_owned()
    } else if error.kind() == ErrorKind::PermissionDenied {
        "this user may not read it: run this as the user of Lethe (`sudo -u lethe lethe …`), or name \
         another file with --config"
            .to_owned()
    } else {
        error.to_string()
    }
}

/// Whoever writes the settings decides what this user runs. `is_named`: its owner was chosen, too.
pub(super) fn read_text(path: &Path, is_named: bool) -> Result<String, ConfigError> {
    if path.is_dir() {
        let reason = "this is a folder: use the path of a TOML file";
        return Err(unreadable(path, reason.to_owned()));
    }
    let failed = |error: std::io::Error| unreadable(path, not_opened(&error));
    let mut file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    let is_shared = |me: User| if is_named { me.shares_writing(&found) } else { me.shares(&found) };
    if User::of_this_process().is_none_or(is_shared) {
        let reason = if is_named {
            "others may write to it: use chmod go-w on it"
        } else {
            "it is of another user, or others may write to it: correct that (chown, chmod go-w), work in \
             another folder, or name a file with --config"
        };
        return Err(unreadable(path, reason.to_owned()));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

fn read_file(path: &Path, is_named: bool) -> Result<BTreeMap<String, String>, ConfigError> {
    let refused = |setting: &str, error: ::config::ConfigError| ConfigError {
        setting: setting.to_owned(),
        reason: reason(&error),
        origin: Origin::File(path.to_path_buf()),
    };
    let text = read_text(path, is_named)?;
    let source = ::config::File::from_str(&text, ::config::FileFormat::Toml);
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

/// Of a syntax error, where it is and what it is: the first and the last line of the library's text. What
/// stands between them repeats the line of the file, which may hold a password.
fn reason(error: &::config::ConfigError) -> String {
    let ::config::ConfigError::FileParse { cause, .. } = error else { return error.to_string() };
    let text = cause.to_string();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let at = lines.next().unwrap_or_default();
    let at = at.strip_prefix("TOML parse error at ").unwrap_or(at);
    lines.next_back().map_or_else(|| at.to_owned(), |what| format!("{at}: {what}"))
}
