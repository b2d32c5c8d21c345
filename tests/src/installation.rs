//! One installation: its databases, root keys and mail folder, and the nodes that are started on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use infra::postgres::testing::{self, Databases};
use infra::postgres::{ConnectOptions, connect_one};
use tempfile::TempDir;
use tokio_postgres::Client;

use crate::{Lethe, Mail, programme, until};

pub struct Installation {
    databases: Databases,
    folder: TempDir,
    settings: BTreeMap<String, String>,
}

impl Installation {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// With settings of its own, by their names in `lethe config`.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        let databases = testing::databases().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Self { databases, folder, settings: settings.collect() }
    }

    /// Starts a node and waits until it is ready.
    pub async fn node(&self) -> Lethe {
        let mut command = self.command();
        command.arg("serve");
        Lethe::start(command).await
    }

    /// Runs another word of the programme to its end, such as `["replay", "accounts"]`.
    pub async fn run(&self, words: &[&str]) -> Output {
        let mut command = self.command();
        command.args(words).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// The latest mail to this address, once there are at least `count` of them.
    pub async fn mail(&self, address: &str, count: usize) -> Mail {
        let found = async || self.mails(address).into_iter().nth(count - 1);
        until(&format!("mail {count} to {address}"), found).await
    }

    /// Every mail to this address, the oldest first.
    pub fn mails(&self, address: &str) -> Vec<Mail> {
        Mail::folder(&self.mail_dir()).into_iter().filter(|mail| mail.to == address).collect()
    }

    pub async fn log(&self) -> Client {
        connect_one(self.log_url(), &ConnectOptions::default()).await.unwrap()
    }

    pub async fn keyring(&self) -> Client {
        connect_one(self.keyring_url(), &ConnectOptions::default()).await.unwrap()
    }

    pub fn log_url(&self) -> &str {
        &self.databases.log_url
    }

    pub fn keyring_url(&self) -> &str {
        &self.databases.keyring_url
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn mail_dir(&self) -> PathBuf {
        self.folder().join("mail")
    }

    pub fn root_dir(&self) -> PathBuf {
        self.folder().join("roots")
    }

    /// The programme with this installation's settings and nothing of the caller's environment.
    pub fn command(&self) -> Command {
        let mut command = Command::new(programme::path());
        command.env_clear().current_dir(self.folder()).env("HOME", self.folder());
        for name in ["PATH", "PG_BINDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let folder = |name: &str| self.folder().join(name).display().to_string();
        let own = [
            ("listen", "127.0.0.1:0".to_owned()),
            ("metrics_listen", "127.0.0.1:0".to_owned()),
            ("database_url", self.log_url().to_owned()),
            ("keyring_url", self.keyring_url().to_owned()),
            ("data_dir", folder("data")),
            ("root_dir", folder("roots")),
            ("mail_dir", folder("mail")),
        ];
        for (name, value) in own {
            command.env(variable(name), value);
        }
        for (name, value) in &self.settings {
            command.env(variable(name), value);
        }
        command
    }
}

fn variable(setting: &str) -> String {
    format!("LETHE_{}", setting.to_uppercase())
}
