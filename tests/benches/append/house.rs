//! A private server with fsync on, and nodes on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use infra::clock::Clock;
use infra::event_store::{Executor, ExecutorConfig};
use infra::ids::Ids;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::metrics::Metrics;
use infra::postgres::{
    Cluster, ClusterOptions, ConnectOptions, binaries, connect, connect_one, migrate_keyring,
    migrate_log,
};
use tempfile::TempDir;
use tokio_postgres::Client;

pub struct House {
    pub bin: PathBuf,
    pub ids: Ids,
    cluster: Cluster,
    folder: TempDir,
}

#[derive(Clone)]
pub struct Node {
    pub executor: Executor,
    pub keyring: Keyring,
}

impl House {
    pub async fn start() -> Self {
        let bin = binaries::find(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let reached = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), reached).unwrap();
        let settings =
            ["max_connections=400", "shared_buffers=512MB", "max_wal_size=4GB"].map(str::to_owned);
        let options = ClusterOptions {
            fsync: true,
            scratch: true,
            settings: settings.to_vec(),
            ..ClusterOptions::default()
        };
        let cluster = Cluster::start(&bin, &folder.path().join("cluster"), options).await.unwrap();
        cluster.create_database("keys").await.unwrap();
        migrate_keyring(&cluster.url("keys")).await.unwrap();
        let house = Self { bin, ids: Ids::system(), cluster, folder };
        for log in ["log", "horizon"] {
            house.log(log).await;
        }
        let rewrite = include_str!("horizon.sql");
        house.owner("horizon").await.batch_execute(rewrite).await.unwrap();
        house
    }

    /// A migrated log of its own.
    pub async fn log(&self, name: &str) {
        self.cluster.create_database(name).await.unwrap();
        migrate_log(&self.cluster.url(name)).await.unwrap();
    }

    pub async fn node(&self, log: &str) -> Node {
        self.node_with(log, ExecutorConfig::default()).await
    }

    pub async fn node_with(&self, log: &str, config: ExecutorConfig) -> Node {
        let roots = Arc::new(RootFolder::open(&self.path("roots"), None).unwrap());
        let keys = connect(&self.cluster.url("keys"), &ConnectOptions::app()).await.unwrap();
        let options = KeyringOptions::default();
        let keyring = Keyring::start(keys, roots, options, Clock::system()).await.unwrap();
        let url = self.cluster.url(log);
        let pool = connect(&url, &ConnectOptions::app()).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let starting = Executor::start(config, pool, &url, keyring.clone(), metrics);
        Node { executor: starting.await.unwrap(), keyring }
    }

    pub async fn owner(&self, log: &str) -> Client {
        let options = ConnectOptions::unlimited();
        connect_one(&self.cluster.url(log), &options).await.unwrap()
    }

    /// Each flush of the WAL takes so much longer, as on a slower disk: who is first sleeps with the
    /// WAL's lock in its hands, and then flushes for all who came meanwhile.
    pub async fn delay_commits(&self, by: Duration) {
        let admin = self.owner("postgres").await;
        for (setting, value) in [("commit_siblings", 0), ("commit_delay", by.as_micros())] {
            let set = format!("alter system set {setting} = {value}");
            admin.batch_execute(&set).await.unwrap();
        }
        admin.batch_execute("select pg_reload_conf()").await.unwrap();
    }

    pub fn socket(&self) -> String {
        let url: tokio_postgres::Config = self.cluster.url("log").parse().unwrap();
        let tokio_postgres::config::Host::Unix(folder) = &url.get_hosts()[0] else {
            panic!("a private server has a socket")
        };
        folder.display().to_string()
    }

    pub fn user(&self) -> String {
        let url: tokio_postgres::Config = self.cluster.url("log").parse().unwrap();
        url.get_user().unwrap().to_owned()
    }

    /// A file of the benchmark's own.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn stop(self) {
        self.cluster.stop(Duration::from_secs(20)).await.unwrap();
    }
}
