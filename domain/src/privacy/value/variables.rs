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

impl RunEnvironment {
    /// The most secrets that a run may have.
    pub const VARIABLES_MAX: usize = 50;
    /// A shorter secret cannot be masked without masking everything.
    pub const SECRET_BYTES_MIN: usize = 4;
    /// Names of variables that the shell reads or sets itself, or that Lethe finds a command by.
    pub const RESERVED: &'static [&'static str] = &[
        "BASHOPTS",
        "BASH_VERSINFO",
        "EUID",
        "IFS",
        "LETHE_FOLLOWS",
        "LETHE_RUN",
        "OPTIND",
        "PPID",
        "SHELLOPTS",
        "UID",
    ];

    /// # Errors
    /// A name that no shell takes, or a value that cannot be masked.
    pub fn new(variables: BTreeMap<String, String>) -> Result<Self, Invalid> {
        check_count(&variables)?;
        for (name, value) in &variables {
            check_name(name)?;
            if value.len() < Self::SECRET_BYTES_MIN {
                return Err(Invalid::TooShort(Self::SECRET_BYTES_MIN));
            }
            SecretText::parse(value)?;
            if value.contains('\0') {
                return Err(Invalid::Control);
            }
        }
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
    /// A name that no shell takes, a NUL, or too many or too long variables.
    pub fn new(variables: BTreeMap<String, String>) -> Result<Self, Invalid> {
        check_count(&variables)?;
        for (name, value) in &variables {
            check_name(name)?;
            if value.contains('\0') {
                return Err(Invalid::Control);
            }
        }
        let bytes = variables.iter().map(|(name, value)| name.len() + value.len());
        if bytes.sum::<usize>() > Self::BYTES_MAX {
            return Err(Invalid::TooLong(Self::BYTES_MAX));
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

fn check_count(variables: &BTreeMap<String, String>) -> Result<(), Invalid> {
    const MAX: usize = RunEnvironment::VARIABLES_MAX;
    if variables.len() > MAX { Err(Invalid::TooMany(MAX)) } else { Ok(()) }
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
