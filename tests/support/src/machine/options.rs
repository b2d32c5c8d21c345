//! What a machine may be otherwise than a kind one.

/// Kind in everything unless it is said otherwise.
#[derive(Clone, Debug, Default)]
pub struct MachineOptions {
    pub first: FirstProcess,
    /// Of every user.
    pub shell: LoginShell,
    /// Of every user.
    pub home: HomeDisk,
    /// `/proc` shows a user that user's own processes only, and root all of them: `hidepid=2`.
    pub hides_processes: bool,
    /// Each login says a line to both outputs before the command has begun (`~/.ssh/rc`).
    pub is_noisy: bool,
    /// Who is not root can watch no file, since all instances of inotify are used up.
    pub lacks_inotify: bool,
    /// Programmes that are not there, by their names.
    pub lacks: Vec<String>,
    /// Scripts in the place of programmes: a name and a text. The programme itself is then `NAME.real`.
    pub instead: Vec<(String, String)>,
    /// Lines for the front of `sshd_config`, as `MaxSessions 1`.
    pub config: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FirstProcess {
    /// A shell that does nothing but reap orphans: nobody minds what a session leaves.
    #[default]
    Reaper,
    /// The host's systemd, with a system bus and logind, which ends what a session leaves
    /// (`KillUserProcesses=yes`) unless `systemd-run` gave it a scope of the user's own. See
    /// [`Machine::may_have_systemd`](super::Machine::may_have_systemd).
    Systemd,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginShell {
    #[default]
    Dash,
    Bash,
    /// `rbash`, which refuses redirections, `cd`, `exec` and commands with a slash.
    Restricted,
    /// BSD's, which drops a last line without an end.
    Csh,
    Fish,
    /// Of which every other programme is, too: nothing else is in `PATH`.
    Busybox,
    /// Which says that nobody may log in, and exits with 1.
    Nologin,
}

impl LoginShell {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Dash => "/bin/dash",
            Self::Bash => "/bin/bash",
            Self::Restricted => "/bin/rbash",
            Self::Csh => "/usr/bin/bsd-csh",
            Self::Fish => "/usr/bin/fish",
            Self::Busybox => "/opt/busybox/sh",
            Self::Nologin => "/usr/sbin/nologin",
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HomeDisk {
    #[default]
    Ample,
    /// Nothing in it is executed by its name.
    NoExec,
    /// Files and folders can be made, and not a byte can be written into them.
    Full,
}

/// Who logs in. But for root's, the number of a user is no other machine's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineUser {
    Root,
    /// Who may not become another one.
    Plain,
    /// Whom `sudo` asks for no password.
    Sudo,
    /// Whom `sudo` asks for [`MachineUser::PASSWORD`].
    SudoWithPassword,
}

impl MachineUser {
    pub const ALL: [Self; 4] = [Self::Root, Self::Plain, Self::Sudo, Self::SudoWithPassword];
    pub const PASSWORD: &str = "sesame";

    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Plain => "dep",
            Self::Sudo => "sud",
            Self::SudoWithPassword => "pas",
        }
    }

    /// On the machine with this port, and on the host.
    pub(super) fn uid(self, port: u16) -> u32 {
        let own = 10 * u32::from(port);
        match self {
            Self::Root => 0,
            Self::Plain => own + 1,
            Self::Sudo => own + 2,
            Self::SudoWithPassword => own + 3,
        }
    }
}
