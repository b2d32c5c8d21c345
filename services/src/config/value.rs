//! Reads the text of a setting, and shows it without its secrets.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use infra::remote::Egress;
use secrecy::{ExposeSecret, SecretString};

pub trait Value: Sized {
    fn read(text: &str) -> Result<Self, String>;
    fn redacted(&self) -> String;
}

/// A URL that may hold a password, which is not shown.
#[derive(Clone)]
pub struct Url(SecretString);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Url {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into().into())
    }

    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The scheme, the user and password, and the rest.
    fn parts(&self) -> (&str, Option<&str>, &str) {
        let (scheme, rest) = self.expose().split_once("://").unwrap_or(("", self.expose()));
        let authority = rest.find(['/', '?']).unwrap_or(rest.len());
        match rest.get(..authority).and_then(|authority| authority.rfind('@')) {
            None => (scheme, None, rest),
            Some(at) => (scheme, rest.get(..at), rest.get(at + 1..).unwrap_or_default()),
        }
    }

    pub fn scheme(&self) -> &str {
        self.parts().0
    }

    /// Whether its host is this machine, by name or by number; a socket's path counts.
    pub fn is_loopback(&self) -> bool {
        let (_, _, rest) = self.parts();
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name.is_empty()
            || name == "localhost"
            || name.starts_with("%2F")
            || name.starts_with("%2f")
            || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.redacted())
    }
}

impl Value for Url {
    fn read(text: &str) -> Result<Self, String> {
        let is_url = text.split_once("://").is_some_and(|(scheme, _)| !scheme.is_empty());
        // PostgreSQL's other form: `host=... dbname=...`.
        if is_url || text.contains('=') {
            Ok(Self::new(text))
        } else {
            Err("this is not a URL: begin with postgres:// for a database, with smtp:// for mail"
                .to_owned())
        }
    }

    fn redacted(&self) -> String {
        if !self.expose().contains("://") {
            let pairs = self.expose().split_whitespace().map(redacted);
            return pairs.collect::<Vec<_>>().join(" ");
        }
        let (scheme, user, rest) = self.parts();
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(redacted);
        let query = query.collect::<Vec<_>>().join("&");
        let user = user.map_or_else(String::new, |user| match user.split_once(':') {
            Some((name, _)) => format!("{name}:[redacted]@"),
            None => format!("{user}@"),
        });
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{user}{place}{mark}{query}")
    }
}

/// The URL of the database `name` on the same server. In both forms of a URL the last name counts.
pub fn with_database(url: &str, name: &str) -> String {
    let mark = match (url.contains("://"), url.contains('?')) {
        (true, true) => "&",
        (true, false) => "?",
        (false, _) => " ",
    };
    format!("{url}{mark}dbname={name}")
}

fn redacted(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if name.contains("password") => format!("{name}=[redacted]"),
        _ => pair.to_owned(),
    }
}

impl Value for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` must be text or json")),
        }
    }

    fn redacted(&self) -> String {
        if *self == Self::Text { "text".to_owned() } else { "json".to_owned() }
    }
}

impl Value for Egress {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }

    fn redacted(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the path is empty".to_owned());
        }
        std::path::absolute(text).map_err(|error| error.to_string())
    }

    fn redacted(&self) -> String {
        self.display().to_string()
    }
}

impl Value for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn redacted(&self) -> String {
        self.clone()
    }
}

impl<V: Value> Value for Option<V> {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { V::read(text).map(Some) }
    }

    fn redacted(&self) -> String {
        self.as_ref().map_or_else(|| "-".to_owned(), Value::redacted)
    }
}

macro_rules! parsed {
    ($($value:ty: $reason:literal),+) => {$(
        impl Value for $value {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("`{text}` is not {}", $reason))
            }

            fn redacted(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

parsed! {
    SocketAddr: "an address with a port, such as 127.0.0.1:8080",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295"
}
