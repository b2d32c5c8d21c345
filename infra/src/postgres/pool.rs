//! Connections: TLS beyond this machine, limits on every statement, and the application's role.

use std::fmt::Write;
use std::time::Duration;

use deadpool::managed::QueueMode;
use deadpool_postgres::{ManagerConfig, RecyclingMethod, Runtime, Timeouts};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

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
pub type HookError = deadpool::managed::HookError<tokio_postgres::Error>;
/// Why a pool gives no connection.
pub type PoolError = deadpool::managed::PoolError<tokio_postgres::Error>;
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
    /// For reaching the server, at each of its addresses.
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
    let (config, tls) = prepare(&url, options)?;
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let timeouts = Timeouts {
        wait: Some(options.wait),
        create: Some(options.connect_timeout * places(&config)),
        recycle: Some(options.connect_timeout),
    };
    let cancels = options.cancels.then(|| tls.clone());
    let connects = deadpool_postgres::Manager::from_config(config, tls, recycling);
    let outer = outer::connections(options.connections_max);
    let builder = Pool::builder(Connector::new(connects, cancels, outer))
        .max_size(options.connections_max)
        // The connection that was used last has its statements prepared, and its process their plans.
        .queue_mode(QueueMode::Lifo)
        .timeouts(timeouts)
        .runtime(Runtime::Tokio1);
    let builder = match created {
        Some(created) => builder.post_create(created),
        None => builder,
    };
    let pool = builder.build().map_err(|error| PgError::Database(error.to_string()))?;
    match pool.get().await {
        Ok(_) if options.proxied => proxy::check(&url, options).await.map(|()| pool),
        Ok(_) => Ok(pool),
        Err(PoolError::Backend(error)) => Err(not_connected(&url, error)),
        Err(error) => Err(error.into()),
    }
}

/// One connection outside any pool; its task ends when the client is dropped.
pub async fn connect_one(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
) -> Result<Client, PgError> {
    let (client, connection) = connect_with_messages(url, options).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // Whoever still uses the client gets the error of its next statement.
            tracing::debug!(error = super::describe(&error), "a database connection ended");
        }
    });
    Ok(client)
}

/// One connection whose messages, notifications among them, the caller polls.
pub(crate) async fn connect_with_messages(
    url: &(impl ToDatabaseUrl + ?Sized),
    options: &ConnectOptions,
) -> Result<(Client, Connection), PgError> {
    let url = url.to_database_url()?;
    let (config, tls) = prepare(&url, options)?;
    // The driver's own limit is for the connection alone: a host that says nothing on it is not waited for.
    let limit = options.connect_timeout * places(&config).saturating_add(1);
    let Ok(connected) = tokio::time::timeout(limit, config.connect(tls)).await else {
        let reason = format!("no answer within {} s", limit.as_secs_f32());
        return Err(PgError::Unreachable { place: url.place(), reason });
    };
    connected.map_err(|error| not_connected(&url, error))
}

/// How many hosts are tried, one after the other.
fn places(config: &Config) -> u32 {
    let places = config.get_hosts().len().max(config.get_hostaddrs().len());
    u32::try_from(places).unwrap_or(u32::MAX).max(1)
}

/// What the server itself answered is an error of its own: it is reached.
fn not_connected(url: &DatabaseUrl, error: tokio_postgres::Error) -> PgError {
    if error.as_db_error().is_some() {
        return error.into();
    }
    let reason = super::describe(&error);
    let reason = reason.trim_start_matches("error connecting to server: ").to_owned();
    PgError::Unreachable { place: url.place(), reason }
}

pub(super) fn prepare(
    url: &DatabaseUrl,
    options: &ConnectOptions,
) -> Result<(Config, MakeRustlsConnect), PgError> {
    let mut config = url.config.clone();
    config.application_name(options.application);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(options.connect_timeout);
    }
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
