//! The shared parts that routes and workers use, and how they are created.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use infra::api_tokens::ApiTokens;
use infra::clock::Clock;
use infra::cluster::leader_lease::LeaderLease;
use infra::credentials::Credentials;
use infra::event_store::{Executor, ExecutorConfig, StartError};
use infra::ids::Ids;
use infra::installation::InstallationError;
use infra::invitations::Invitations;
use infra::keyring::{
    EscrowOptions, Keyring, KeyringError, KeyringOptions, RootFolder, RootStore, RootVault,
    RootVaultOptions, VaultTokenSource,
};
use infra::log::watermark::{Durable, Known, Watermark, WentBack};
use infra::log::{LOOKUP_LIMIT, ReadPositions, RowLookups};
use infra::mail::{Folder, MailError, Mailbox, Transport};
use infra::metrics::Metrics;
use infra::monitors::Monitors;
use infra::operators::Operators;
use infra::outbox::Outbox;
use infra::postgres::{ConnectOptions, Hook, PgError, Pool, connect, connect_with};
use infra::remote::Remote;
use infra::reservations::Reservations;
use infra::run_log::{DayLimit, RunLogs};
use infra::run_queue::RunQueue;
use infra::seats::Seats;
use infra::server_credentials::ServerCredentials;
use infra::sessions::Sessions;
use infra::workspace_rows::UnfinishedDeletions;
use projections::accounts::Accounts;
use projections::runs::Runs;
use projections::seat_pools::SeatPools;
use tokio::sync::watch;
use uuid::Uuid;

use crate::config::Config;
use crate::databases::Databases;
use crate::installation;
use crate::panicked::PanickedWorkers;
use crate::stuck_erasures::StuckErasures;

/// A start on a Vault that does not answer says so after this time, and a rotation waits.
const VAULT_WITHIN: Duration = Duration::from_secs(5);
/// After this time other nodes can claim the runs of a node that died.
const RUN_LEASE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct App {
    pub config: Arc<Config>,
    /// The id of this process among the nodes.
    pub node: Uuid,
    pub clock: Clock,
    pub ids: Ids,
    pub metrics: Arc<Metrics>,
    /// The events' database, as the application's role.
    pub pool: Pool,
    /// The keyring's database.
    pub keyring_pool: Pool,
    pub keyring: Keyring,
    pub executor: Executor,
    /// The newest event that is known: a log that went back is noticed.
    pub watermark: Durable,
    /// How far the readers of this node have read.
    pub read_positions: ReadPositions,
    /// Rows that are read through to the log.
    pub accounts: RowLookups<Accounts>,
    pub runs: RowLookups<Runs>,
    pub seat_pools: RowLookups<SeatPools>,
    pub reservations: Reservations,
    pub credentials: Credentials,
    pub sessions: Sessions,
    pub seats: Seats,
    pub operators: Operators,
    pub outbox: Outbox,
    pub invitations: Invitations,
    pub api_tokens: ApiTokens,
    pub leader_lease: LeaderLease,
    /// Every connection to a server starts here.
    pub remote: Remote,
    pub server_credentials: ServerCredentials,
    pub monitors: Monitors,
    pub run_queue: RunQueue,
    pub run_logs: RunLogs,
    /// Becomes true when this process is to stop.
    pub stopping: watch::Sender<bool>,
    pub transport: Transport,
    /// Where mails may have been written, also before SMTP was configured.
    pub mail_folder: Folder,
    /// The sender of mails.
    pub mail_from: Mailbox,
    /// The URL with which links in mails and in the `OpenAPI` document begin, without a final slash.
    pub public_url: Arc<str>,
    pub panicked: PanickedWorkers,
    pub stuck_erasures: StuckErasures,
    pub unfinished_deletions: UnfinishedDeletions,
}

