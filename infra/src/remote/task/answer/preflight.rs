//! The answer to a preflight.

use super::{Answer, TaskError, failed};

/// What may be so on a server; that it is not so is what a person has to know. The scripts tell them in
/// this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fact {
    /// `/proc` is there, with the processes of the user.
    Proc,
    /// `setsid` works.
    Setsid,
    /// So are the other programmes there that every run takes: `cat`, `dd`, `tail`, `tee`, `wc` and a few.
    Tools,
    /// The folder `.lethe/runs` in the home is there or can be made, and files in it.
    HomeWritable,
    /// A file of 4 KiB in it is kept.
    HomeSpace,
    /// The login shell runs the commands that it is given: on its command line, and in a file.
    Shell,
    /// 64 MiB are free in the home, where what a run writes is kept until it has been read.
    HomeRoom,
    /// A file in the home can be executed by its name: it is not mounted `noexec`.
    HomeProgrammes,
    /// The user sees processes of other users, or cannot become one. Else a kill proves nothing.
    VisibleProcesses,
    /// The user is root, or there is no `sudo`, or it asks for no password: what a command begins with it
    /// can be ended.
    Sudo,
    /// A process that has left its parent, its session and its environment is still known as one of
    /// its run. Else what other users of the server start meanwhile can keep a kill from being proven.
    Orphans,
    /// `grep` finds what stands in the environment of a process. Else a scan takes longer.
    Grep,
    /// `setsid` tells an end by a signal from an exit code above 128.
    ExactSignals,
    /// `tail` learns from the kernel that a file has grown. Else lines come up to a second later.
    Inotify,
    /// A run goes on when the login that began it has ended: logind does not end it.
    SurvivesLogin,
}

/// Whether something is so on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct CheckedFact {
    pub fact: Fact,
    pub is_so: bool,
}

/// What a server is like for runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight(Vec<CheckedFact>);

impl Fact {
    /// All, in their order.
    pub const ALL: [Self; 15] = [
        Self::Proc,
        Self::Setsid,
        Self::Tools,
        Self::HomeWritable,
        Self::HomeSpace,
        Self::Shell,
        Self::HomeRoom,
        Self::HomeProgrammes,
        Self::VisibleProcesses,
        Self::Sudo,
        Self::Orphans,
        Self::Grep,
        Self::ExactSignals,
        Self::Inotify,
        Self::SurvivesLogin,
    ];

    /// A stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proc => "proc",
            Self::Setsid => "setsid",
            Self::Tools => "tools",
            Self::HomeWritable => "home_writable",
            Self::HomeSpace => "home_space",
            Self::Shell => "shell",
            Self::HomeRoom => "home_room",
            Self::HomeProgrammes => "home_programmes",
            Self::VisibleProcesses => "visible_processes",
            Self::Sudo => "sudo",
            Self::Orphans => "orphans",
            Self::Grep => "grep",
            Self::ExactSignals => "exact_signals",
            Self::Inotify => "inotify",
            Self::SurvivesLogin => "survives_login",
        }
    }

    /// Whether no run starts without it.
    pub const fn is_needed(self) -> bool {
        matches!(
            self,
            Self::Proc
                | Self::Setsid
                | Self::Tools
                | Self::HomeWritable
                | Self::HomeSpace
                | Self::Shell
        )
    }
}

impl Preflight {
    /// Of a login that did not run the script.
    pub(in super::super) fn without_answer() -> Self {
        Self(vec![CheckedFact { fact: Fact::Shell, is_so: false }])
    }

    /// What was checked, in the order of [`Fact::ALL`]. What could not be tried is left out.
    pub fn facts(&self) -> &[CheckedFact] {
        &self.0
    }

    /// The first that no run starts without and that is not so.
    pub fn blocker(&self) -> Option<Fact> {
        let missing = self.0.iter().find(|checked| checked.fact.is_needed() && !checked.is_so);
        missing.map(|checked| checked.fact)
    }
}

impl Answer {
    pub fn preflight(&self) -> Result<Preflight, TaskError> {
        match self.fields().as_slice() {
            ["ready", facts] => read(facts).ok_or(TaskError::Answer),
            other => Err(failed(other)),
        }
    }
}

/// `proc=yes,setsid=no`: each at most once, in their order.
fn read(facts: &str) -> Option<Preflight> {
    let mut all = Fact::ALL.into_iter();
    let checked = facts.split(',').map(|word| {
        let (name, value) = word.split_once('=')?;
        let is_so = match value {
            "yes" => true,
            "no" => false,
            _ => return None,
        };
        all.find(|fact| fact.as_str() == name).map(|fact| CheckedFact { fact, is_so })
    });
    checked.collect::<Option<Vec<_>>>().map(Preflight)
}
