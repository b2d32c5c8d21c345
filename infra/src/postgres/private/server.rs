//! The processes of a private server: initdb, and a `postgres` that ends when Lethe ends.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use tokio::sync::watch;

use super::ClusterOptions;
use super::owner::{self, Owner};
use crate::postgres::ClusterError;

/// The superuser of a private server.
pub(super) const USER: &str = "lethe";
const SUPERVISE: &str = include_str!("supervise.sh");
const LOG_BYTES_MAX: u64 = 16 << 20;

/// Creates the cluster in a temporary folder and renames it, so that a crash leaves no incomplete one.
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

pub(super) fn spawn(
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
    // Its own process group: Ctrl-C in the terminal reaches only Lethe, which then stops the server.
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

pub(super) fn log_tail(dir: &Path) -> String {
    let log = fs::read(dir.join("postgres.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let lines: Vec<&str> = log.lines().rev().take(8).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

pub(super) fn watch_over(mut child: Child) -> watch::Receiver<bool> {
    let (sender, ended) = watch::channel(false);
    thread::spawn(move || {
        match child.wait() {
            Ok(status) => tracing::info!(%status, "PostgreSQL has stopped"),
            Err(error) => tracing::error!(%error, "cannot wait for PostgreSQL"),
        }
        sender.send_replace(true);
    });
    ended
}

pub(super) fn at(path: &Path, error: io::Error) -> ClusterError {
    ClusterError::File(path.to_path_buf(), error)
}
