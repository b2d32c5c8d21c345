//! A whole machine for tests: users, PAM, sudo, homes and a `/proc` of its own, and a real sshd that runs as root.
//!
//! It is a mount, process and control group namespace above the host's own root, of which it sees a copy
//! that it may change. The network is the host's, and so are the numbers of users.

mod files;
mod options;
#[cfg(test)]
mod tests;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use options::{FirstProcess, HomeDisk, LoginShell, MachineOptions, MachineUser};

use crate::sshd::found::{self, SshdFiles};
use crate::sshd::keeper::Keeper;
use crate::sshd::place::{PORTS, Place};
use crate::sshd::{Process, fingerprint, make_key, processes, ssh};

const KEEP: &str = include_str!("keep.sh");
/// In the environment of what belongs to the machine itself.
const OWN: &str = "LETHE_MACHINE=own";
/// What else runs on it unasked.
const OWN_NAMES: [&str; 9] = [
    "sshd",
    "sshd-session",
    "sshd-auth",
    "systemd",
    "(sd-pam)",
    "systemd-journal",
    "systemd-logind",
    "dbus-daemon",
    "polkitd",
];
const SYSTEMD: [&str; 2] = ["/lib/systemd/systemd", "/usr/bin/dbus-daemon"];
const MISSING: &str = "`.ci/tools sshd busybox shells sudo pam` gets what it needs";

/// A machine that is up. Dropped, or when the test dies, it and everything on it is gone.
#[derive(Debug)]
pub struct Machine {
    folder: PathBuf,
    port: u16,
    found: SshdFiles,
    keeper: Mutex<Keeper>,
    /// Its first process, as the host counts.
    init: AtomicU32,
}

impl Machine {
    /// On it, for what its commands write down of what they did: everyone may append to it. It is neither
    /// on the disk of the homes nor gone after a reboot.
    pub const RECORD: &str = "/mnt/record";

