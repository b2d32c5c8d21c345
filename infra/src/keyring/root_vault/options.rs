//! Where Vault is, which of its keys are Lethe's, and the token.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

/// How to reach the roots of an installation in Vault.
#[derive(Clone, Debug)]
pub struct RootVaultOptions {
    /// Where Vault is.
    pub address: VaultAddress,
    /// With what to ask it.
    pub token: VaultTokenSource,
    /// The path at which the transit engine is mounted.
    pub mount: VaultMount,
    /// How the names of the keys begin.
    pub prefix: VaultPrefix,
    /// A file of the certificates to trust in place of the web's authorities.
    pub authority: Option<PathBuf>,
    /// The most that one request may take, from the connection to the last byte of the answer.
    pub within: Duration,
}

/// Where the token is.
#[derive(Clone, Debug)]
pub enum VaultTokenSource {
    /// It was given.
    Token(VaultToken),
    /// In a file, which is read for each request: an agent may replace it.
    File(PathBuf),
}

/// A token of Vault, which is shown by nothing.
#[derive(Clone)]
pub struct VaultToken(SecretString);

impl VaultToken {
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Why a text is no token. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of Vault: it must be one word of visible ASCII characters")]
pub struct VaultTokenError;

impl FromStr for VaultToken {
    type Err = VaultTokenError;

    fn from_str(text: &str) -> Result<Self, VaultTokenError> {
        let text = text.trim();
        let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_word.then(|| Self(text.into())).ok_or(VaultTokenError)
    }
}

impl fmt::Display for VaultToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("<token>")
    }
}

impl fmt::Debug for VaultToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The URL of Vault, without user, path and query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAddress {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_encrypted: bool,
}

/// Why a text is no such URL. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum VaultAddressError {
    #[error(
        "this is not the URL of Vault: use https://HOST:PORT, without a user, a path or a query"
    )]
    Form,
    #[error(
        "TLS is required for another machine, and http:// would send the token and the root keys in \
         the clear: use https://HOST:PORT"
    )]
    Clear,
}

impl FromStr for VaultAddress {
    type Err = VaultAddressError;

    /// Reads an `https://` URL; `http://` for this machine only.
    ///
    /// # Errors
    /// [`VaultAddressError`].
    fn from_str(text: &str) -> Result<Self, VaultAddressError> {
        let url = Url::parse(text).map_err(|_| VaultAddressError::Form)?;
        // Behind a password that was not encoded: what it begins with counts as host and port.
        if text.contains(['@', '?', '#', '\\']) || !matches!(url.path(), "" | "/") {
            return Err(VaultAddressError::Form);
        }
        let (host, is_loopback) = match url.host().ok_or(VaultAddressError::Form)? {
            Host::Domain(name) => (name.to_owned(), name == "localhost"),
            Host::Ipv4(address) => (address.to_string(), address.is_loopback()),
            Host::Ipv6(address) => (address.to_string(), address.is_loopback()),
        };
        let is_encrypted = match url.scheme() {
            "https" => true,
            "http" if is_loopback => false,
            "http" => return Err(VaultAddressError::Clear),
            _ => return Err(VaultAddressError::Form),
        };
        let port = url.port_or_known_default().ok_or(VaultAddressError::Form)?;
        Ok(Self { host, port, is_encrypted })
    }
}

impl VaultAddress {
    /// Host and port, as the header `Host` has them.
    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for VaultAddress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_encrypted { "https" } else { "http" };
        write!(out, "{scheme}://{}", self.authority())
    }
}

/// Why a name is refused. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("use letters, digits, - _ and . only, 64 at most, beginning with a letter or a digit")]
pub struct VaultNameError;

fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= 64 && text.bytes().all(is_plain)
}

/// The path of a transit engine, such as `transit`, or `team/transit` in a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultMount(String);

impl FromStr for VaultMount {
    type Err = VaultNameError;

    fn from_str(text: &str) -> Result<Self, VaultNameError> {
        let is_path = text.split('/').all(is_name);
        is_path.then(|| Self(text.to_owned())).ok_or(VaultNameError)
    }
}

impl fmt::Display for VaultMount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// How the names of an installation's keys begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultPrefix(String);

impl VaultPrefix {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VaultPrefix {
    type Err = VaultNameError;

    fn from_str(text: &str) -> Result<Self, VaultNameError> {
        is_name(text).then(|| Self(text.to_owned())).ok_or(VaultNameError)
    }
}

impl fmt::Display for VaultPrefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}
