//! What Lethe is told: flags over the environment over a TOML file over defaults.

mod check;
mod layers;
mod place;
#[macro_use]
mod settings;
#[cfg(test)]
mod tests;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use domain::server::UnreachableThreshold;
use infra::remote::{Egress, RemoteOptions};

pub use layers::{Layers, Origin};
pub use settings::ConfigError;
pub use value::{LogFormat, Url, Value, with_database};

settings! {
    /// Where the API listens; port 0 takes a free one.
    listen: SocketAddr = "127.0.0.1:8080",
    /// Where Prometheus finds the metrics; port 0 takes a free one.
    metrics_listen: SocketAddr = "127.0.0.1:9090",
    /// The events' database; without one, Lethe starts a private PostgreSQL.
    database_url: Option<Url> = "",
    /// The events' database past any pooling proxy, for LISTEN and migrations.
    direct_url: Option<Url> = "",
    /// The keyring's database; by default beside the events', its name with `_keys` after it.
    keyring_url: Option<Url> = beside(direct_url.as_ref().or(database_url.as_ref())),
    /// Connections that a pool may open.
    pool_size: u16 = "12",
    /// Where the private PostgreSQL and the mail folder are kept.
    data_dir: PathBuf = place::data_dir(),
    /// Where the root keys are kept: outside the data directory, and out of its backups.
    root_dir: PathBuf = place::root_dir(),
    /// How links in mails begin; by default the API's own address.
    public_url: Option<String> = "",
    /// The mail server; without one, mails are written to a folder.
    smtp_url: Option<Url> = "",
    /// Whom mails come from.
    mail_from: String = "Lethe <lethe@localhost>",
    /// The folder for mails without a mail server; by default `mail` in the data directory.
    mail_dir: PathBuf = data_dir.join("mail").display().to_string(),
    /// The age recipient to whom old root keys are escrowed; without one they are just destroyed.
    escrow_recipient: Option<String> = "",
    /// Where escrowed root keys stand; by default `escrow` beside the root keys' directory.
    escrow_dir: PathBuf = root_dir.with_file_name("escrow").display().to_string(),
    /// Days for which an old root key stays in escrow.
    escrow_days: u32 = "7",
    /// Days for which an erasure can be taken back, unless the request says otherwise.
    erasure_grace_days: u32 = "7",
    /// The fewest such days that a request may say.
    erasure_grace_days_min: u32 = "0",
    /// Hours after which the root key is replaced.
    root_rotation_hours: u32 = "24",
    /// Minutes without a request after which a session ends.
    session_idle_minutes: u32 = "60",
    /// Days after which a session ends whatever happens.
    session_absolute_days: u32 = "30",
    /// Seats that a new workspace has.
    seat_limit_default: u32 = "5",
    /// Seconds for which a seat is held unless its lease is renewed.
    seat_lease_seconds: u32 = "120",
    /// Our own proxies before the API, whose X-Forwarded-For is believed.
    trusted_proxies: u16 = "0",
    /// Requests a second that one address may make.
    address_requests_per_second: u32 = "100",
    /// Requests a second that one account may make.
    account_requests_per_second: u32 = "50",
    /// Sign-ins a minute from one address, or to one account.
    sign_ins_per_minute: u32 = "10",
    /// Registrations an hour from one address.
    registrations_per_hour: u32 = "20",
    /// Mails an hour that one address may cause, or get.
    mails_per_hour: u32 = "20",
    /// Servers that a workspace may have.
    servers_max: u32 = "1000",
    /// Checks of servers a minute that one account may ask for.
    checks_per_minute: u32 = "20",
    /// Beside public addresses, where servers may be: CIDR:PORT or CIDR:*, separated by commas.
    egress_allow: Egress = "",
    /// Seconds that each stage of a connection to a server may take.
    ssh_connect_seconds: u32 = "5",
    /// Seconds between two looks at a server; 0 looks at none.
    monitor_seconds: u32 = "30",
    /// Seconds for which a server must fail, at least three times, before it is unreachable.
    unreachable_seconds: u32 = "90",
    /// Days for which what was measured of servers is kept.
    sample_days: u32 = "30",
    /// Runs at work on one server at once.
    runs_per_server: u32 = "4",
    /// Runs of one workspace at work at once.
    runs_per_workspace: u32 = "20",
    /// Runs that one node works on at once.
    runs_per_node: u32 = "50",
    /// Seconds without an answer of its server after which a run counts as lost.
    run_lost_seconds: u32 = "600",
    /// Bytes of a run's log that are kept; the log says where it was cut.
    run_log_bytes_max: u32 = "67108864",
    /// Seconds that requests under way may take once Lethe is told to stop.
    drain_seconds: u32 = "20",
    /// Threads that answer requests; by default one a core.
    workers: Option<u16> = "",
    /// How the log is written: text or json.
    log_format: LogFormat = "text",
    /// What the log says, as tracing's filter takes it; by default info of what serves.
    log: Option<String> = "",
}

impl Config {
    /// Whether nobody can listen on the way to the API: it stays on this machine, or is reached
    /// through a proxy with TLS.
    pub fn is_private(&self) -> bool {
        let public = self.public_url.as_deref().map(Url::new);
        self.listen.ip().is_loopback() || public.is_some_and(|url| url.scheme() == "https")
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

    /// When a server that is not reached is called unreachable.
    pub fn unreachable_threshold(&self) -> UnreachableThreshold {
        let over = TimeDelta::seconds(self.unreachable_seconds.into());
        UnreachableThreshold { over, ..UnreachableThreshold::default() }
    }

    /// The folder of the private PostgreSQL.
    pub fn cluster_dir(&self) -> PathBuf {
        self.data_dir.join("postgres")
    }
}

fn beside(events: Option<&Url>) -> String {
    let keyring = |events: &Url| {
        let parsed: tokio_postgres::Config = events.expose().parse().ok()?;
        let name = format!("{}_keys", parsed.get_dbname().or(parsed.get_user())?);
        Some(with_database(events.expose(), &name))
    };
    events.and_then(keyring).unwrap_or_default()
}
