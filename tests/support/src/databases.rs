//! Databases for tests: one scratch server a test process, migrated templates, a copy for each test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use infra::postgres::{
    Cluster, ClusterError, ClusterOptions, ConnectOptions, DatabaseUrl, PgError, binaries,
    connect_one, create_database, migrate_keyring, migrate_log,
};
use tokio::sync::OnceCell;

use crate::LIMIT;

const LOG: &str = "template_log";
const KEYRING: &str = "template_keyring";
/// A statement that waits is found by its words, which stand behind its comments.
const SETTINGS: [&str; 3] =
    ["max_connections=1000", "max_wal_size=256MB", "track_activity_query_size=16kB"];

/// Owns the databases of a run with `LETHE_HOSTED=1`.
const TEAM: &str = "create role team login createdb createrole";

const STOP_LIMIT: Duration = Duration::from_mins(1);

static SERVER: OnceCell<Server> = OnceCell::const_new();
static NEXT: AtomicU64 = AtomicU64::new(1);

struct Server {
    cluster: Cluster,
    drop: mpsc::Sender<String>,
    hosted: bool,
}

impl Server {
    /// As the role that owns the databases.
    fn owner_url(&self, database: &str) -> String {
        let url = self.cluster.url(database);
        if self.hosted { format!("{url} user=team") } else { url }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TestingError {
    #[error(transparent)]
    Binaries(#[from] binaries::BinariesError),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Postgres(#[from] PgError),
    #[error(transparent)]
    File(#[from] std::io::Error),
}

/// A migrated pair of databases of one test, dropped with this value.
#[derive(Debug)]
pub struct Databases {
    /// As a superuser, for the test.
    pub log_url: String,
    pub keyring_url: String,
    /// As the role that owns the database, for the programme.
    pub owner_log_url: String,
    pub owner_keyring_url: String,
    names: [String; 2],
}

/// With `LETHE_HOSTED=1` the databases are a role's that is no superuser, as on a server of others.
pub fn is_hosted() -> bool {
    std::env::var_os("LETHE_HOSTED").is_some()
}

impl Drop for Databases {
    fn drop(&mut self) {
        let Some(server) = SERVER.get() else { return };
        for name in &self.names {
            // The thread that listens lives as long as the process.
            let _ = server.drop.send(name.clone());
        }
    }
}

/// The databases of one test: nothing in them but what the migrations put there.
pub async fn databases() -> Result<Databases, TestingError> {
    let server = server().await?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let names = [format!("log_{number}"), format!("keyring_{number}")];
    let owner = connect_one(&server.owner_url("postgres"), &patient()).await?;
    for (name, template) in names.iter().zip([LOG, KEYRING]) {
        let create = format!("create database {name} template {template} strategy file_copy");
        owner.batch_execute(&create).await.map_err(PgError::from)?;
    }
    let [log, keyring] = &names;
    Ok(Databases {
        log_url: server.cluster.url(log),
        keyring_url: server.cluster.url(keyring),
        owner_log_url: server.owner_url(log),
        owner_keyring_url: server.owner_url(keyring),
        names,
    })
}

/// An empty database of the test server, with no migration in it. It goes with the server.
pub async fn empty_database() -> Result<String, TestingError> {
    let server = server().await?;
    let name = format!("empty_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let owner = connect_one(&server.owner_url("postgres"), &patient()).await?;
    owner.batch_execute(&format!("create database {name}")).await.map_err(PgError::from)?;
    Ok(server.cluster.url(&name))
}

/// The folder of the test server, with its data, WAL and log.
pub async fn server_folder() -> Result<PathBuf, TestingError> {
    Ok(server().await?.cluster.dir().to_path_buf())
}

/// A busy machine reaches no limit of these.
fn patient() -> ConnectOptions {
    ConnectOptions { connect_timeout: LIMIT, ..ConnectOptions::unlimited() }
}

async fn server() -> Result<&'static Server, TestingError> {
    SERVER.get_or_try_init(start).await
}

async fn start() -> Result<Server, TestingError> {
    let bin = tokio::task::spawn_blocking(|| binaries::find(None));
    let bin = bin.await.map_err(std::io::Error::other)??;
    let dir = std::env::temp_dir().join(format!("lethe-test-{}", std::process::id()));
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let options = ClusterOptions {
        fsync: false,
        scratch: true,
        // They may be in memory.
        settings: SETTINGS.map(str::to_owned).to_vec(),
        ..ClusterOptions::default()
    };
    copy_data(&bin, &dir).await?;
    let cluster = Cluster::start(&bin, &dir, options).await?;
    let drop = dropper(cluster.url("postgres"))?;
    let server = Server { cluster, drop, hosted: is_hosted() };
    if server.hosted {
        let admin = connect_one(&server.cluster.url("postgres"), &patient()).await?;
        admin.batch_execute(TEAM).await.map_err(PgError::from)?;
    }
    let [log, keyring] = [LOG, KEYRING].map(|name| server.owner_url(name));
    create_database(&parsed(&log)?).await?;
    migrate_log(&log).await?;
    create_database(&parsed(&keyring)?).await?;
    migrate_keyring(&keyring).await?;
    Ok(server)
}

fn parsed(url: &str) -> Result<DatabaseUrl, PgError> {
    Ok(url.parse()?)
}

/// initdb takes most of a second: what it made is kept next to the test binaries, and copied.
async fn copy_data(bin: &Path, dir: &Path) -> Result<(), TestingError> {
    let test = std::env::current_exe()?;
    let folder = test.parent().unwrap_or(dir);
    let major = binaries::version(bin).unwrap_or_default();
    let kept = folder.join(format!("postgres-{major}"));
    if !kept.exists() {
        let made = std::env::temp_dir().join(format!("lethe-initdb-{}", std::process::id()));
        let options = ClusterOptions { fsync: false, ..ClusterOptions::default() };
        Cluster::start(bin, &made, options).await?.stop(STOP_LIMIT).await?;
        let half = folder.join(format!("postgres-{major}.{}", std::process::id()));
        copy(&made.join("data"), &half)?;
        std::fs::remove_dir_all(&made)?;
        // Another test process may have kept its own meanwhile.
        if std::fs::rename(&half, &kept).is_err() {
            std::fs::remove_dir_all(&half)?;
        }
    }
    std::fs::create_dir_all(dir)?;
    Ok(copy(&kept, &dir.join("data"))?)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).stderr(Stdio::null()).status()?;
    if copied.success() { Ok(()) } else { Err(std::io::Error::other("cp failed")) }
}

/// Drops databases on a thread of its own: the runtime of the test that used them is gone.
fn dropper(url: String) -> std::io::Result<mpsc::Sender<String>> {
    let (sender, names) = mpsc::channel::<String>();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        while let Ok(name) = names.recv() {
            let dropped = runtime.block_on(async {
                let admin = connect_one(&url, &patient()).await?;
                let drop = format!("drop database if exists {name} with (force)");
                admin.batch_execute(&drop).await.map_err(PgError::from)
            });
            if let Err(error) = dropped {
                tracing::warn!(name, %error, "a test database was not dropped");
            }
        }
    });
    Ok(sender)
}
