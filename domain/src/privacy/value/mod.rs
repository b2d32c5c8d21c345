//! Personal values: checked once, at the edge, and never printed.

mod email;
#[cfg(test)]
mod email_tests;
mod leftovers;
mod operation;
#[cfg(test)]
mod tests;
mod unambiguous;
mod variables;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use leftovers::{LeftCause, Leftovers};
pub use operation::{
    CommandLine, DeploymentStep, DeploymentSteps, HostName, Label, LoginName, SecretText,
};
pub use unambiguous::composed;
pub use variables::{ClearVariables, RunEnvironment, UnfitVariable, VariableNames};

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum Invalid {
    #[error("this is empty")]
    Empty,
    #[error("this is longer than {0} bytes")]
    TooLong(usize),
    #[error("this contains a control character")]
    Control,
    #[error("this is not an e-mail address")]
    NotAnAddress,
    #[error("this has quotes before the @: use an address without them")]
    Quoted,
    #[error("this has an IP address after the @: use an address with the name of a domain")]
    IpAddress,
    #[error("this has no name of a domain (IDNA 2008) after the @")]
    NotADomain,
    #[error("this could be taken for something else: {0}")]
    LooksAlike(&'static str),
    #[error("this may have letters, digits, dots, hyphens and underscores only")]
    NotAUsername,
    #[error("this is neither a host name nor an address")]
    NotAHost,
    #[error("this may have letters, digits, dots, hyphens and underscores, and no hyphen first")]
    NotALogin,
    #[error("this has more than {0} entries")]
    TooMany(usize),
    #[error("a variable's name has 1 to 100 letters, digits and underscores, and no digit first")]
    NotAVariable,
    #[error("{0} is a variable that the shell or Lethe sets itself: use another name")]
    ReservedVariable(&'static str),
    #[error("a secret must have {0} bytes at least")]
    TooShort(usize),
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The clear value. Whoever calls this takes care of where it goes.
            pub fn expose(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!("<", stringify!($name), ">"))
            }
        }
    )*};
}

use texts;
use unambiguous::{distinct, is_joiner, readable};

texts! {
    /// At most 254 bytes (RFC 5321, 4.5.3.1.3), nothing quoted, nothing that looks like another. As it
    /// was typed.
    EmailAddress
    /// What somebody types who has an account: any text that was ever taken for an address, also by a rule
    /// of before. As it was typed.
    TypedAddress
    /// At most 200 bytes, no control characters, nothing that is not seen.
    PersonName
    /// At most 64 bytes.
    Username
    /// The first 512 bytes of what the client said of itself.
    UserAgent
}

/// The network address that a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IpAddress(pub IpAddr);

impl std::fmt::Debug for IpAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<IpAddress>")
    }
}

/// A text that people read, such as a name, in its composed form.
fn read(text: &str, bytes_max: usize) -> Result<String, Invalid> {
    let composed = readable(text)?;
    let text = checked(&composed, bytes_max)?;
    if text.chars().all(|c| is_joiner(c) || c.is_whitespace()) {
        return Err(Invalid::Empty);
    }
    Ok(text.to_owned())
}

fn checked(text: &str, bytes_max: usize) -> Result<&str, Invalid> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Invalid::Empty);
    }
    if text.len() > bytes_max {
        return Err(Invalid::TooLong(bytes_max));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::Control);
    }
    Ok(text)
}

impl PersonName {
    /// # Errors
    /// What is wrong with the name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        read(text, 200).map(Self)
    }
}

impl Username {
    /// # Errors
    /// What is wrong with the username.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = checked(text, 64)?;
        if !text.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || "._-".contains(c)) {
            return Err(Invalid::NotAUsername);
        }
        distinct(text).map(Self)
    }
}

impl UserAgent {
    /// Takes what the client sent, without control characters, cut to 512 bytes.
    pub fn cut(text: &str) -> Self {
        let mut kept: String = text.chars().filter(|c| !c.is_control()).take(512).collect();
        while kept.len() > 512 {
            kept.pop();
        }
        Self(kept)
    }
}
