//! The workers on real PostgreSQL: a harness of databases and folders, and nodes that share it.

mod due;
mod email_index;
mod erased_members;
mod erased_rows;
mod erased_snapshots;
mod erasing;
mod failing_over;
mod former_addresses;
mod giving_up;
mod holdings;
mod issuing;
mod keys;
mod known_erasures;
mod large_erasures;
mod late_requests;
mod leaving;
mod lost_fences;
mod mailing;
mod observing;
mod pending_erasures;
mod preparing;
mod refused;
mod renewing;
mod requesters;
mod restoring;
mod resumed_runs;
mod rotating;
mod seating;
mod server_keys;
mod signed_out;
mod signed_out_many;
mod signing_in;
mod signing_out;
mod sweeping;
mod telling;
mod undeleted_mails;
mod unverified;
mod unverified_turns;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{Account, AccountCommand, Proof};
use domain::privacy::{EmailAddress, IpAddress, Label, PersonName, Personal, UserAgent};
use domain::session::{Session, SessionCommand, SessionKind};
use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{AccountId, CommandId, CredentialId, ProofId, SessionId, WorkspaceId};
use infra::api_tokens::ApiTokens;
use infra::clock::Clock;
use infra::cluster::leader_lease::LeaderLease;
use infra::credentials::{Credentials, HashQueue, Password};
use infra::event_store::{
    ExecuteError, Executor, ExecutorConfig, Receipt, Request, ReservationChange, Step,
};
use infra::ids::Ids;
use infra::invitations::Invitations;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::log::watermark::{Durable, Watermark};
use infra::log::{
    Feed, ReadPositions, ReaderOptions, Readers, Recorded, RowLookups, Worker, WorkerError,
    wait_for,
};
use infra::mail::{Folder, Mailbox, Transport};
use infra::metrics::Metrics;
use infra::monitors::Monitors;
use infra::operators::Operators;
use infra::outbox::Outbox;
use infra::postgres::{ConnectOptions, DatabaseUrl, Pool, connect, connect_one};
use infra::remote::Remote;
use infra::reservations::Reservations;
use infra::run_log::{DayLimit, RunLogs};
use infra::run_queue::RunQueue;
use infra::seats::Seats;
use infra::server_credentials::ServerCredentials;
use infra::sessions::{NewSession, Sessions};
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use test_support::{Databases, LIMIT, databases};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) use holdings::issue;

use super::session_closer::SessionCloser;
use crate::config::{Config, Layers};
use crate::panicked::PanickedWorkers;
use crate::wiring::App;
use restoring::take_over;
use signing_in::{sign_in, sign_in_at};
use sweeping::damage;

const PASSWORD: &str = "correct horse battery";

/// Databases, roots, a mail folder and a time that nodes share.
pub(crate) struct Harness {
    databases: Databases,
    dir: TempDir,
    pub(crate) clock: Clock,
    ids: Ids,
}

