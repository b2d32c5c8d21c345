//! One installation: its databases, root keys and mail folder, and the nodes that are started on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use infra::postgres::{ConnectOptions, connect_one};
use serde_json::Value;
use tempfile::TempDir;
use test_support::{Databases, databases};
use tokio_postgres::Client;

use crate::pgbouncer;
use crate::{Answer, LIMIT, Mail, Mailbox, Programme, TestServer};

/// Wide, unless a test is about them.
const LIMITS: [&str; 7] = [
    "address_requests_per_second",
    "account_requests_per_second",
    "operator_requests_per_second",
    "sign_ins_per_minute",
    "registrations_per_hour",
    "mails_per_hour",
    "checks_per_minute",
];

pub struct Installation {
    /// None: Lethe starts a private server.
    databases: Option<Databases>,
    folder: TempDir,
    settings: BTreeMap<String, String>,
    programme: Programme,
}

impl Installation {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With settings of its own, by their names in `lethe config`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let databases = databases().await.unwrap();
        let elsewhere = settings.iter().any(|(name, _)| *name == "database_url");
        let pooled = if elsewhere { None } else { pgbouncer::before(&databases.log_url).await };
        let direct = databases.owner_log_url.as_str();
        let pooled = pooled.as_deref().map(|url| [("database_url", url), ("direct_url", direct)]);
        let pooled = pooled.iter().flatten().copied();
        let settings: Vec<_> = pooled.chain(settings.iter().copied()).collect();
        let installation = Self::over(None, &settings);
        Self { databases: Some(databases), ..installation }
    }

    /// Without a server of ours: the node starts a private one in `data`.
    pub fn private(settings: &[(&str, &str)]) -> Self {
        let private = Self::over(None, settings);
        // Its account must be able to come this far.
        let reached = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(private.folder(), reached).unwrap();
        private
    }

    fn over(databases: Option<Databases>, settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let settings = settings.collect();
        Self { databases, folder, settings, programme: Programme::Lethe }
    }

    /// Its processes have failpoints: the setting `failpoint` names the one to stop at.
    #[must_use]
    pub fn with_failpoints(self) -> Self {
        Self { programme: Programme::WithFailpoints, ..self }
    }

    /// With further settings.
    #[must_use]
    pub fn and(mut self, settings: &[(&str, &str)]) -> Self {
        for (name, value) in settings {
            self.settings.insert((*name).to_owned(), (*value).to_owned());
        }
        self
    }

    /// Leaves its folder behind.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.folder.disable_cleanup(true);
        self
    }

    /// Starts a node and waits until it is ready.
    pub async fn node(&self) -> TestServer {
        self.node_with(&[]).await
    }

    /// The same, with other settings for this node.
    pub async fn node_with(&self, settings: &[(&str, &str)]) -> TestServer {
        TestServer::start(self.serve(settings)).await
    }

    /// Starts a node without workers, which makes no root key: `migrate` comes first.
    pub async fn api_node(&self) -> TestServer {
        let migrated = self.run(&["migrate"]).await;
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        let mut command = self.command();
        command.arg("api");
        TestServer::start(command).await
    }

    /// Starts a node; the error is what it logged when it refused to serve.
    pub async fn try_node(&self) -> Result<TestServer, String> {
        TestServer::try_start(self.serve(&[])).await
    }

    fn serve(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = self.command();
        for (name, value) in settings {
            command.env(variable(name), value);
        }
        command.arg("serve");
        command
    }

    /// Runs another subcommand to its end, such as `["replay", "accounts"]`.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[]).await
    }

    /// The same, with other settings for this command.
    pub async fn run_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
        let mut command = self.command();
        for (name, value) in settings {
            command.env(variable(name), value);
        }
        command.args(arguments).stdin(Stdio::null());
        // Whoever waits no longer does not leave it running.
        tokio::process::Command::from(command).kill_on_drop(true).output().await.unwrap()
    }

    /// A token that may do everything an operator may.
    pub async fn operator(&self) -> String {
        self.operator_with("admin").await
    }

    /// An operator's token of this scope.
    pub async fn operator_with(&self, scope: &str) -> String {
        let made = self.run(&["token", "create", "--scope", scope]).await;
        let text = String::from_utf8(made.stdout).unwrap();
        let token = text.split_whitespace().find(|part| part.starts_with("lo_"));
        let failed = || panic!("no token: {text}{}", String::from_utf8_lossy(&made.stderr));
        token.unwrap_or_else(failed).to_owned()
    }

    /// Mail number `count` to this address, once it is there.
    pub async fn mail(&self, address: &str, count: usize) -> Mail {
        self.mailbox().mail(address, count).await
    }

    /// Every mail to this address, the oldest first.
    pub fn mails(&self, address: &str) -> Vec<Mail> {
        self.mailbox().mails(address)
    }

    pub fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.mail_dir())
    }

    pub async fn log(&self) -> Client {
        connect_one(&self.log_url(), &patient()).await.unwrap()
    }

    /// The data of every event of a type, in the order of the log.
    pub async fn events(&self, event_type: &str) -> Vec<Value> {
        let sql = "select data::text from event_log.events where event_type = $1 order by position";
        let rows = self.log().await.query(sql, &[&event_type]).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    /// The position of the last event that the request of this answer appended.
    pub async fn position_of(&self, answer: &Answer) -> i64 {
        let last = "select max(position) from event_log.events where request = $1";
        self.log().await.query_one(last, &[&answer.request()]).await.unwrap().get(0)
    }

    pub async fn keyring(&self) -> Client {
        connect_one(&self.keyring_url(), &patient()).await.unwrap()
    }

    /// From now on no node does this work of a timer by itself: none gets its lease.
    pub async fn park(&self, timer: &str) {
        let parked = format!(
            "create function public.parked() returns trigger language plpgsql
                as $$ begin return null; end $$;
            create trigger parked before insert on working.leader_leases
                for each row when (new.name = '{timer}') execute function public.parked();
            delete from working.leader_leases where name = '{timer}'"
        );
        self.log().await.batch_execute(&parked).await.unwrap();
    }

    pub fn log_url(&self) -> String {
        self.databases.as_ref().map_or_else(|| self.running("lethe"), |own| own.log_url.clone())
    }

    pub fn keyring_url(&self) -> String {
        let own = self.databases.as_ref().map(|own| own.keyring_url.clone());
        own.unwrap_or_else(|| self.running("lethe_keys"))
    }

    /// The same as the role that owns it.
    pub fn owner_keyring_url(&self) -> String {
        let own = self.databases.as_ref().map(|own| own.owner_keyring_url.clone());
        own.unwrap_or_else(|| self.keyring_url())
    }

    /// A database of the private server, while a node runs.
    fn running(&self, database: &str) -> String {
        let dir = self.data_dir().join("postgres");
        infra::postgres::running(&dir, database).expect("no node runs")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub fn mail_dir(&self) -> PathBuf {
        self.folder().join("mail")
    }

    /// Where the copy of the keyring is by default: beside the folder of root keys.
    pub fn copy_dir(&self) -> PathBuf {
        self.folder().join("keyring-copy")
    }

    pub fn root_dir(&self) -> PathBuf {
        self.folder().join("roots")
    }

    /// The programme with this installation's settings and nothing of the caller's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.programme.path());
        command.env_clear().current_dir(self.folder()).env("HOME", self.folder());
        for name in ["PATH", "PG_BINDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let show = |path: PathBuf| path.display().to_string();
        for (name, value) in [
            ("listen", "127.0.0.1:0".to_owned()),
            ("metrics_listen", "127.0.0.1:0".to_owned()),
            ("data_dir", show(self.data_dir())),
            ("mail_dir", show(self.mail_dir())),
            // An old root key is erased at once, unless a test is about the time until then.
            ("root_retention_hours", "0".to_owned()),
        ] {
            command.env(variable(name), value);
        }
        if self.settings.contains_key("root_vault") {
            // By default they are beside the folder of root keys.
            for (name, beside) in [("copy_dir", "keyring-copy"), ("escrow_dir", "escrow")] {
                command.env(variable(name), self.folder().join(beside));
            }
        } else {
            command.env(variable("root_dir"), self.root_dir());
        }
        if let Some(own) = &self.databases {
            command.env(variable("database_url"), &own.owner_log_url);
            command.env(variable("keyring_url"), &own.owner_keyring_url);
        }
        for limit in LIMITS {
            command.env(variable(limit), "100000");
        }
        for (name, value) in &self.settings {
            command.env(variable(name), value);
        }
        command
    }
}

/// What a test does by hand may take as long as a loaded machine wants.
fn patient() -> ConnectOptions {
    ConnectOptions { connect_timeout: LIMIT, ..ConnectOptions::unlimited() }
}

fn variable(setting: &str) -> String {
    format!("LETHE_{}", setting.to_uppercase())
}
