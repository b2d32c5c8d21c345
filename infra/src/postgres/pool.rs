//! Connections: TLS beyond this machine, limits on every statement, and the application's role.

use std::fmt::Write;
use std::time::Duration;

use deadpool::managed::QueueMode;
use deadpool_postgres::Runtime;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::destination::{Destination, drive};
use super::pool_client::Connector;
use super::{DatabaseUrl, PgError, ToDatabaseUrl, outer, proxy, tls};

/// The server ends the session of a machine that was lost after 30 seconds, where the defaults of
/// most systems take two hours: until then the session would count as a node that runs.
const TCP_SETTINGS: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "15"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "30000"),
];

/// A connection on which the other machine says nothing for so long is given up, whether something is on its way
/// or not: one that is used just before is free within twice this time.
const LOST_AFTER: Duration = Duration::from_secs(6);
/// How long nothing is said before the other machine is asked, and how often then: in all [`LOST_AFTER`].
const KEEPALIVES_IDLE: Duration = Duration::from_secs(3);
const KEEPALIVES_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVES_RETRIES: u32 = 3;

/// Connections to one database. Cheap to clone.
pub type Pool = deadpool::managed::Pool<Connector>;
/// A connection while it is out of its pool.
pub type PooledClient = deadpool::managed::Object<Connector>;
/// What a new connection goes through before anybody gets it.
pub type Hook = deadpool::managed::Hook<Connector>;
/// Why a new connection is handed to nobody.
pub type HookError = deadpool::managed::HookError<PgError>;
/// Why a pool gives no connection.
pub type PoolError = deadpool::managed::PoolError<PgError>;
pub(crate) type Connection =
    tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

/// The options of a pool's sessions, or of a single connection.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Shown in `pg_stat_activity`.
    pub application: &'static str,
    /// The role to take on, such as `lethe_app`. The login role must be a member of it.
    pub role: Option<&'static str>,
    /// Of a pool; a single connection does not look at it. [`super::OuterClient`] needs two.
    pub connections_max: usize,
    /// How long to wait for a free connection of the pool.
    pub wait: Duration,
    /// For each host of the URL: to find its addresses, to reach one of them and to log in there. A shorter
    /// `connect_timeout` in the URL goes before it.
    pub connect_timeout: Duration,
    /// Zero is no limit, as in PostgreSQL.
    pub statement_timeout: Duration,
    /// For one lock. Zero is no limit.
    pub lock_timeout: Duration,
    /// The server ends a session that leaves a transaction open for longer. Zero is no limit.
    pub idle_in_transaction_timeout: Duration,
    /// The URL leads to a transaction-pooling proxy, which refuses start-up settings: role and
    /// limits must then be set on the login role with `alter role`, as must `jit = off`. [`connect`]
    /// looks at them.
    pub proxied: bool,
    /// Of a pool: a statement that nobody waits for any more is cancelled on the server.
    pub cancels: bool,
    /// Further settings of the session, as `name=value`.
    pub settings: Vec<String>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            application: "lethe",
            role: None,
            connections_max: 16,
            wait: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            lock_timeout: Duration::from_secs(10),
            idle_in_transaction_timeout: Duration::from_secs(30),
            proxied: false,
            cancels: true,
            settings: Vec::new(),
        }
    }
}

impl ConnectOptions {
    /// The application's role, on every connection.
    pub fn app() -> Self {
        Self { role: Some("lethe_app"), ..Self::default() }
    }

    /// The same for the keyring's database: a commit of a key is on disk before it is answered,
    /// whatever the defaults of the role or of the database are. No statement is cancelled: a commit that
    /// waits for a synchronous standby would be seen without it.
    pub fn keyring() -> Self {
        let settings = vec!["synchronous_commit=on".to_owned()];
        Self { cancels: false, settings, ..Self::app() }
    }

    /// No time limits, for migrations and long reads.
    pub fn unlimited() -> Self {
        Self {
            statement_timeout: Duration::ZERO,
            lock_timeout: Duration::ZERO,
            idle_in_transaction_timeout: Duration::ZERO,
            ..Self::default()
        }
    }