pub(crate) struct Person {
    pub(crate) account: AccountId,
    credential: CredentialId,
    verification: Proof,
    email: &'static str,
}

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self {
            databases: databases().await.unwrap(),
            dir: tempfile::tempdir().unwrap(),
            clock: Clock::fixed(noon()),
            ids: Ids::seeded(11),
        }
    }

    /// The file of the first root key.
    pub(crate) fn root_file(&self) -> std::path::PathBuf {
        self.dir.path().join("roots/root-1.key")
    }

    /// As the settings name them.
    pub(crate) fn databases(&self) -> crate::databases::Databases {
        let log: DatabaseUrl = self.databases.log_url.parse().unwrap();
        let keyring = self.databases.keyring_url.parse().unwrap();
        crate::databases::Databases { direct: log.clone(), log, keyring, cluster: None }
    }

    pub(crate) async fn node(&self) -> App {
        let mail = Transport::folder(self.dir.path().join("mail")).await.unwrap();
        self.node_with(mail, &self.databases.log_url).await
    }

    async fn node_with(&self, transport: Transport, log_url: &str) -> App {
        self.node_of(transport, log_url, ConnectOptions::app()).await
    }

    async fn node_of(&self, transport: Transport, log_url: &str, options: ConnectOptions) -> App {
        let pool = connect(log_url, &options).await.unwrap();
        let keyring_pool = connect(&self.databases.keyring_url, &options).await.unwrap();
        let keyring = self.keyring(&keyring_pool).await;
        let (clock, metrics) = (self.clock.clone(), Arc::new(Metrics::new().unwrap()));
        let (node, known) = (self.ids.uuid(), Watermark::default());
        let executor = Executor::start(
            ExecutorConfig { watermark: known.clone(), ..ExecutorConfig::default() },
            pool.clone(),
            log_url,
            keyring.sealer.clone(),
            keyring.request_macs.clone(),
            metrics.clone(),
        );
        let mail_folder = match &transport {
            Transport::Folder(folder) => folder.clone(),
            Transport::Smtp(_) => Folder::existing(self.dir.path().join("mail")),
        };
        let config = Config::of(&Layers::default()).unwrap();
        App {
            remote: Remote::new(config.egress_allow.clone(), config.remote_options()),
            server_credentials: ServerCredentials::new(
                pool.clone(),
                keyring.sealer.clone(),
                clock.clone(),
            ),
            monitors: Monitors::new(pool.clone(), node, clock.clone()),
            config: Arc::new(config),
            node,
            ids: self.ids.clone(),
            executor: executor.await.unwrap(),
            watermark: Durable::new(known, pool.clone(), keyring_pool.clone()),
            read_positions: ReadPositions::default(),
            accounts: RowLookups::start(pool.clone(), &metrics, LIMIT),
            runs: RowLookups::start(pool.clone(), &metrics, LIMIT),
            seat_pools: RowLookups::start(pool.clone(), &metrics, LIMIT),
            reservations: Reservations::new(pool.clone()),
            credentials: Credentials::new(pool.clone(), clock.clone()),
            sessions: Sessions::new(pool.clone(), clock.clone()),
            seats: Seats::new(pool.clone()),
            operators: Operators::new(pool.clone(), clock.clone()),
            outbox: Outbox::new(pool.clone(), clock.clone()),
            invitations: Invitations::new(pool.clone()),
            api_tokens: ApiTokens::new(pool.clone(), clock.clone()),
            leader_lease: LeaderLease::new(pool.clone(), node),
            run_queue: RunQueue::new(pool.clone(), Duration::from_secs(5)),
            run_logs: RunLogs::new(
                pool.clone(),
                keyring.sealer.clone(),
                keyring.content_days,
                DayLimit { node, bytes: 1 << 40, reached: metrics.run_log_quota_reached.clone() },
                clock.clone(),
            ),
            stopping: watch::Sender::new(false),
            transport,
            mail_folder,
            mail_from: Mailbox::parse("Lethe <lethe@localhost>").unwrap(),
            public_url: "https://lethe.test".into(),
            panicked: PanickedWorkers::default(),
            stuck_erasures: crate::stuck_erasures::StuckErasures::default(),
            unfinished_deletions: infra::workspace_rows::UnfinishedDeletions::default(),
            clock,
            metrics,
            pool,
            keyring_pool,
            keyring,
        }
    }

    async fn keyring(&self, pool: &Pool) -> Keyring {
        let roots = RootFolder::open(self.dir.path().join("roots").as_path(), None).unwrap();
        let options =
            KeyringOptions { root_retention: TimeDelta::zero(), ..KeyringOptions::default() };
        Keyring::start(pool.clone(), Arc::new(roots), options, self.clock.clone()).await.unwrap()
    }

    /// The mails in the folder, in no order.
    fn mails(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.dir.path().join("mail")).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

async fn ask(
    app: &App,
    account: AccountId,
    session: Option<SessionId>,
    command: AccountCommand,
) -> Result<Receipt, ExecuteError> {
    let command_id = CommandId(app.ids.uuid());
    let request = Request { session, ..Request::new(account.into(), command_id) };
    app.executor.execute(&request, &[Step::new::<Account>(account.0, command)]).await
}

