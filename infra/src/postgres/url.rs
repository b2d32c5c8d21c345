//! Where a database is, and how to log in: read once, by the driver's own parser.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use super::pairs;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const PORT: u16 = 5432;
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address of a database with a user and a password. The password is used to connect, and is
/// shown by nothing: both `Display` and `Debug` write `postgres://USER@HOST:PORT/DATABASE`.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    pub(super) config: Config,
    /// The file of certificates to trust in place of the web's authorities (`sslrootcert`).
    pub(super) root: Option<PathBuf>,
}

/// Why a text is no address of a database that Lethe uses. It does not repeat the text.
#[derive(Clone, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum DatabaseUrlError {
    #[error(
        "this is not the URL of a PostgreSQL database: use postgres://USER:PASSWORD@HOST/DATABASE \
         or host=HOST user=USER password=PASSWORD dbname=DATABASE; in a URL, write a special \
         character of a password as % and its code, such as %40 for @"
    )]
    Form,
    #[error(
        "TLS is required for another machine ({host}), and sslmode=disable would talk to it in the \
         clear: remove it from the database URL"
    )]
    TlsRequired { host: String },
}

/// A database URL, or a text that is read as one.
pub trait ToDatabaseUrl: Sync {
    /// # Errors
    /// As of [`DatabaseUrl::from_str`].
    fn to_database_url(&self) -> Result<Cow<'_, DatabaseUrl>, DatabaseUrlError>;
}

impl ToDatabaseUrl for DatabaseUrl {
    fn to_database_url(&self) -> Result<Cow<'_, Self>, DatabaseUrlError> {
        Ok(Cow::Borrowed(self))
    }
}

impl ToDatabaseUrl for str {
    fn to_database_url(&self) -> Result<Cow<'_, DatabaseUrl>, DatabaseUrlError> {
        self.parse().map(Cow::Owned)
    }
}

impl ToDatabaseUrl for String {
    fn to_database_url(&self) -> Result<Cow<'_, DatabaseUrl>, DatabaseUrlError> {
        self.as_str().to_database_url()
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads both forms that libpq has, with its `sslrootcert`, `verify-ca` and `verify-full`: names
    /// are always verified. One remote host is enough to require TLS; this machine is asked for it
    /// only where the text requires it.
    ///
    /// # Errors
    /// [`DatabaseUrlError`].
    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let is_url = SCHEMES.iter().any(|scheme| text.starts_with(scheme));
        let (text, root) = if is_url { of_url(text)? } else { pairs::read(text)? };
        let mut config: Config = text.parse().map_err(|_| DatabaseUrlError::Form)?;
        // A password that was not encoded ends too early: its rest must not count as a name.
        let is_name = |host: &Host| match host {
            Host::Tcp(name) => name.chars().all(|c| c.is_alphanumeric() || ".-_:%".contains(c)),
            Host::Unix(_) => true,
        };
        let names_database = |name: &str| !name.contains("://");
        if !config.get_hosts().iter().all(is_name)
            || !config.get_dbname().is_none_or(names_database)
        {
            return Err(DatabaseUrlError::Form);
        }
        require_tls(&mut config)?;
        let root = root.filter(|root| root != "system").map(PathBuf::from);
        Ok(Self { config, root })
    }
}

