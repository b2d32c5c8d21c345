//! A real OpenSSH server: on a loopback port, with a home, keys and users of its own.

pub(crate) mod found;
pub(crate) mod keeper;
pub(crate) mod place;
pub(crate) mod processes;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use found::SshdFiles;
use keeper::Keeper;
use place::Place;
pub use processes::Process;

const KEEP: &str = include_str!("keep.sh");

/// Every process of this machine that has exactly `entry` in its environment.
pub fn processes(entry: &str) -> io::Result<Vec<Process>> {
    processes::with_mark(entry)
}

/// A far side without GNU's programmes.
pub fn busybox() -> Option<PathBuf> {
    found::busybox()
}

/// What a test may want otherwise.
#[derive(Clone, Debug)]
pub struct SshdOptions {
    /// The name that logs in: as the account that runs the test, whatever it is called.
    pub user: String,
    pub shell: PathBuf,
    /// The address at which it listens. It may be all of them; then `config` says who is let in.
    pub listen: Ipv4Addr,
    /// Lines for the front of `sshd_config`.
    pub config: String,
    /// Set for everything run through it.
    pub environment: Vec<(String, String)>,
}

impl Default for SshdOptions {
    fn default() -> Self {
        Self {
            user: "root".to_owned(),
            shell: PathBuf::from("/bin/sh"),
            listen: Ipv4Addr::LOCALHOST,
            config: String::new(),
            environment: Vec::new(),
        }
    }
}

/// A running sshd. Dropped, or when the test dies, it and all that was started through it is gone.
#[derive(Debug)]
pub struct Sshd {
    folder: PathBuf,
    port: u16,
    user: String,
    mark: String,
    found: SshdFiles,
    keeper: Mutex<Keeper>,
}

impl Sshd {
    pub fn start() -> io::Result<Self> {
        Self::start_with(&SshdOptions::default())
    }

    pub fn start_with(options: &SshdOptions) -> io::Result<Self> {
        let found = found::find()?;
        for _ in place::PORTS {
            let sshd = Self::prepare(found.clone(), Place::claim()?, options)?;
            if sshd.say("start")? == "started" {
                return Ok(sshd);
            }
            let log = sshd.log();
            if !log.contains("Address already in use") {
                return Err(io::Error::other(log));
            }
        }
        Err(io::Error::other("no port is free"))
    }

    fn prepare(found: SshdFiles, place: Place, options: &SshdOptions) -> io::Result<Self> {
        let Place { folder, port } = place;
        fs::create_dir(folder.join("home"))?;
        fs::write(folder.join("authorized"), "")?;
        let mark = format!("{}:{}", folder.display(), std::process::id());
        write_names(&folder, options)?;
        write_config(&folder, port, &mark, &found, options)?;
        make_key(&found, &folder)?;
        let keeper = Mutex::new(keep(&found, &folder, &mark)?);
        Ok(Self { folder, port, user: options.user.clone(), mark, found, keeper })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn user(&self) -> &str {
        &self.user
    }

    /// The folder that is `~` of everything run through it.
    pub fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// As OpenSSH writes it: `SHA256:` and 43 letters.
    pub fn host_key_fingerprint(&self) -> io::Result<String> {
        fingerprint(&self.found, &self.folder)
    }

    /// Lets in who holds the other half of this line of `authorized_keys`.
    pub fn authorize(&self, public_line: &str) -> io::Result<()> {
        let mut keys = OpenOptions::new().append(true).open(self.folder.join("authorized"))?;
        writeln!(keys, "{}", public_line.trim())
    }

    /// Nobody is let in any more; who is in stays in.
    pub fn deauthorize(&self) -> io::Result<()> {
        fs::write(self.folder.join("authorized"), "")
    }

    /// kill -9 of every connection's sshd; what they started lives on, and the port still answers.
    pub fn kill_sessions(&self) -> io::Result<()> {
        self.say("sessions").map(drop)
    }

    /// kill -9 of the server and of every connection's sshd; what they started lives on.
    pub fn stop(&self) -> io::Result<()> {
        self.say("stop").map(drop)
    }

    /// On the same port, stopped or not.
    pub fn restart(&self) -> io::Result<()> {
        self.stop()?;
        match self.say("start")?.as_str() {
            "started" => Ok(()),
            _ => Err(io::Error::other(self.log())),
        }
    }

    /// Answers with another host key from the next connection on; the present ones are cut.
    pub fn change_host_key(&self) -> io::Result<()> {
        for name in ["key", "key.pub"] {
            fs::remove_file(self.folder.join(name))?;
        }
        make_key(&self.found, &self.folder)?;
        self.restart()
    }

    /// The listening process; those of connections are its children.
    pub fn pid(&self) -> io::Result<u32> {
        let pid = fs::read_to_string(self.folder.join("pid"))?;
        pid.trim().parse().map_err(io::Error::other)
    }

    /// Everything alive that was started through it, whoever its parent is by now.
    pub fn processes(&self) -> io::Result<Vec<Process>> {
        processes(&format!("LETHE_SSHD={}", self.mark))
    }

    /// OpenSSH's own client, which shows the private key in this file; the command is to be added.
    pub fn ssh(&self, key: &Path) -> Command {
        ssh(&self.found, key, self.port, &self.user)
    }

    /// What sshd says.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn say(&self, word: &str) -> io::Result<String> {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.say(word)
    }
}

