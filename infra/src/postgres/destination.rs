//! Where connections lead: the first host of a URL that answers, each of which has a limit of its own.

use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::config::{Host, LoadBalanceHosts};
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::pool::{Connection, prepare};
use super::{ConnectOptions, DatabaseUrl, PgError, describe};
use crate::random;

const PORT: u16 = 5432;

/// The hosts of a URL, and how to log in there.
pub(super) struct Destination {
    url: DatabaseUrl,
    config: Config,
    tls: MakeRustlsConnect,
    /// For one host: to find its addresses, to reach one of them and to log in there.
    limit: Duration,
}

impl Destination {
    pub fn new(url: &DatabaseUrl, options: &ConnectOptions) -> Result<Self, PgError> {
        let (config, tls) = prepare(url, options)?;
        let limit = config.get_connect_timeout().copied().unwrap_or(options.connect_timeout);
        Ok(Self { url: url.clone(), config, tls, limit })
    }

    pub const fn tls(&self) -> &MakeRustlsConnect {
        &self.tls
    }

    /// The driver limits how long one address takes the connection, and nothing after that: a host that says
    /// nothing would take the time of those after it.
    pub async fn connect(&self) -> Result<(Client, Connection), PgError> {
        let mut failed = self.unreachable("the URL names no host".to_owned());
        for host in hosts(&self.config) {
            match self.connect_to(&host).await {
                Ok(connected) => return Ok(connected),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn connect_to(&self, host: &Config) -> Result<(Client, Connection), PgError> {
        let until = Instant::now() + self.limit;
        match timeout_at(until, ways_to(host)).await {
            Ok(Ok(ways)) => self.connect_by(&ways, until).await,
            Ok(Err(error)) => Err(self.unreachable(error.to_string())),
            Err(_) => Err(self.silent()),
        }
    }

    /// Each of the ways has an equal share of the time that is left.
    pub(super) async fn connect_by(
        &self,
        ways: &[Config],
        until: Instant,
    ) -> Result<(Client, Connection), PgError> {
        let mut failed = self.unreachable("the host has no address".to_owned());
        for (left, way) in (1..=ways.len()).rev().zip(ways) {
            let share = until.saturating_duration_since(Instant::now())
                / u32::try_from(left).unwrap_or(u32::MAX);
            failed = match timeout(share, way.connect(self.tls.clone())).await {
                Ok(Ok(connected)) => return Ok(connected),
                // What the server itself answered is an error of its own: it is reached.
                Ok(Err(error)) if error.as_db_error().is_some() => error.into(),
                Ok(Err(error)) => {
                    let reason = describe(&error);
                    self.unreachable(reason.replacen("error connecting to server: ", "", 1))
                }
                Err(_) => self.silent(),
            };
        }
        Err(failed)
    }

    fn silent(&self) -> PgError {
        self.unreachable(format!("no answer within {} s", self.limit.as_secs_f32()))
    }

    fn unreachable(&self, reason: String) -> PgError {
        PgError::Unreachable { place: self.url.place(), reason }
    }
}

/// Lets the other side of a connection work until it ends.
pub(super) async fn drive(connection: Connection) {
    if let Err(error) = connection.await {
        // Whoever still uses the client gets the error of its next statement.
        tracing::debug!(error = describe(&error), "a database connection ended");
    }
}

/// One configuration for each host of the URL, in the order in which they are tried.
pub(super) fn hosts(config: &Config) -> Vec<Config> {
    let (names, addresses, ports) =
        (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = names.len().max(addresses.len());
    let fits = |given: usize, shared: usize| given <= shared || given == count;
    if !(fits(names.len(), 0) && fits(addresses.len(), 0) && fits(ports.len(), 1)) {
        // The driver refuses it, and says why.
        return vec![config.clone()];
    }
    let mut hosts: Vec<Config> = (0..count)
        .map(|nth| {
            let mut host = without_place(config);
            match names.get(nth) {
                Some(Host::Tcp(name)) => host.host(name),
                Some(Host::Unix(folder)) => host.host_path(folder),
                None => &mut host,
            };
            if let Some(address) = addresses.get(nth) {
                host.hostaddr(*address);
            }
            host.port(ports.get(nth).or(ports.first()).copied().unwrap_or(PORT));
            host
        })
        .collect();
    balance(config, &mut hosts);
    hosts
}

/// One configuration for each address of the host.
async fn ways_to(host: &Config) -> std::io::Result<Vec<Config>> {
    let ([Host::Tcp(name)], []) = (host.get_hosts(), host.get_hostaddrs()) else {
        return Ok(vec![host.clone()]);
    };
    let port = host.get_ports().first().copied().unwrap_or(PORT);
    let addresses = lookup_host((name.as_str(), port)).await?;
    let mut ways: Vec<Config> = addresses
        .map(|address| {
            let mut way = host.clone();
            way.hostaddr(address.ip());
            way
        })
        .collect();
    balance(host, &mut ways);
    Ok(ways)
}

/// `load_balance_hosts=random` of the URL.
fn balance(config: &Config, ways: &mut [Config]) {
    if config.get_load_balance_hosts() == LoadBalanceHosts::Random {
        // Without random bytes they stay in their order.
        ways.sort_by_cached_key(|_| random::bytes::<8>().unwrap_or_default());
    }
}

/// The same login, without a host, an address or a port: the driver has no way to take them out.
fn without_place(config: &Config) -> Config {
    let mut other = Config::new();
    other
        .ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle())
        .target_session_attrs(config.get_target_session_attrs())
        .channel_binding(config.get_channel_binding())
        .load_balance_hosts(config.get_load_balance_hosts());
    if let Some(user) = config.get_user() {
        other.user(user);
    }
    if let Some(password) = config.get_password() {
        other.password(password);
    }
    if let Some(name) = config.get_dbname() {
        other.dbname(name);
    }
    if let Some(options) = config.get_options() {
        other.options(options);
    }
    if let Some(name) = config.get_application_name() {
        other.application_name(name);
    }
    if let Some(limit) = config.get_connect_timeout() {
        other.connect_timeout(*limit);
    }
    if let Some(limit) = config.get_tcp_user_timeout() {
        other.tcp_user_timeout(*limit);
    }
    if let Some(pause) = config.get_keepalives_interval() {
        other.keepalives_interval(pause);
    }
    if let Some(count) = config.get_keepalives_retries() {
        other.keepalives_retries(count);
    }
    other
}
