//! Finds what a real sshd needs: the system's, or what `.ci/tools sshd` has unpacked.

use std::io;
use std::path::{Path, PathBuf};

const MISSING: &str =
    "sshd, ssh-keygen or libnss_wrapper.so is missing: `.ci/tools sshd` gets them";

#[derive(Clone, Debug)]
pub(crate) struct SshdFiles {
    pub sshd: PathBuf,
    pub keygen: PathBuf,
    /// Gives sshd a passwd file of the test's own: its home, its shell, its privilege separation.
    pub names: PathBuf,
    /// Folders of libraries that the system may lack.
    pub libraries: Vec<PathBuf>,
    /// From OpenSSH 9.8 on a session is a programme of its own.
    pub session: Option<PathBuf>,
}

pub(crate) fn find() -> io::Result<SshdFiles> {
    let tools = tools();
    let missing = || io::Error::new(io::ErrorKind::NotFound, MISSING);
    let libraries: Vec<PathBuf> = tools.iter().flat_map(|tools| libraries(tools)).collect();
    let system = libraries_of(Path::new("/usr/lib"));
    let names = libraries.iter().chain(&system).map(|folder| folder.join("libnss_wrapper.so"));
    let sshd = programme("usr/sbin/sshd", tools.as_deref()).ok_or_else(missing)?;
    let keygen = programme("usr/bin/ssh-keygen", tools.as_deref()).ok_or_else(missing)?;
    let session = tools.filter(|tools| sshd.starts_with(tools));
    let session = session.map(|tools| tools.join("usr/lib/openssh/sshd-session"));
    Ok(SshdFiles {
        keygen,
        names: names.into_iter().find(|path| path.is_file()).ok_or_else(missing)?,
        sshd,
        libraries,
        session: session.filter(|path| path.is_file()),
    })
}

pub(super) fn busybox() -> Option<PathBuf> {
    programme("bin/busybox", tools().as_deref())
}

/// `target/tools` of the test that runs: two or three folders above it.
pub(crate) fn tools() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let is_ours = |tools: &PathBuf| ["usr", "machine"].iter().any(|name| tools.join(name).is_dir());
    test.ancestors().map(|folder| folder.join("tools")).find(is_ours)
}

fn programme(path: &str, tools: Option<&Path>) -> Option<PathBuf> {
    let places = [Some(Path::new("/")), tools];
    places.into_iter().flatten().map(|place| place.join(path)).find(|path| path.is_file())
}

fn libraries(tools: &Path) -> Vec<PathBuf> {
    [tools.join("usr/lib"), tools.join("lib")].iter().flat_map(|lib| libraries_of(lib)).collect()
}

/// Debian keeps them by architecture: `/usr/lib/x86_64-linux-gnu`.
pub(crate) fn libraries_of(lib: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(lib).into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path());
    folders.filter(|path| path.to_string_lossy().ends_with("-linux-gnu")).collect()
}
