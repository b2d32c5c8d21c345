//! Reads the text of a setting, and shows it without its secrets.

use std::net::SocketAddr;
use std::path::PathBuf;

use infra::keyring::{VaultAddress, VaultMount, VaultPrefix, VaultToken};
use infra::mail::Smtp;
use infra::postgres::DatabaseUrl;
use infra::remote::Egress;

use super::cors_origins::CorsOrigins;
use super::public_url::PublicUrl;

/// A longer value is not repeated in an error.
const QUOTED_MAX: usize = 40;

pub trait Value: Sized {
    /// The error does not repeat what may be a secret.
    fn read(text: &str) -> Result<Self, String>;
    /// The value without its secrets.
    fn redacted(&self) -> String;
}

/// What stands for a setting that is not set: its text, or its value.
pub trait DefaultValue<V> {
    fn value(self) -> Result<V, String>;
}

impl<V: Value> DefaultValue<V> for &str {
    fn value(self) -> Result<V, String> {
        V::read(self)
    }
}

impl<V: Value> DefaultValue<V> for String {
    fn value(self) -> Result<V, String> {
        V::read(&self)
    }
}

impl DefaultValue<Self> for Option<DatabaseUrl> {
    fn value(self) -> Result<Self, String> {
        Ok(self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

impl Value for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("{} must be text or json", quoted(text))),
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

/// The text where it is plain. A URL with a password may stand at the wrong setting.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    if text.len() <= QUOTED_MAX && text.chars().all(is_plain) {
        format!("`{text}`")
    } else {
        "this value".to_owned()
    }
}

/// Types whose `Display` shows no password, and whose errors do not repeat the text.
macro_rules! secret {
    ($($value:ty),+) => {$(
        impl Value for $value {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error: <$value as std::str::FromStr>::Err| error.to_string())
            }

            fn redacted(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

secret! { DatabaseUrl, Smtp, PublicUrl, CorsOrigins, VaultAddress, VaultMount, VaultPrefix, VaultToken }

macro_rules! parsed {
    ($($value:ty: $reason:literal),+) => {$(
        impl Value for $value {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("{} is not {}", quoted(text), $reason))
            }

            fn redacted(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

parsed! {
    bool: "true or false",
    SocketAddr: "an address with a port, such as 127.0.0.1:8080",
    u16: "a whole number from 0 to 65535",
    u32: "a whole number from 0 to 4294967295",
    u64: "a whole number from 0 to 18446744073709551615"
}