fn proof(app: &App) -> Proof {
    Proof { id: ProofId(app.ids.uuid()), until: app.clock.now() + TimeDelta::days(1) }
}

fn address(email: &str) -> EmailAddress {
    EmailAddress::parse(email).unwrap()
}

async fn hash(app: &App, account: AccountId) -> CredentialId {
    let credential = CredentialId(app.ids.uuid());
    let password = Password::parse(SecretString::from(PASSWORD)).unwrap();
    let hash = app.credentials.hash(password, HashQueue::Known).await.unwrap();
    app.credentials.insert(account, credential, &hash).await.unwrap();
    credential
}

pub(crate) async fn register(app: &App, email: &'static str) -> Person {
    register_as(app, AccountId(app.ids.uuid()), email).await
}

async fn register_as(app: &App, account: AccountId, email: &'static str) -> Person {
    let (credential, verification) = (hash(app, account).await, proof(app));
    let mut request = Request::new(account.into(), CommandId(app.ids.uuid()));
    for (kind, blind_index) in app.keyring.email_index.indexes(&address(email)).await.unwrap() {
        request.reservations.push(ReservationChange::Take { kind, blind_index, owner: account.0 });
    }
    let command = AccountCommand::Register {
        email: Personal::Clear(address(email)),
        name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
        username: None,
        credential,
        verification,
    };
    app.executor.execute(&request, &[Step::new::<Account>(account.0, command)]).await.unwrap();
    Person { account, credential, verification, email }
}

async fn log(app: &App) -> Vec<Recorded> {
    Feed::page(&app.pool.get().await.unwrap(), 0, 10_000).await.unwrap()
}

/// A workspace of one member.
pub(crate) async fn create_workspace(app: &App, owner: AccountId) -> WorkspaceId {
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let steps = [Step::new::<Workspace>(workspace.0, WorkspaceCommand::Create { name, owner })];
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &steps).await.unwrap();
    workspace
}

/// Hands the session closer every event that names a hash.
pub(crate) async fn name_hashes(app: &App) {
    react(app, &SessionCloser::new(app, &Arc::default())).await.unwrap();
}

pub(crate) async fn sweep_credentials(app: &App) {
    super::sweeps::sweep_credentials(app.clone()).await.unwrap();
}

pub(crate) async fn sweep_unnamed_tokens(app: &App) {
    super::sweeps::sweep_unnamed_tokens(app.clone()).await.unwrap();
}

/// The types of the events of a stream.
async fn event_types(app: &App, stream: Uuid) -> Vec<String> {
    let of_stream = log(app).await.into_iter().filter(|event| event.stream_id() == stream);
    of_stream.map(|event| event.event_type().to_owned()).collect()
}

/// Hands a worker every event that it reads, each in a transaction of its own.
async fn react(app: &App, worker: &dyn Worker) -> Result<(), WorkerError> {
    for event in log(app).await {
        if worker.event_types().contains(&event.event_type()) {
            let mut client = app.pool.get().await.unwrap();
            let tx = client.transaction().await?;
            worker.react(&event, &tx).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

async fn count(app: &App, sql: &str) -> i64 {
    app.pool.get().await.unwrap().query_one(sql, &[]).await.unwrap().get(0)
}

/// Brings the read models up to the end of the log.
async fn project(app: &App) {
    let position = log(app).await.last().unwrap().position();
    let (wake, options) = (app.executor.appended(), ReaderOptions::of(app.node));
    let (all, metrics, positions) =
        (projections::all(), app.metrics.clone(), app.read_positions.clone());
    let (pool, known) = (app.pool.clone(), app.watermark.watermark().clone());
    let readers =
        Readers::start(pool, wake, all, options, metrics, positions, known).await.unwrap();
    let reached = [
        wait_for::<projections::accounts::Accounts>(&app.pool, position, LIMIT).await,
        wait_for::<projections::memberships::Memberships>(&app.pool, position, LIMIT).await,
        wait_for::<projections::workspaces::Workspaces>(&app.pool, position, LIMIT).await,
    ];
    assert_eq!(reached.map(Result::unwrap), [true; 3]);
    readers.stop().await;
}
