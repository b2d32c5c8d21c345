//! A private PostgreSQL: a folder with a socket, no port. It ends together with Lethe.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::process::ChildStdin;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use self::owner::Owner;
use self::server::{USER, at, initialise, log_tail, spawn, watch_over};
use super::pairs::quoted;
use super::{ClusterError, ConnectOptions, PgError};
use crate::paths::real;

pub mod binaries;
mod options;
mod owner;
mod predecessor;
mod running;
mod server;
mod socket;

pub use options::ClusterOptions;
pub use running::running;

const POLL: Duration = Duration::from_millis(10);

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

    /// The folder that the cluster was started in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Creates the database unless it exists.
    pub async fn create_database(&self, name: &str) -> Result<(), PgError> {
        super::create_database(&self.url(name).parse()?).await
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
    let dir = real(dir).map_err(|error| at(dir, error))?;
    // Refused before anything is changed.
    let owner = Owner::of_cluster(&dir)?;
    for path in [dir.as_path(), &bin.join("postgres")] {
        if let Some(folder) = owner::barred(owner, path) {
            return Err(ClusterError::Barred(folder));
        }
    }
    owner::private_folder(owner, &dir).map_err(|error| at(&dir, error))?;
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

fn url_at(socket: &Path, database: &str) -> String {
    let host = quoted(&socket.display().to_string());
    format!("host={host} user={USER} dbname={}", quoted(database))
}
