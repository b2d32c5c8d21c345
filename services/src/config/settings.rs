//! Every setting: one declaration is its name, type, default and help.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use domain::privacy::deadlines;
use domain::server::UnreachableThreshold;
use infra::keyring::{VaultAddress, VaultMount, VaultPrefix, VaultToken};
use infra::mail::Smtp;
use infra::postgres::DatabaseUrl;
use infra::remote::{Egress, RemoteOptions};

use super::cors_origins::CorsOrigins;
use super::error::{ConfigError, Origin};
use super::layers::Layers;
use super::place;
use super::public_url::PublicUrl;
use super::value::{DefaultValue, LogFormat, Value};

settings! {
    /// The address on which the API listens; port 0 chooses a free port.
    listen: SocketAddr = "127.0.0.1:8080",
    /// The address on which the metrics are served; port 0 chooses a free port.
    metrics_listen: SocketAddr = "127.0.0.1:9090",
    /// The URL of the events' database; without it, Lethe starts a private PostgreSQL.
    database_url: Option<DatabaseUrl> = "",
    /// The URL of the events' database without a pooling proxy, for LISTEN and migrations.
    direct_url: Option<DatabaseUrl> = "",
    /// The URL of the keyring's database; by default on the events' server, with `_keys` after the name.
    keyring_url: Option<DatabaseUrl> = beside(direct_url.as_ref().or(database_url.as_ref())),
    /// The most connections in a pool.
    pool_size: u16 = "12",
    /// The folder of the private PostgreSQL and of the mail folder.
    data_dir: PathBuf = place::data_dir(),
    /// The folder of the root keys: outside the data directory, and not in its backups.
    root_dir: PathBuf = place::root_dir(),
    /// Whether folders must be on volumes: true in the container, with which any other folder is lost.
    volumes_required: bool = "false",
    /// The URL of a Vault whose transit engine keeps the root keys, in place of the folder.
    root_vault: Option<VaultAddress> = "",
    /// The file of Vault's token, which is read for each request: an agent may renew it.
    root_vault_token_file: Option<PathBuf> = "",
    /// Vault's token, if no file has it.
    root_vault_token: Option<VaultToken> = "",
    /// The file of the certificates to trust for Vault; by default the web's authorities.
    root_vault_ca: Option<PathBuf> = "",
    /// The path at which Vault's transit engine is mounted.
    root_vault_mount: VaultMount = "transit",
    /// How the names of the keys in Vault begin: each installation has its own.
    root_vault_prefix: VaultPrefix = "lethe-root-",
    /// The URL with which links in mails begin; by default the API's address, unless that is every address.
    public_url: Option<PublicUrl> = "",
    /// Origins of other sites whose pages may use the API, such as `https://app.example`, separated by commas.
    cors_origins: CorsOrigins = "",
    /// The URL of the mail server; without it, mails are written into a folder.
    smtp_url: Option<Smtp> = "",
    /// The sender of mails.
    mail_from: String = "Lethe <lethe@localhost>",
    /// The folder for mails without a mail server; by default `mail` in the data directory.
    mail_dir: PathBuf = data_dir.join("mail").display().to_string(),
    /// The folder of the keyring's copy, by default `keyring-copy` beside that of the root keys; empty: none is kept.
    copy_dir: Option<PathBuf> = root_dir.with_file_name("keyring-copy").display().to_string(),
    /// The age recipient to whom old root keys are escrowed; without one they are only erased.
    escrow_recipient: Option<String> = "",
    /// The folder of escrowed root keys; by default `escrow` beside the folder of the root keys.
    escrow_dir: PathBuf = root_dir.with_file_name("escrow").display().to_string(),
    /// Days after which an escrowed root key is erased.
    escrow_days: u32 = "7",
    /// Days in which an erasure can be cancelled, unless the request names another number.
    erasure_grace_days: u32 = "7",
    /// The least number of such days that a request may name.
    erasure_grace_days_min: u32 = "0",
    /// Days unused after which an account whose address nobody verified gets a notice, and is erased a week later; 0: never.
    unverified_accounts_days: u32 = "30",
    /// Hours after which the root key is replaced.
    root_rotation_hours: u32 = "24",
    /// Hours for which an old root key is kept after the last key was wrapped under the new one.
    root_retention_hours: u32 = "24",
    /// Minutes without a request after which a session ends.
    session_idle_minutes: u32 = "60",
    /// Days after which a session ends, also if it is used.
    session_absolute_days: u32 = "30",
    /// The number of seats of a new workspace.
    seat_limit_default: u32 = "5",
    /// Seconds after which a seat's lease expires unless it is renewed.
    seat_lease_seconds: u32 = "120",
    /// The number of trusted proxies before the API, whose X-Forwarded-For is used.
    trusted_proxies: u16 = "0",
    /// Requests per second from one address.
    address_requests_per_second: u32 = "100",
    /// Requests per second of one account.
    account_requests_per_second: u32 = "50",
    /// Requests per second with one operator's token.
    operator_requests_per_second: u32 = "50",
    /// Sign-ins per minute from one address, or to one account.
    sign_ins_per_minute: u32 = "10",
    /// Registrations per hour from one address.
    registrations_per_hour: u32 = "20",
    /// Mails per hour that one address may cause or receive.
    mails_per_hour: u32 = "20",
    /// The most servers in a workspace.
    servers_max: u32 = "1000",
    /// Checks of servers per minute that one account may request.
    checks_per_minute: u32 = "20",
    /// Networks of servers besides public addresses: CIDR:PORT or CIDR:*, separated by commas.
    egress_allow: Egress = "",
    /// Seconds that each stage of a connection to a server may take.
    ssh_connect_seconds: u32 = "5",
    /// Seconds between two probes of a server; 0 disables monitoring.
    monitor_seconds: u32 = "30",
    /// Seconds after which a server is probed over a new connection, which shows that its credential still works.
    watch_fresh_seconds: u32 = "600",
    /// Seconds during which probes of a server must fail, at least three, before it counts as unreachable.
    unreachable_seconds: u32 = "90",
    /// Days for which the samples of servers are kept.
    sample_days: u32 = "30",
    /// The most runs on one server at the same time.
    runs_per_server: u32 = "4",
    /// The most runs of one workspace at the same time.
    runs_per_workspace: u32 = "20",
    /// The most runs that one account has requested, in all its workspaces, at the same time.
    runs_per_account: u32 = "20",
    /// The most runs of one node at the same time; the last fifth is kept for workspaces and accounts that have none.
    runs_per_node: u32 = "200",
    /// The most runs of one workspace that wait, one for each server.
    runs_queued_per_workspace: u32 = "1000",
    /// Seconds without an answer from its server after which a run counts as lost.
    run_lost_seconds: u32 = "600",
    /// The most bytes in a run's log; a longer log ends with a line that says so.
    run_log_bytes_max: u32 = "67108864",
    /// The most bytes that the logs of one workspace may store in a day (UTC); a log that exceeds them ends, too.
    run_log_bytes_per_day: u64 = "10737418240",
    /// Hours for which the generation that a projection has shown is kept after another one is promoted; 0: not at all.
    replay_keep_hours: u32 = "24",
    /// Seconds in which running requests must end when Lethe stops.
    drain_seconds: u32 = "20",
    /// Threads that serve requests; by default one for each core.
    workers: Option<u16> = "",
    /// The format of the log on standard error: text or json.
    log_format: LogFormat = "text",
    /// The filter of the log, in the syntax of tracing's `EnvFilter`; by default info.
    log: Option<String> = "",
}