impl DatabaseUrl {
    /// The database of this name on the same server, with the same user and password.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.config.dbname(name);
        other
    }

    /// The name of the database, which is by default that of the user.
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname().or(self.config.get_user())
    }

    /// The user, which is by default that of the operating system.
    pub fn user(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// Whether the server is compared with the web's authorities, and not with a file of its own.
    pub(crate) fn trusts_the_web(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require && self.root.is_none()
    }

    /// The variables with which PostgreSQL's own programmes log in as this URL says. They hold the
    /// password. `authorities`: the web's, for these programmes.
    pub(crate) fn environment(&self, authorities: &Path) -> Vec<(&'static str, String)> {
        let config = &self.config;
        let joined = |each: &mut dyn Iterator<Item = String>| each.collect::<Vec<_>>().join(",");
        let host = |host: &Host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.display().to_string(),
        };
        let mut variables = vec![
            ("PGHOST", joined(&mut config.get_hosts().iter().map(host))),
            ("PGHOSTADDR", joined(&mut config.get_hostaddrs().iter().map(ToString::to_string))),
            ("PGPORT", joined(&mut config.get_ports().iter().map(ToString::to_string))),
            ("PGUSER", config.get_user().unwrap_or_default().to_owned()),
            ("PGDATABASE", self.database().unwrap_or_default().to_owned()),
            (
                "PGPASSWORD",
                String::from_utf8_lossy(config.get_password().unwrap_or_default()).into(),
            ),
        ];
        if config.get_ssl_mode() == SslMode::Require {
            let root = self.root.as_deref().unwrap_or(authorities).display().to_string();
            variables.extend([("PGSSLMODE", "verify-full".to_owned()), ("PGSSLROOTCERT", root)]);
        } else {
            variables.push(("PGSSLMODE", "disable".to_owned()));
        }
        variables.retain(|(_, value)| !value.is_empty());
        variables
    }

    /// Hosts with their ports, or the folder of a socket.
    pub(super) fn place(&self) -> String {
        self.places(|folder| folder)
    }

    fn places(&self, socket: impl Fn(String) -> String) -> String {
        let ports = self.config.get_ports();
        let port = |nth: usize| ports.get(nth).or(ports.first()).copied().unwrap_or(PORT);
        let named = |(nth, host): (usize, &Host)| match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", port(nth)),
            Host::Tcp(name) => format!("{name}:{}", port(nth)),
            Host::Unix(folder) => socket(folder.display().to_string()),
        };
        let numbered = |(nth, address): (usize, &IpAddr)| match address {
            IpAddr::V4(address) => format!("{address}:{}", port(nth)),
            IpAddr::V6(address) => format!("[{address}]:{}", port(nth)),
        };
        let hosts = self.config.get_hosts();
        let places: Vec<String> = if hosts.is_empty() {
            self.config.get_hostaddrs().iter().enumerate().map(numbered).collect()
        } else {
            hosts.iter().enumerate().map(named).collect()
        };
        places.join(",")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(out, "{}@", encoded(user))?;
        }
        out.write_str(&self.places(|folder| encoded(&folder)))?;
        self.database().map_or(Ok(()), |database| write!(out, "/{}", encoded(database)))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// What the driver reads, and the file of `sslrootcert`. The parameters begin where they begin for
/// the driver: behind the first `?` that follows the first `@`.
fn of_url(url: &str) -> Result<(String, Option<String>), DatabaseUrlError> {
    let from = url.find('@').map_or(0, |at| at + 1);
    let (user, rest) = url.split_at_checked(from).unwrap_or((url, ""));
    if rest.contains('@') {
        return Err(DatabaseUrlError::Form);
    }
    let Some((place, query)) = rest.split_once('?') else { return Ok((url.to_owned(), None)) };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (mut root, mut others) = (None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=').map(|(name, value)| (decoded(name), decoded(value))) {
            Some((name, value)) if name == "sslrootcert" => root = Some(value),
            Some((name, value)) if name == "sslmode" => {
                others.push(format!("sslmode={}", encoded(pairs::driver_mode(&value))));
            }
            _ => others.push(pair.to_owned()),
        }
    }
    let mark = if others.is_empty() { "" } else { "?" };
    Ok((format!("{user}{place}{mark}{}", others.join("&")), root))
}

fn require_tls(config: &mut Config) -> Result<(), DatabaseUrlError> {
    match remote_host(config) {
        Some(host) if config.get_ssl_mode() == SslMode::Disable => {
            return Err(DatabaseUrlError::TlsRequired { host });
        }
        Some(_) => config.ssl_mode(SslMode::Require),
        None if config.get_ssl_mode() == SslMode::Require => config,
        // Debian's local server offers a certificate that nobody signed.
        None => config.ssl_mode(SslMode::Disable),
    };
    Ok(())
}

fn remote_host(config: &Config) -> Option<String> {
    let addresses = config.get_hostaddrs();
    if let Some(address) = addresses.iter().find(|address| !address.is_loopback()) {
        return Some(address.to_string());
    }
    if !addresses.is_empty() {
        return None;
    }
    config.get_hosts().iter().find_map(|host| match host {
        Host::Unix(_) => None,
        Host::Tcp(name) if name == "localhost" => None,
        Host::Tcp(name) => match name.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => None,
            _ => Some(name.clone()),
        },
    })
}
