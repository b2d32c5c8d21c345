//! A PostgreSQL server and its asynchronous physical standby, for failovers.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use infra::postgres::{Cluster, ClusterOptions, ConnectOptions, binaries, connect_one};
use tempfile::TempDir;
use tokio_postgres::{Client, Row};

use crate::until;

const SLOT: &str = "second";

/// The standby is made by [`ServerPair::add_standby`]: it begins with what the primary has then.
pub struct ServerPair {
    primary: Cluster,
    standby: Option<Cluster>,
    bin: PathBuf,
    folder: TempDir,
}

fn scratch() -> ClusterOptions {
    ClusterOptions { fsync: false, ..ClusterOptions::default() }
}

/// For a server of a test's own: the account that runs `PostgreSQL` can enter it.
pub fn own_server_folder() -> TempDir {
    let open = Permissions::from_mode(0o755);
    tempfile::Builder::new().permissions(open).tempdir().unwrap()
}

impl ServerPair {
    pub async fn new() -> Self {
        let folder = own_server_folder();
        let bin = binaries::find(None).unwrap();
        let primary = Cluster::start(&bin, &folder.path().join("first"), scratch()).await.unwrap();
        let pair = Self { primary, standby: None, bin, folder };
        pair.lead_to(&pair.primary);
        pair
    }

    /// A database of the server in use: the primary, until [`Self::switch`].
    pub fn url(&self, database: &str) -> String {
        let place = self.place();
        self.primary.url(database).replacen(&host(&self.primary), &place.display().to_string(), 1)
    }

    pub fn primary_url(&self, database: &str) -> String {
        self.primary.url(database)
    }

    pub fn standby_url(&self, database: &str) -> String {
        self.standby().url(database)
    }

    pub async fn create_database(&self, name: &str) {
        self.primary.create_database(name).await.unwrap();
    }

    /// With a slot, once it streams.
    pub async fn add_standby(&mut self) {
        let dir = self.folder.path().join("second");
        std::fs::create_dir(&dir).unwrap();
        let mut copy = Command::new(self.bin.join("pg_basebackup"));
        copy.arg("-d").arg(self.primary.url("postgres")).arg("-D").arg(dir.join("data"));
        copy.args(["-X", "stream", "-c", "fast", "-R", "-C", "-S", SLOT, "--no-sync"]);
        let copied = copy.output().unwrap();
        assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
        let mut own = Command::new("chown");
        own.arg("-R").arg("--reference").arg(self.primary.dir().join("data")).arg(&dir);
        assert!(own.status().unwrap().success());
        self.standby = Some(Cluster::start(&self.bin, &dir, scratch()).await.unwrap());
        let streams = "select count(*) = 1 from pg_stat_replication where state = 'streaming'";
        self.until_primary("it streams", streams).await;
    }

    /// Waits until the standby has received what the primary has now.
    pub async fn catch_up(&self) {
        let now = "select pg_current_wal_flush_lsn()::text";
        let now: String = ask(&self.primary, now).await.get(0);
        let received = format!("select pg_last_wal_receive_lsn() >= '{now}'::pg_lsn");
        self.until_standby("it has received that", &received).await;
    }

    /// From now on the standby receives nothing.
    pub async fn cut_off(&self) {
        let standby = connect(self.standby()).await;
        for stop in ["alter system set primary_conninfo = ''", "select pg_reload_conf()"] {
            standby.batch_execute(stop).await.unwrap();
        }
        let inactive = "select count(*) = 1 from pg_replication_slots where not active";
        self.until_primary("it receives nothing", inactive).await;
    }

    pub async fn kill_primary(&self) {
        kill_postmaster(&self.primary).await;
    }

    /// What leads to the server in use leads to the standby.
    pub fn switch(&self) {
        self.lead_to(self.standby());
    }

    pub async fn promote(&self) {
        ask(self.standby(), "select pg_promote()").await;
        self.until_standby("it is promoted", "select not pg_is_in_recovery()").await;
    }

    /// Waits until the primary answers `true`.
    pub async fn until_primary(&self, what: &str, sql: &str) {
        until(what, async || ask(&self.primary, sql).await.get::<_, bool>(0)).await;
    }

    /// Waits until the standby answers `true`.
    pub async fn until_standby(&self, what: &str, sql: &str) {
        until(what, async || ask(self.standby(), sql).await.get::<_, bool>(0)).await;
    }

    /// [`Self::add_standby`] comes first.
    fn standby(&self) -> &Cluster {
        self.standby.as_ref().unwrap()
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("in-use")
    }

    fn lead_to(&self, cluster: &Cluster) {
        let next = self.folder.path().join("next");
        symlink(Path::new(&host(cluster)), &next).unwrap();
        std::fs::rename(next, self.place()).unwrap();
    }
}

/// SIGKILL to the first of the server's processes: the others end when they notice.
pub async fn kill_postmaster(server: &Cluster) {
    let file = std::fs::read_to_string(server.dir().join("data/postmaster.pid")).unwrap();
    let process = file.lines().next().unwrap();
    assert!(Command::new("kill").args(["-9", process]).status().unwrap().success());
    server.ended().await;
}

/// The folder of its socket.
fn host(cluster: &Cluster) -> String {
    cluster.url("postgres").split('\'').nth(1).unwrap().to_owned()
}

async fn connect(cluster: &Cluster) -> Client {
    connect_one(&cluster.url("postgres"), &ConnectOptions::default()).await.unwrap()
}

async fn ask(cluster: &Cluster, sql: &str) -> Row {
    connect(cluster).await.query_one(sql, &[]).await.unwrap()
}
