//! A private server with fsync on, and nodes on it.

use std::path::PathBuf;
use std::time::Duration;

use infra::event_store::ExecutorConfig;
use infra::ids::Ids;
use infra::postgres::{
    Cluster, ClusterOptions, ConnectOptions, binaries, connect_one, migrate_keyring, migrate_log,
};
use tempfile::TempDir;
use test_support::TestNode;
use tests::bench::{CpuMeter, Pgbench};
use tokio_postgres::Client;

const HORIZON: &str = include_str!("horizon.sql");

pub struct Harness {
    pub ids: Ids,
    /// Of the server and of this process: callers, sealing, the batcher and the driver.
    pub meter: CpuMeter,
    cluster: Cluster,
    folder: TempDir,
}

impl Harness {
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
        let options = ConnectOptions::default();
        let client = connect_one(&cluster.url("postgres"), &options).await.unwrap();
        let meter = CpuMeter::of(&client, &[std::process::id()]).await;
        let harness = Self { ids: Ids::system(), meter, cluster, folder };
        for log in ["log", "horizon"] {
            harness.log(log).await;
        }
        harness.owner("horizon").await.batch_execute(HORIZON).await.unwrap();
        harness
    }

    /// A migrated log of its own.
    pub async fn log(&self, name: &str) {
        self.cluster.create_database(name).await.unwrap();
        migrate_log(&self.cluster.url(name)).await.unwrap();
    }

    pub async fn node(&self, log: &str) -> TestNode {
        self.node_with(log, ExecutorConfig::default()).await
    }

    pub async fn node_with(&self, log: &str, config: ExecutorConfig) -> TestNode {
        let (log, keys) = (self.cluster.url(log), self.cluster.url("keys"));
        TestNode::start(&log, &keys, &self.path("roots"), config).await
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

    pub async fn pgbench(&self) -> Pgbench {
        Pgbench::new(&self.cluster.url("log"), self.folder.path()).await
    }

    /// A file of the benchmark's own.
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn stop(self) {
        self.cluster.stop(Duration::from_secs(20)).await.unwrap();
    }
}