    pub(super) fn startup(&self) -> Result<String, PgError> {
        let mut options = String::new();
        let limits = [
            ("statement_timeout", self.statement_timeout),
            ("lock_timeout", self.lock_timeout),
            ("idle_in_transaction_session_timeout", self.idle_in_transaction_timeout),
        ];
        for (name, limit) in limits {
            let _ = write!(options, " -c {name}={}", limit.as_millis());
        }
        for (name, value) in TCP_SETTINGS {
            let _ = write!(options, " -c {name}={value}");
        }
        // A plan whose cost looks high is compiled for longer than any statement of ours takes.
        options.push_str(" -c jit=off");
        // What `alter role` has set for a proxy with the same login is not for this session.
        if self.role.is_none() {
            options.push_str(" -c role=none");
        }
        if let Some(role) = self.role {
            let plain = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            if !role.chars().all(plain) {
                return Err(PgError::Role(role));
            }
            let _ = write!(options, " -c role={role}");
        }
        for setting in &self.settings {
            let setting = setting.replace('\\', "\\\\").replace(' ', "\\ ");
            let _ = write!(options, " -c {setting}");
        }
        Ok(options)
    }
}

/// A pool, after one connection of it has been made.
///
/// # Errors
/// The URL cannot be read; the server is not reached; `ProxySettings`, `ProxyLosesStatements`.
pub async fn connect(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
) -> Result<Pool, PgError> {
    connect_with(url, options, None).await
}

/// The same; each connection that the pool makes goes through `created` before anybody gets it.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_with(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
    created: Option<Hook>,
) -> Result<Pool, PgError> {
    let url = url.to_database_url()?;
    let outer = outer::connections(options.connections_max);
    let connector = Connector::new(Destination::new(&url, options)?, options.cancels, outer);
    let builder = Pool::builder(connector)
        .max_size(options.connections_max)
        // The connection that was used last has its statements prepared, and its process their plans.
        .queue_mode(QueueMode::Lifo)
        .wait_timeout(Some(options.wait))
        .runtime(Runtime::Tokio1);
    let builder = match created {
        Some(created) => builder.post_create(created),
        None => builder,
    };
    let pool = builder.build().map_err(|error| PgError::Database(error.to_string()))?;
    drop(pool.get().await?);
    if options.proxied {
        proxy::check(&url, options).await?;
    }
    Ok(pool)
}

/// One connection outside any pool; its task ends when the client is dropped.
pub async fn connect_one(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
) -> Result<Client, PgError> {
    let (client, connection) = connect_with_messages(url, options).await?;
    tokio::spawn(drive(connection));
    Ok(client)
}

/// One connection whose messages, notifications among them, the caller polls.
pub(crate) async fn connect_with_messages(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
) -> Result<(Client, Connection), PgError> {
    let url = url.to_database_url()?;
    Destination::new(&url, options)?.connect().await
}

pub(super) fn prepare(
    url: &DatabaseUrl,
    options: &ConnectOptions,
) -> Result<(Config, MakeRustlsConnect), PgError> {
    let mut config = url.config.clone();
    config.application_name(options.application);
    let own = config.get_connect_timeout().copied();
    config.connect_timeout(own.unwrap_or(options.connect_timeout).min(options.connect_timeout));
    // The server's own limits do not reach a proxy, and a connection may lie idle for hours.
    let keepalives = Config::new();
    if config.get_keepalives_idle() == keepalives.get_keepalives_idle() {
        config.keepalives_idle(KEEPALIVES_IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_interval(KEEPALIVES_INTERVAL);
    }
    if config.get_keepalives_retries().is_none() {
        config.keepalives_retries(KEEPALIVES_RETRIES);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(LOST_AFTER);
    }
    if !options.proxied {
        let own = config.get_options().unwrap_or_default().to_owned();
        config.options(own + &options.startup()?);
    }
    Ok((config, tls::connector(url.root.as_deref())?))
}