    /// Takes root. Panics without it; `None` where `LETHE_TEST_NO_MOUNT` leaves such tests out.
    pub fn start(options: &MachineOptions) -> Option<Self> {
        let apart = ["--mount", "--pid", "--cgroup", "--fork", "true"];
        let tried = Command::new("unshare").args(apart).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
            assert!(left_out, "nothing is unshared: run as root, or set LETHE_TEST_NO_MOUNT=1");
            return None;
        }
        Some(Self::boot(options).unwrap_or_else(|error| panic!("no machine ({MISSING}): {error}")))
    }

    /// Whether the host has what [`FirstProcess::Systemd`] takes: `systemd`, `dbus-daemon` and the module of PAM.
    /// The one thing that `.ci/tools` does not get.
    pub fn may_have_systemd() -> bool {
        let modules = found::libraries_of(Path::new("/usr/lib"));
        let has_module = |folder: &PathBuf| folder.join("security/pam_systemd.so").is_file();
        SYSTEMD.iter().all(|file| Path::new(file).is_file()) && modules.iter().any(has_module)
    }

    fn boot(options: &MachineOptions) -> io::Result<Self> {
        let found = found::find()?;
        for _ in PORTS {
            let machine = Self::prepare(found.clone(), Place::claim()?, options)?;
            let answer = machine.keeper().answer()?;
            match machine.accept(&answer) {
                Ok(()) => return Ok(machine),
                Err(_) if machine.log().contains("Address already in use") => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no port is free"))
    }

    fn prepare(found: SshdFiles, place: Place, options: &MachineOptions) -> io::Result<Self> {
        let Place { folder, port } = place;
        let folder = folder.canonicalize()?;
        files::write(&folder, port, &found, options)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--", "sh", "-c", KEEP, "lethe-machine"]).arg(&folder);
        command.arg(port.to_string()).arg(found::tools().unwrap_or_default());
        let home = match options.home {
            HomeDisk::Ample => "size=512m",
            HomeDisk::NoExec => "size=512m,noexec",
            HomeDisk::Full => "size=1m",
        };
        let proc = if options.hides_processes { ",hidepid=2" } else { "" };
        let full = if options.home == HomeDisk::Full { "full" } else { "" };
        let first = if options.first == FirstProcess::Systemd { "systemd" } else { "" };
        let users = MachineUser::ALL.into_iter().filter(|user| *user != MachineUser::Root);
        let users = users.map(|user| user.uid(port).to_string()).filter(|_| options.lacks_inotify);
        command.env("HOME_OPTIONS", home).env("PROC_OPTIONS", proc).env("FULL", full);
        command.env("INOTIFY_UIDS", users.collect::<Vec<String>>().join(" "));
        command.env("FIRST", first).env("LACKS", options.lacks.join(" "));
        let keeper = Mutex::new(Keeper::start(command)?);
        Ok(Self { folder, port, found, keeper, init: AtomicU32::new(0) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file of the machine as the host finds it: of its disk and of its homes, also while it is off, but
    /// not of `/tmp`, `/run`, `/proc` and `/dev`.
    pub fn path(&self, path: &str) -> PathBuf {
        self.disk().join("root").join(path.trim_start_matches('/'))
    }

    pub fn home(&self, user: MachineUser) -> PathBuf {
        self.path("home").join(user.name())
    }

    /// What was written to [`Machine::RECORD`].
    pub fn record(&self) -> String {
        fs::read_to_string(self.path(Self::RECORD)).unwrap_or_default()
    }

    /// All that lives on it, whatever it hides from its own users, but for sshd, the first process and what
    /// belongs to systemd. Numbers are those of the host.
    pub fn ps(&self) -> io::Result<Vec<Process>> {
        processes::in_namespace_of(self.init.load(Ordering::Relaxed), &OWN_NAMES, OWN)
    }

    /// As when the power fails and comes back: no process lives to see another one die. Disk, homes, host
    /// key and port are as before.
    pub fn reboot(&self) -> io::Result<()> {
        self.say("reboot")
    }

    pub fn boot_id(&self) -> io::Result<String> {
        fs::read_to_string(self.disk().join("boot_id")).map(|id| id.trim_end().to_owned())
    }

    /// As if it had been rebooted, while everything lives on.
    pub fn change_boot_id(&self) -> io::Result<()> {
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        fs::write(self.disk().join("boot_id"), id)
    }

    /// Moves the process with this number of the host into a control group of the machine, which is made:
    /// `system.slice/x.service`. It is of the unified hierarchy (`0::` in `/proc/N/cgroup`).
    pub fn move_to(&self, pid: u32, group: &str) -> io::Result<()> {
        let own = self.disk().join(format!("cgroup/lethe-machine-{}", self.port));
        let group = own.join(group.trim_start_matches('/'));
        fs::create_dir_all(&group)?;
        fs::write(group.join("cgroup.procs"), pid.to_string())
    }

    /// As OpenSSH writes it: `SHA256:` and 43 letters.
    pub fn host_key_fingerprint(&self) -> io::Result<String> {
        fingerprint(&self.found, &self.path("etc/ssh"))
    }

    /// Answers with another host key from the next connection on; the present ones are cut.
    pub fn change_host_key(&self) -> io::Result<()> {
        let folder = self.path("etc/ssh");
        for name in ["key", "key.pub"] {
            fs::remove_file(folder.join(name))?;
        }
        make_key(&self.found, &folder)?;
        self.restart()
    }

    /// Lets in, as each user, who holds the other half of this line of `authorized_keys`.
    pub fn authorize(&self, public_line: &str) -> io::Result<()> {
        let keys = self.path("etc/ssh/authorized");
        writeln!(OpenOptions::new().append(true).open(keys)?, "{}", public_line.trim())
    }

    /// Nobody is let in any more; who is in stays in.
    pub fn deauthorize(&self) -> io::Result<()> {
        fs::write(self.path("etc/ssh/authorized"), "")
    }

    /// kill -9 of every connection's sshd; what they started lives on, and the port still answers.
    pub fn kill_sessions(&self) -> io::Result<()> {
        self.say("sessions")
    }

    /// kill -9 of sshd and of every connection's sshd; what they started lives on.
    pub fn stop(&self) -> io::Result<()> {
        self.say("stop")
    }

    /// On the same port, stopped or not.
    pub fn restart(&self) -> io::Result<()> {
        self.stop()?;
        self.say("start")
    }

    /// OpenSSH's own client, which shows the private key in this file; the command is to be added.
    pub fn ssh(&self, user: MachineUser, key: &Path) -> Command {
        let mut ssh = ssh(&self.found, key, self.port, user.name());
        ssh.stdin(Stdio::null());
        ssh
    }

    /// What sshd says.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("var/log/sshd.log")).unwrap_or_default()
    }

    /// Where only the keeper and the machine see it: through the keeper's root.
    fn disk(&self) -> PathBuf {
        let pid = self.keeper().pid();
        PathBuf::from(format!("/proc/{pid}/root{}/disk", self.folder.display()))
    }

    fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, word: &str) -> io::Result<()> {
        let answer = self.keeper().say(word)?;
        self.accept(&answer)
    }

    fn accept(&self, answer: &str) -> io::Result<()> {
        let init = answer.strip_prefix("done ").and_then(|pid| pid.parse().ok());
        let console = || fs::read_to_string(self.folder.join("console")).unwrap_or_default();
        let init = init.ok_or_else(|| io::Error::other(format!("{}{}", console(), self.log())))?;
        self.init.store(init, Ordering::Relaxed);
        Ok(())
    }
}
