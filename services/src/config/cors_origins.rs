//! The origins of other sites whose pages may use the API.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Each as a browser sends it: scheme, host, and the port if it is not the scheme's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CorsOrigins(Vec<String>);

/// Why a text is no such list. It does not repeat the text.
#[derive(Debug, thiserror::Error)]
pub enum CorsOriginsError {
    #[error(
        "`*` is not allowed: name each origin, such as https://app.example, separated by commas"
    )]
    Every,
    #[error(
        "each must be https://HOST, with a port if need be and without a path, separated by commas"
    )]
    Form,
    #[error("each must begin with https://, except on this machine (localhost)")]
    Clear,
}

impl CorsOrigins {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is one of them, letter by letter.
    pub fn has(&self, origin: &[u8]) -> bool {
        self.0.iter().any(|listed| listed.as_bytes() == origin)
    }
}

impl FromStr for CorsOrigins {
    type Err = CorsOriginsError;

    fn from_str(text: &str) -> Result<Self, CorsOriginsError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(|origin| read(origin.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn read(text: &str) -> Result<String, CorsOriginsError> {
    if text == "*" {
        return Err(CorsOriginsError::Every);
    }
    let url = Url::parse(text).map_err(|_| CorsOriginsError::Form)?;
    if url.path() != "/" || text.contains(['@', '?', '#', '*', '\\']) {
        return Err(CorsOriginsError::Form);
    }
    let is_loopback = match url.host().ok_or(CorsOriginsError::Form)? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    match url.scheme() {
        "https" => Ok(url.origin().ascii_serialization()),
        "http" if is_loopback => Ok(url.origin().ascii_serialization()),
        "http" => Err(CorsOriginsError::Clear),
        _ => Err(CorsOriginsError::Form),
    }
}

impl fmt::Display for CorsOrigins {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() { out.write_str("none") } else { out.write_str(&self.0.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let read = text.parse::<CorsOrigins>();
        read.map(|origins| origins.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn origins_are_kept_as_browsers_send_them() {
        assert_eq!(read(""), Ok("none".to_owned()));
        assert_eq!(
            read("https://App.Example:443/, http://localhost:5173,https://bücher.example:8443"),
            Ok("https://app.example,http://localhost:5173,https://xn--bcher-kva.example:8443"
                .into())
        );
        let listed: CorsOrigins = "https://app.example".parse().unwrap();
        assert!(listed.has(b"https://app.example"));
        for other in ["https://app.example.eve.example", "http://app.example", "null", ""] {
            assert!(!listed.has(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn what_is_no_list_of_origins_is_refused_with_the_reason() {
        for (text, reason) in [
            ("*", "`*` is not allowed"),
            ("https://app.example,*", "`*` is not allowed"),
            ("https://*.example", "each must be https://HOST"),
            ("https://app.example/path", "each must be https://HOST"),
            ("https://me:secret@app.example", "each must be https://HOST"),
            ("https://app.example,", "each must be https://HOST"),
            ("null", "each must be https://HOST"),
            ("ftp://app.example", "each must be https://HOST"),
            ("http://app.example", "each must begin with https://"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(reason), "{text}: {refused}");
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