impl Config {
    /// From the flags, this process's environment, and a file.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::of(&Layers::here(flags.config.clone(), flags.given())?)
    }

    pub fn origin(&self, setting: &str) -> &Origin {
        self.origins.get(setting).unwrap_or(&Origin::Default)
    }

    /// Whether the way to the API is encrypted or local: it listens on this machine only, or is reached
    /// through a proxy with TLS.
    pub fn is_private(&self) -> bool {
        let is_encrypted = self.public_url.as_ref().is_some_and(PublicUrl::is_encrypted);
        self.listen.ip().is_loopback() || is_encrypted
    }

    /// The URL with which links in mails begin, and the origin of our own pages: what the settings say,
    /// else where the API listens, which is one address then.
    pub fn public_url_at(&self, listens: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.as_str().to_owned(),
            None => format!("http://{listens}"),
        }
    }

    /// Whether requests reach the events' database through a pooling proxy.
    pub fn is_proxied(&self) -> bool {
        self.direct_url.is_some() && self.direct_url != self.database_url
    }

    /// How long each stage of a connection to a server may take.
    pub fn remote_options(&self) -> RemoteOptions {
        let stage = Duration::from_secs(self.ssh_connect_seconds.into());
        RemoteOptions {
            resolve_within: stage,
            connect_within: stage,
            identify_within: stage,
            exchange_within: stage,
            authenticate_within: stage,
            open_within: stage,
            ..RemoteOptions::default()
        }
    }

    /// When a server that is not reached counts as unreachable.
    pub fn unreachable_threshold(&self) -> UnreachableThreshold {
        let over = TimeDelta::seconds(self.unreachable_seconds.into());
        UnreachableThreshold { over, ..UnreachableThreshold::default() }
    }

    /// Days after which a root key that wrapped erased keys is gone from its store.
    pub fn rotation_days(&self) -> i64 {
        deadlines::rotation_days(self.root_rotation_hours, self.root_retention_hours)
    }

    /// The most days in which an erasure can be cancelled.
    pub fn grace_days_max(&self) -> i64 {
        deadlines::grace_days_max(self.escrow_days.into(), self.rotation_days())
    }

    /// The data folder of the private PostgreSQL; none when the databases are on another server.
    pub fn private_data(&self) -> Option<PathBuf> {
        self.database_url.is_none().then(|| self.cluster_dir().join("data"))
    }

    /// The folder of the private PostgreSQL.
    pub fn cluster_dir(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }
}

fn beside(events: Option<&DatabaseUrl>) -> Option<DatabaseUrl> {
    let events = events?;
    Some(events.with_database(&format!("{}_keys", events.database()?)))
}
