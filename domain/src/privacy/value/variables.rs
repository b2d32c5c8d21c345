//! What a run is given as environment variables, secret or not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Invalid, SecretText};

/// Secrets that a run is given as environment variables: at most 50.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunEnvironment(BTreeMap<String, String>);

/// Variables of a run that are no secrets, and are shown: at most 50, of 32 KiB in all.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClearVariables(BTreeMap<String, String>);

/// The names of variables, without their values.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VariableNames(BTreeSet<String>);

/// Why a run is not given such variables.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct UnfitVariable {
    /// Of the variable that does not fit. `None`: all of them together do not.
    pub name: Option<String>,
    /// Why not.
    pub why: Invalid,
}

impl RunEnvironment {
    /// The most secrets that a run may have.
    pub const VARIABLES_MAX: usize = 50;
    /// A shorter secret cannot be masked without masking everything.
    pub const SECRET_BYTES_MIN: usize = 4;
    /// Names of variables that the shell reads or sets itself, so that a command finds another value than the one that was
    /// given, or none; or that Lethe finds a command by.
    pub const RESERVED: &'static [&'static str] = &[
        "BASH",
        "BASHOPTS",
        "BASHPID",
        "BASH_ALIASES",
        "BASH_ARGC",
        "BASH_ARGV",
        "BASH_ARGV0",
        "BASH_CMDS",
        "BASH_COMMAND",
        "BASH_LINENO",
        "BASH_SOURCE",
        "BASH_SUBSHELL",
        "BASH_VERSINFO",
        "BASH_VERSION",
        "COMP_WORDBREAKS",
        "DIRSTACK",
        "EPOCHREALTIME",
        "EPOCHSECONDS",
        "EUID",
        "FUNCNAME",
        "GROUPS",
        "HISTCMD",
        "IFS",
        "LETHE_FOLLOWS",
        "LETHE_KEEPS",
        "LETHE_RUN",
        "LINENO",
        "OLDPWD",
        "OPTERR",
        "OPTIND",
        "PPID",
        "PS1",
        "PS2",
        "PS4",
        "PWD",
        "RANDOM",
        "SECONDS",
        "SHELLOPTS",
        "SHLVL",
        "SRANDOM",
        "UID",
        "_",
    ];

    /// # Errors
    /// The first variable with a name that no shell takes, or with a value that cannot be masked; or there are too many.
    pub fn new(variables: BTreeMap<String, String>) -> Result<Self, UnfitVariable> {
        check(&variables, |value| {
            if value.len() < Self::SECRET_BYTES_MIN {
                return Err(Invalid::TooShort(Self::SECRET_BYTES_MIN));
            }
            SecretText::parse(value)?;
            check_clear(value)
        })?;
        Ok(Self(variables))
    }

    /// The clear values. Whoever calls this takes care of where they go.
    pub const fn expose(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// What is kept of them once their values are deleted.
    pub fn names(&self) -> VariableNames {
        VariableNames(self.0.keys().cloned().collect())
    }
}

impl ClearVariables {
    /// The most bytes that all names and values together may have.
    pub const BYTES_MAX: usize = 32 * 1024;

    /// # Errors
    /// The first variable with a name that no shell takes, or with a NUL; or there are too many, or too long ones.
    pub fn new(variables: BTreeMap<String, String>) -> Result<Self, UnfitVariable> {
        check(&variables, check_clear)?;
        let bytes = variables.iter().map(|(name, value)| name.len() + value.len());
        if bytes.sum::<usize>() > Self::BYTES_MAX {
            return Err(UnfitVariable { name: None, why: Invalid::TooLong(Self::BYTES_MAX) });
        }
        Ok(Self(variables))
    }

    /// The clear values. Whoever calls this takes care of where they go.
    pub const fn expose(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl VariableNames {
    /// The clear names. Whoever calls this takes care of where they go.
    pub const fn expose(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Those of which `variables` has none.
    pub fn missing_in(&self, variables: &RunEnvironment) -> Vec<&str> {
        let names = self.0.iter().filter(|name| !variables.0.contains_key(*name));
        names.map(String::as_str).collect()
    }
}

/// Of each the name and the value.
fn check(
    variables: &BTreeMap<String, String>,
    check_value: impl Fn(&str) -> Result<(), Invalid>,
) -> Result<(), UnfitVariable> {
    const MAX: usize = RunEnvironment::VARIABLES_MAX;
    if variables.len() > MAX {
        return Err(UnfitVariable { name: None, why: Invalid::TooMany(MAX) });
    }
    for (name, value) in variables {
        let fits = check_name(name).and_then(|()| check_value(value));
        fits.map_err(|why| UnfitVariable { name: Some(name.clone()), why })?;
    }
    Ok(())
}

fn check_clear(value: &str) -> Result<(), Invalid> {
    if value.contains('\0') { Err(Invalid::Control) } else { Ok(()) }
}

fn check_name(name: &str) -> Result<(), Invalid> {
    let named = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.starts_with(|c: char| !c.is_ascii_digit())
        && name.len() <= 100;
    if !named {
        return Err(Invalid::NotAVariable);
    }
    let reserved = RunEnvironment::RESERVED.iter().copied().find(|reserved| *reserved == name);
    reserved.map_or(Ok(()), |reserved| Err(Invalid::ReservedVariable(reserved)))
}

impl fmt::Debug for UnfitVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnfitVariable").field("why", &self.why).finish_non_exhaustive()
    }
}

macro_rules! redacted {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!("<", stringify!($name), ">"))
            }
        }
    )*};
}

redacted!(RunEnvironment ClearVariables VariableNames);
