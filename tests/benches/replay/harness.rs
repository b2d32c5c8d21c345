//! A private server with fsync on, and a seeded log in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use infra::clock::Clock;
use infra::event_store::{Executor, ExecutorConfig};
use infra::ids::Ids;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::metrics::Metrics;
use infra::postgres::{
    Cluster, ClusterOptions, ConnectOptions, Pool, binaries, connect, connect_one, migrate_keyring,
    migrate_log,
};
use tempfile::TempDir;
use tokio_postgres::Client;

pub struct Harness {
    pub pool: Pool,
    cluster: Cluster,
    folder: TempDir,
}

impl Harness {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let reached = std::os::unix::fs::PermissionsExt::from_mode(0o711);
        std::fs::set_permissions(folder.path(), reached).unwrap();
        let settings = ["shared_buffers=512MB", "max_wal_size=4GB"].map(str::to_owned).to_vec();
        let options = ClusterOptions { settings, scratch: true, ..ClusterOptions::default() };
        let bin = binaries::find(None).unwrap();
        let cluster = Cluster::start(&bin, &folder.path().join("cluster"), options).await.unwrap();
        for name in ["log", "keys"] {
            cluster.create_database(name).await.unwrap();
        }
        migrate_log(&cluster.url("log")).await.unwrap();
        migrate_keyring(&cluster.url("keys")).await.unwrap();
        let pool = connect(&cluster.url("log"), &ConnectOptions::app()).await.unwrap();
        Self { pool, cluster, folder }
    }

    pub async fn seed(&self, events: i64) -> (i64, Duration) {
        let roots = Arc::new(RootFolder::open(&self.folder.path().join("roots"), None).unwrap());
        let keys = ConnectOptions { connections_max: 32, ..ConnectOptions::app() };
        let keys = connect(&self.cluster.url("keys"), &keys).await.unwrap();
        let keyring = Keyring::start(keys, roots, KeyringOptions::default(), Clock::system());
        let keyring = keyring.await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let (url, config) = (self.cluster.url("log"), ExecutorConfig::default());
        let (sealer, macs) = (keyring.sealer.clone(), keyring.request_macs.clone());
        let executor = Executor::start(config, self.pool.clone(), &url, sealer, macs, metrics);
        let executor = executor.await.unwrap();
        let started = Instant::now();
        let seeded = tests::seed::seed(&executor, &keyring, &Ids::system(), events, |_| ()).await;
        (seeded, started.elapsed())
    }

    /// The owner of everything, without time limits.
    pub async fn owner(&self) -> Client {
        connect_one(&self.cluster.url("log"), &ConnectOptions::unlimited()).await.unwrap()
    }

    pub async fn stop(self) {
        self.cluster.stop(Duration::from_secs(30)).await.unwrap();
    }
}