/// What a process may make that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creation {
    /// Databases, the first root key, the folder of mails.
    All,
    /// The folder of mails.
    MailFolder,
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    #[error("the events' database: {0}")]
    Log(PgError),
    #[error("the keyring's database: {0}")]
    KeyringDatabase(PgError),
    #[error("the log was not compared with the newest event that is known: {0}")]
    Watermark(PgError),
    #[error(
        "{log} does not hold the newest event that is known of the log of this keyring: correct database_url \
         or keyring_url; or if it was restored, start `lethe serve`, which deals with it. Nothing was done: \
         {why}"
    )]
    AnotherLog { why: WentBack, log: String },
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error("the keyring: {0}")]
    Keyring(#[from] KeyringError),
    #[error("the log: {0}")]
    Executor(#[from] StartError),
    #[error("mail: {0}")]
    Mail(#[from] MailError),
}

impl App {
    /// Both databases must be up to date. `public_url` is where the API is reached.
    pub async fn start(
        config: Arc<Config>,
        databases: &Databases,
        metrics: Arc<Metrics>,
        public_url: &str,
        creation: Creation,
    ) -> Result<Self, WiringError> {
        // Before a log or a keyring that is another one is believed in anything.
        installation::open(databases, creation).await?;
        let (clock, ids) = (Clock::system(), Ids::system());
        let node = ids.uuid();
        let known = Watermark::new(metrics.log_went_back.clone());
        let pool = log_pool(&config, databases, Some(known.hook())).await?;
        // Before anything is decided by it.
        clock.compare(&pool).await.map_err(WiringError::Log)?;
        let keyring_pool = keyring_pool(&config, databases).await?;
        let watermark = Durable::new(known.clone(), pool.clone(), keyring_pool.clone());
        let found = watermark.load().await.map_err(WiringError::Watermark)?;
        if found == Known::WentBack && creation == Creation::Nothing {
            let why = known.check().err().unwrap_or(WentBack::Noticed);
            return Err(WiringError::AnotherLog { why, log: databases.log.to_string() });
        }
        let keyring = keyring(&config, keyring_pool.clone(), clock.clone(), creation).await?;
        let executor = Executor::start(
            ExecutorConfig { watermark: known, ..ExecutorConfig::default() },
            pool.clone(),
            &databases.direct,
            keyring.sealer.clone(),
            keyring.request_macs.clone(),
            Arc::clone(&metrics),
        );
        let transport = transport(&config, creation).await?;
        let server_credentials =
            ServerCredentials::new(pool.clone(), keyring.sealer.clone(), clock.clone());
        Ok(Self {
            node,
            executor: executor.await?,
            watermark,
            read_positions: ReadPositions::default(),
            server_credentials,
            run_logs: run_logs(&config, node, &pool, &keyring, &metrics, &clock),
            keyring,
            accounts: RowLookups::start(pool.clone(), &metrics, LOOKUP_LIMIT),
            runs: RowLookups::start(pool.clone(), &metrics, LOOKUP_LIMIT),
            seat_pools: RowLookups::start(pool.clone(), &metrics, LOOKUP_LIMIT),
            reservations: Reservations::new(pool.clone()),
            credentials: Credentials::new(pool.clone(), clock.clone()),
            sessions: Sessions::new(pool.clone(), clock.clone()),
            seats: Seats::new(pool.clone()),
            operators: Operators::new(pool.clone(), clock.clone()),
            outbox: Outbox::new(pool.clone(), clock.clone()),
            invitations: Invitations::new(pool.clone()),
            api_tokens: ApiTokens::new(pool.clone(), clock.clone()),
            leader_lease: LeaderLease::new(pool.clone(), node),
            run_queue: RunQueue::new(pool.clone(), RUN_LEASE),
            stopping: watch::Sender::new(false),
            remote: Remote::new(config.egress_allow.clone(), config.remote_options()),
            monitors: Monitors::new(pool.clone(), node, clock.clone()),
            transport,
            mail_folder: Folder::existing(config.mail_dir.clone()),
            mail_from: Mailbox::parse(&config.mail_from)?,
            public_url: public_url.trim_end_matches('/').into(),
            panicked: PanickedWorkers::default(),
            stuck_erasures: StuckErasures::default(),
            unfinished_deletions: UnfinishedDeletions::default(),
            config,
            clock,
            ids,
            metrics,
            pool,
            keyring_pool,
        })
    }
}

fn run_logs(
    config: &Config,
    node: Uuid,
    pool: &Pool,
    keyring: &Keyring,
    metrics: &Metrics,
    clock: &Clock,
) -> RunLogs {
    let reached = metrics.run_log_quota_reached.clone();
    let limit = DayLimit { node, bytes: config.run_log_bytes_per_day, reached };
    let (sealer, days) = (keyring.sealer.clone(), keyring.content_days);
    RunLogs::new(pool.clone(), sealer, days, limit, clock.clone())
}

/// Connections to the events' database, as the application's role. Each goes through `created`.
pub async fn log_pool(
    config: &Config,
    databases: &Databases,
    created: Option<Hook>,
) -> Result<Pool, WiringError> {
    let options = ConnectOptions {
        connections_max: config.pool_size.into(),
        proxied: config.is_proxied(),
        ..ConnectOptions::app()
    };
    connect_with(&databases.log, &options, created).await.map_err(WiringError::Log)
}

pub async fn keyring_pool(config: &Config, databases: &Databases) -> Result<Pool, WiringError> {
    let options = ConnectOptions {
        connections_max: config.pool_size.into(),
        // Requests wait for keys, so waiting is short.
        statement_timeout: Duration::from_secs(10),
        ..ConnectOptions::keyring()
    };
    connect(&databases.keyring, &options).await.map_err(WiringError::KeyringDatabase)
}

/// Creates the first root key of a keyring that never had one.
pub async fn create_first_root(config: &Config, pool: Pool) -> Result<(), WiringError> {
    let roots = root_store(config)?;
    Ok(Keyring::create_first_root(pool, roots, Clock::system()).await?)
}

/// Where the root keys are: a folder, unless a Vault is set.
pub fn root_store(config: &Config) -> Result<Arc<dyn RootStore>, KeyringError> {
    let Some(address) = &config.root_vault else {
        return Ok(Arc::new(RootFolder::open(&config.root_dir, Some(&config.data_dir))?));
    };
    let token = match (&config.root_vault_token, &config.root_vault_token_file) {
        (Some(token), _) => VaultTokenSource::Token(token.clone()),
        (None, file) => VaultTokenSource::File(file.clone().unwrap_or_default()),
    };
    let options = RootVaultOptions {
        address: address.clone(),
        token,
        mount: config.root_vault_mount.clone(),
        prefix: config.root_vault_prefix.clone(),
        authority: config.root_vault_ca.clone(),
        within: VAULT_WITHIN,
    };
    Ok(Arc::new(RootVault::open(options)?))
}

async fn transport(config: &Config, creation: Creation) -> Result<Transport, MailError> {
    match &config.smtp_url {
        Some(smtp) => Ok(Transport::Smtp(smtp.clone())),
        None if creation == Creation::Nothing => {
            Ok(Transport::existing_folder(config.mail_dir.clone()))
        }
        None => Transport::folder(config.mail_dir.clone()).await,
    }
}

pub async fn keyring(
    config: &Config,
    pool: Pool,
    clock: Clock,
    creation: Creation,
) -> Result<Keyring, WiringError> {
    let escrow = config.escrow_recipient.clone().map(|recipient| EscrowOptions {
        recipient,
        dir: config.escrow_dir.clone(),
        keep: TimeDelta::days(config.escrow_days.into()),
    });
    let roots = root_store(config)?;
    let creates_root = creation == Creation::All;
    let root_retention = TimeDelta::hours(config.root_retention_hours.into());
    let options = KeyringOptions {
        copy: config.copy_dir.clone(),
        escrow,
        creates_root,
        makes_escrow: creation != Creation::Nothing,
        root_retention,
        ..KeyringOptions::default()
    };
    Ok(Keyring::start(pool, roots, options, clock).await?)
}
