//! What a workspace keeps of its servers and its work: checked once, at the edge.

use serde::{Deserialize, Serialize};

use super::{Invalid, checked, read, texts};

texts! {
    /// What somebody calls a thing: at most 100 bytes, no control characters, nothing that is not
    /// seen.
    Label
    /// A name (RFC 1123, 2.1) or an IP address; at most 253 bytes.
    HostName
    /// Whom one logs in as: at most 64 bytes.
    LoginName
    /// What a shell is given: at most 32 KiB, no NUL.
    CommandLine
    /// A secret in the form it came in.
    SecretText
}

/// One step of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentStep {
    /// What people call the step.
    pub name: Label,
    /// What the shell of the server is given.
    pub command: CommandLine,
}

/// The steps of a deployment, in order: 1 to 50, of 128 KiB in all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentSteps(Vec<DeploymentStep>);

impl Label {
    /// # Errors
    /// What is wrong with the label.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        read(text, 100).map(Self)
    }
}

impl HostName {
    /// A name or an IP address. Numbers that only the C library takes for an address, such as
    /// `0177.1` and `2130706433`, are neither.
    ///
    /// # Errors
    /// What is wrong with the host.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = checked(text, 253)?;
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c == '-' || c.is_ascii_alphanumeric())
        };
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        let name = text.strip_suffix('.').unwrap_or(text);
        let ends_in_number = name.rsplit('.').next().is_some_and(is_number);
        if is_address || name.split('.').all(fits) && !ends_in_number {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(Invalid::NotAHost)
        }
    }
}

/// The URL standard's test for a host that ends in a number.
pub(super) fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

impl LoginName {
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = checked(text, 64)?;
        let fits = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if fits && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::NotALogin)
        }
    }
}

impl CommandLine {
    /// # Errors
    /// What is wrong with the command.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const BYTES_MAX: usize = 32 * 1024;
        if text.trim().is_empty() {
            return Err(Invalid::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(Invalid::TooLong(BYTES_MAX));
        }
        if text.contains('\0') {
            return Err(Invalid::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl SecretText {
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        const BYTES_MAX: usize = 16 * 1024;
        if text.is_empty() {
            return Err(Invalid::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(Invalid::TooLong(BYTES_MAX));
        }
        Ok(Self(text.to_owned()))
    }
}

impl DeploymentSteps {
    /// The most steps that a deployment may have.
    pub const STEPS_MAX: usize = 50;
    /// The most bytes that all names and commands together may have.
    pub const BYTES_MAX: usize = 128 * 1024;

    /// # Errors
    /// None, or too many.
    pub fn new(steps: Vec<DeploymentStep>) -> Result<Self, Invalid> {
        if steps.is_empty() {
            return Err(Invalid::Empty);
        }
        if steps.len() > Self::STEPS_MAX {
            return Err(Invalid::TooMany(Self::STEPS_MAX));
        }
        let bytes = steps.iter().map(|step| step.name.0.len() + step.command.0.len());
        if bytes.sum::<usize>() > Self::BYTES_MAX {
            return Err(Invalid::TooLong(Self::BYTES_MAX));
        }
        Ok(Self(steps))
    }

    /// In the order in which they run.
    pub fn steps(&self) -> &[DeploymentStep] {
        &self.0
    }
}
