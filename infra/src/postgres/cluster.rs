//! A private PostgreSQL: a folder, a socket in it, no port, and no life of its own.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::owner::{self, Owner};
use super::{ConnectOptions, PgError, predecessor, socket};

const SUPERVISE: &str = include_str!("supervise.sh");
const USER: &str = "lethe";
const LOG_BYTES_MAX: u64 = 16 << 20;
const POLL: Duration = Duration::from_millis(10);

/// How the server is run.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Off only for tests: a crash of the machine then loses the cluster.
    pub fsync: bool,
    /// Remove the whole folder when the server has stopped.
    pub scratch: bool,
    /// Further settings, as `name=value`.
    pub settings: Vec<String>,
    /// How long a start may take. Recovery after a crash is part of it.
    pub start_limit: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            fsync: true,
            scratch: false,
            settings: Vec::new(),
            start_limit: Duration::from_mins(5),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error("{0} is in use by another Lethe: stop that one, or choose another data folder")]
    InUse(PathBuf),
    #[error(
        "PostgreSQL does not run as root, and the account it runs as may not enter {0}: \
         choose a data folder (and PG_BINDIR) that other accounts can reach"
    )]
    Barred(PathBuf),
    #[error("an earlier PostgreSQL (process {0}) still works in the data folder and does not stop")]
    StillRunning(u32),
    #[error("initdb failed:\n{0}")]
    InitDb(String),
    #[error("PostgreSQL stopped while it started; its log ends with:\n{0}")]
    Stopped(String),
    #[error("PostgreSQL did not answer within {0:?}")]
    Slow(Duration),
    #[error("{0}: {1}")]
    File(PathBuf, io::Error),
    #[error("PostgreSQL is still stopping")]
    StillStopping,
    #[error(transparent)]
    Database(#[from] PgError),
}

/// A running server. It stops when this is dropped, or when this process ends in any way.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    socket: PathBuf,
    leash: Option<ChildStdin>,
    ended: watch::Receiver<bool>,
    _lock: File,
}

impl Cluster {
    /// Starts the server in `dir`, made if need be, with the binaries in `bin`.
    pub async fn start(
        bin: &Path,
        dir: &Path,
        options: ClusterOptions,
    ) -> Result<Self, ClusterError> {
        let (bin, dir) = (bin.to_path_buf(), dir.to_path_buf());
        let until = Instant::now() + options.start_limit;
        let limit = options.start_limit;
        let launch = tokio::task::spawn_blocking(move || launch(&bin, &dir, &options)).await;
        let cluster = launch.map_err(|error| ClusterError::Stopped(error.to_string()))??;
        cluster.answer(until, limit).await?;
        Ok(cluster)
    }