/// Where ssh-keygen is, for keys of other kinds.
pub fn keygen() -> io::Result<PathBuf> {
    found::find().map(|found| found.keygen)
}

fn keep(found: &SshdFiles, folder: &Path, mark: &str) -> io::Result<Keeper> {
    let mut command = Command::new("sh");
    command.args(["-c", KEEP, "lethe-sshd"]).arg(folder).arg(mark).arg(&found.sshd);
    let mut libraries = found.libraries.clone();
    let known = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    libraries.extend(std::env::split_paths(&known));
    let libraries = std::env::join_paths(libraries).map_err(io::Error::other)?;
    command.env("PRELOAD", &found.names).env("LD_LIBRARY_PATH", libraries);
    command.env("NSS_WRAPPER_PASSWD", folder.join("passwd"));
    command.env("NSS_WRAPPER_GROUP", folder.join("group"));
    Keeper::start(command)
}

/// A key pair in `key` and `key.pub` of the folder.
pub(crate) fn make_key(found: &SshdFiles, folder: &Path) -> io::Result<()> {
    let mut command = Command::new(&found.keygen);
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(folder.join("key"));
    let made = command.stdin(Stdio::null()).status()?;
    if made.success() { Ok(()) } else { Err(io::Error::other("ssh-keygen failed")) }
}

/// Of `key.pub` in the folder.
pub(crate) fn fingerprint(found: &SshdFiles, folder: &Path) -> io::Result<String> {
    let shown = Command::new(&found.keygen).arg("-lf").arg(folder.join("key.pub")).output()?;
    let shown = String::from_utf8_lossy(&shown.stdout);
    let word = shown.split_whitespace().find(|word| word.starts_with("SHA256:"));
    word.map(ToOwned::to_owned).ok_or_else(|| io::Error::other("ssh-keygen shows no fingerprint"))
}

pub(crate) fn ssh(found: &SshdFiles, key: &Path, port: u16, user: &str) -> Command {
    let mut ssh = Command::new(found.keygen.with_file_name("ssh"));
    ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
    ssh.args(["-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-i"]).arg(key);
    ssh.args(["-p", &port.to_string(), &format!("{user}@127.0.0.1")]);
    ssh
}

fn write_names(folder: &Path, options: &SshdOptions) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    let (uid, gid, home) = (owner.uid(), owner.gid(), folder.join("home"));
    let line = |name: &str| {
        let (home, shell) = (home.display(), options.shell.display());
        format!("{name}:x:{uid}:{gid}::{home}:{shell}\n")
    };
    let apart = "sshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n";
    fs::write(folder.join("passwd"), format!("{}{apart}", line(&options.user)))?;
    fs::write(folder.join("group"), format!("us:x:{gid}:\nnogroup:x:65534:\n"))?;
    let empty = Path::new("/run/sshd");
    if uid == 0 && !empty.exists() {
        // sshd was built to go there, and nothing is ever kept in it.
        fs::DirBuilder::new().recursive(true).mode(0o755).create(empty)?;
    }
    Ok(())
}

fn write_config(
    folder: &Path,
    port: u16,
    mark: &str,
    found: &SshdFiles,
    options: &SshdOptions,
) -> io::Result<()> {
    let place = folder.display();
    let session = found.session.as_ref().map_or_else(String::new, |path| {
        let auth = path.with_file_name("sshd-auth");
        let auth = if auth.is_file() {
            format!("SshdAuthPath {}\n", auth.display())
        } else {
            String::new()
        };
        format!("SshdSessionPath {}\n{auth}", path.display())
    });
    let set = options.environment.iter().map(|(name, value)| format!(" {name}=\"{value}\""));
    let set: String = set.collect();
    let listen = options.listen;
    let text = format!(
        "{}\n{session}Port {port}\nListenAddress {listen}\nHostKey {place}/key\nPidFile {place}/pid\n\
         AuthorizedKeysFile {place}/authorized\nPermitRootLogin yes\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nUseDNS no\nStrictModes no\nPrintMotd no\n\
         MaxStartups 1000\nMaxSessions 1000\nSetEnv LETHE_SSHD={mark}{set}\n",
        options.config
    );
    fs::write(folder.join("config"), text)
}
