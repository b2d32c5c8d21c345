//! The URL at which people reach the API.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Without user, password, query and fragment: it begins the links in mails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(Url);

/// Why a text is no such URL. It does not repeat the text.
#[derive(Debug, thiserror::Error)]
pub enum PublicUrlError {
    #[error("this is not a URL: use https://HOST, with a port and a path if need be")]
    Form,
    #[error(
        "must not have a user, a password, a query or a fragment: links in mails begin with it; \
         use https://HOST, with a port and a path if need be"
    )]
    Secret,
    #[error("must begin with https://, except on this machine (localhost)")]
    Clear,
}

impl FromStr for PublicUrl {
    type Err = PublicUrlError;

    fn from_str(text: &str) -> Result<Self, PublicUrlError> {
        let url = Url::parse(text).map_err(|_| PublicUrlError::Form)?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        // Behind a password that was not encoded: what it begins with counts as host and port.
        if has_user || text.contains(['@', '?', '#']) {
            return Err(PublicUrlError::Secret);
        }
        let is_loopback = match url.host().ok_or(PublicUrlError::Form)? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_loopback => Ok(Self(url)),
            _ => Err(PublicUrlError::Clear),
        }
    }
}

impl PublicUrl {
    /// Without a final slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