    /// Where `database` is, for [`super::connect`]. The user is the cluster's superuser.
    pub fn url(&self, database: &str) -> String {
        url_at(&self.socket, database)
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The folder with the data, for a copy of the whole disk.
    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Makes the database unless it is there.
    pub async fn create_database(&self, name: &str) -> Result<(), PgError> {
        let client = super::connect_one(&self.url("postgres"), &ConnectOptions::default()).await?;
        let found = client.query_opt(include_str!("find_database.sql"), &[&name]).await?;
        if found.is_none() {
            let name = name.replace('"', "\"\"");
            client.batch_execute(&format!("create database \"{name}\"")).await?;
        }
        Ok(())
    }

    /// Resolves once the server has ended, asked to or not.
    pub async fn ended(&self) {
        let mut ended = self.ended.clone();
        // An error means that the watching thread is gone, and the server with it.
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Stops the server and waits for it.
    pub async fn stop(mut self, limit: Duration) -> Result<(), ClusterError> {
        drop(self.leash.take());
        let ended = tokio::time::timeout(limit, self.ended()).await;
        ended.map_err(|_| ClusterError::StillStopping)?;
        if self.socket != self.dir {
            fs::remove_dir(&self.socket).map_err(|error| at(&self.socket, error))?;
        }
        Ok(())
    }

    async fn answer(&self, until: Instant, limit: Duration) -> Result<(), ClusterError> {
        let url = self.url("postgres");
        loop {
            if *self.ended.borrow() {
                return Err(ClusterError::Stopped(log_tail(&self.dir)));
            }
            if super::connect_one(&url, &ConnectOptions::default()).await.is_ok() {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(ClusterError::Slow(limit));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn launch(bin: &Path, dir: &Path, options: &ClusterOptions) -> Result<Cluster, ClusterError> {
    let owner = make_folder(dir)?;
    let dir = fs::canonicalize(dir).map_err(|error| at(dir, error))?;
    for path in [dir.as_path(), &bin.join("postgres")] {
        if let Some(folder) = owner::barred(owner, path) {
            return Err(ClusterError::Barred(folder));
        }
    }
    let lock = lock(&dir)?;
    let data = dir.join("data");
    predecessor::wait_for_end(&data, options.start_limit).map_err(ClusterError::StillRunning)?;
    if !data.exists() {
        initialise(bin, &dir, owner, options)?;
    }
    let socket = socket::folder(owner, &dir).map_err(|error| at(&dir, error))?;
    let mut child = spawn(bin, &dir, &socket, owner, options)?;
    let leash = child.stdin.take();
    Ok(Cluster { dir, socket, leash, ended: watch_over(child), _lock: lock })
}

fn lock(dir: &Path) -> Result<File, ClusterError> {
    let path = dir.join("lethe.lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| at(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ClusterError::InUse(dir.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(at(&path, error)),
    }
}

/// A private folder for a cluster, made if need be.
pub(super) fn make_folder(dir: &Path) -> Result<Option<Owner>, ClusterError> {
    let owner = Owner::of_cluster().map_err(|error| at(dir, error))?;
    owner::private_folder(owner, dir).map_err(|error| at(dir, error))?;
    Ok(owner)
}

/// Made beside and renamed, so that a crash cannot leave half a cluster behind.
pub(super) fn initialise(
    bin: &Path,
    dir: &Path,
    owner: Option<Owner>,
    options: &ClusterOptions,
) -> Result<(), ClusterError> {
    let unfinished = dir.join("data.init");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(|error| at(&unfinished, error))?;
    }
    tracing::info!(dir = %dir.display(), "making a PostgreSQL cluster");
    let mut command = command(&bin.join("initdb"), dir, owner);
    command.arg("-D").arg(&unfinished).args(["-U", USER, "-A", "trust", "-E", "UTF8"]);
    command.args(["--locale=C", "--data-checksums"]);
    if !options.fsync {
        command.arg("--no-sync");
    }
    let output = command.stdin(Stdio::null()).output().map_err(|error| at(bin, error))?;
    if !output.status.success() {
        return Err(ClusterError::InitDb(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    fs::rename(&unfinished, dir.join("data"))
        .and_then(|()| File::open(dir)?.sync_all())
        .map_err(|error| at(&unfinished, error))
}

fn spawn(
    bin: &Path,
    dir: &Path,
    socket: &Path,
    owner: Option<Owner>,
    options: &ClusterOptions,
) -> Result<Child, ClusterError> {
    let log = open_log(dir)?;
    let errors = log.try_clone().map_err(|error| at(dir, error))?;
    let mut command = command(Path::new("sh"), dir, owner);
    command.args(["-c", SUPERVISE, "lethe-postgres"]);
    command.arg(if options.scratch { dir.as_os_str() } else { "".as_ref() });
    command.arg(bin.join("postgres")).arg("-D").arg(dir.join("data")).arg("-k").arg(socket);
    for setting in settings(options) {
        command.arg("-c").arg(setting);
    }
    // A group of its own: the terminal's Ctrl-C reaches Lethe, which then stops the server in order.
    command.process_group(0).stdin(Stdio::piped()).stdout(log).stderr(errors);
    command.spawn().map_err(|error| at(bin, error))
}

fn settings(options: &ClusterOptions) -> impl Iterator<Item = String> {
    let fixed = [
        "listen_addresses=",
        "unix_socket_permissions=0700",
        "log_timezone=UTC",
        "timezone=UTC",
        // The server's log may hold neither statements nor the rows that a DETAIL quotes.
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
        "log_checkpoints=off",
    ];
    let unsafe_but_fast = ["fsync=off", "full_page_writes=off"];
    let unsafe_but_fast = if options.fsync { &[][..] } else { &unsafe_but_fast[..] };
    let all: Vec<String> = fixed.iter().chain(unsafe_but_fast).map(ToString::to_string).collect();
    all.into_iter().chain(options.settings.clone())
}

fn command(program: &Path, dir: &Path, owner: Option<Owner>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PG") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").current_dir(dir);
    owner::run_as(owner, &mut command);
    command
}

fn open_log(dir: &Path) -> Result<File, ClusterError> {
    let path = dir.join("postgres.log");
    if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
        let older = dir.join("postgres.log.1");
        fs::rename(&path, &older).map_err(|error| at(&older, error))?;
    }
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.map_err(|error| at(&path, error))
}

fn log_tail(dir: &Path) -> String {
    let log = fs::read(dir.join("postgres.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn watch_over(mut child: Child) -> watch::Receiver<bool> {
    let (tell, ended) = watch::channel(false);
    thread::spawn(move || {
        match child.wait() {
            Ok(status) => tracing::info!(%status, "PostgreSQL has stopped"),
            Err(error) => tracing::error!(%error, "cannot wait for PostgreSQL"),
        }
        tell.send_replace(true);
    });
    ended
}

pub(super) fn url_at(socket: &Path, database: &str) -> String {
    let host = quoted(&socket.display().to_string());
    format!("host={host} user={USER} dbname={}", quoted(database))
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn at(path: &Path, error: io::Error) -> ClusterError {
    ClusterError::File(path.to_path_buf(), error)
}
