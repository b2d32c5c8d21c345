//! What a check says of a server as a place for runs. The server answers yes or no; the texts are ours.

use std::time::Duration;

use infra::remote::Connection;
use infra::remote::task::{self, CheckedFact, Fact, Preflight};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

/// Something that runs on the server depend on.
#[derive(Serialize, ToSchema)]
pub struct PreflightFact {
    /// Such as `setsid`, `home_space` or `shell`.
    fact: &'static str,
    ok: bool,
    /// No run starts without it. Else runs are only worse.
    needed: bool,
    /// What is wrong, and what that costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// What can be done on the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<&'static str>,
}

/// `None`: it took too long, or the connection was lost.
pub async fn look_for_runs(connection: &Connection, within: Duration) -> Option<Preflight> {
    timeout(within, task::preflight(connection)).await.ok()?.ok()
}

pub fn view(preflight: &Preflight) -> Vec<PreflightFact> {
    let shown = |&CheckedFact { fact, is_so }: &CheckedFact| PreflightFact {
        fact: fact.as_str(),
        ok: is_so,
        needed: fact.is_needed(),
        cause: (!is_so).then(|| cause(fact)),
        cure: (!is_so).then(|| cure(fact)),
    };
    preflight.facts().iter().map(shown).collect()
}

const fn cause(fact: Fact) -> &'static str {
    match fact {
        Fact::Proc => "/proc is not there, or does not show the processes of the user.",
        Fact::Setsid => "setsid is not there, or does not work.",
        Fact::Tools => {
            "One of the programmes is not there that every run takes: cat, dd, env, id, ln, mkdir, mv, rm, \
             sleep, tail, tee, wc."
        }
        Fact::HomeWritable => "Nothing can be written to .lethe/runs in the home of the user.",
        Fact::HomeSpace => "The home of the user is full: its disk, or its quota.",
        Fact::Shell => {
            "The login does not run the commands that it is given, or its shell runs no file."
        }
        Fact::HomeRoom => {
            "Less than 64 MiB are free in the home of the user, where what a run prints is kept until it \
             has been read."
        }
        Fact::HomeProgrammes => {
            "The home of the user is mounted noexec: a command that calls a programme there by its name fails."
        }
        Fact::VisibleProcesses => {
            "/proc hides the processes of other users, and the user may become one of them: a cancel cannot \
             be proven here, and ends as unproven."
        }
        Fact::Sudo => {
            "sudo is there, and not without a password: what a command begins as another user is not ended \
             by a cancel or a time-out, which end as unproven then."
        }
        Fact::Orphans => {
            "A process that has left its parent, its session and its environment looks like one of somebody \
             else: what others begin meanwhile can keep a cancel from being proven."
        }
        Fact::Grep => {
            "grep does not find what stands in the environment of a process: a cancel takes longer."
        }
        Fact::ExactSignals => {
            "setsid does not tell an end by a signal from an exit code above 128: such a code is shown as a \
             signal, or a signal as a code."
        }
        Fact::Inotify => {
            "tail does not learn from the kernel that a file has grown: lines come up to a second later."
        }
        Fact::SurvivesLogin => {
            "logind ends what a login has begun when it ends: a run is lost with its connection."
        }
    }
}

const fn cure(fact: Fact) -> &'static str {
    match fact {
        Fact::Proc => "Mount proc at /proc.",
        Fact::Setsid => "Install util-linux.",
        Fact::Tools => "Install coreutils, in the PATH of a login without a terminal.",
        Fact::HomeWritable => {
            "Make the home, and .lethe/runs in it, folders of the user that can be written to."
        }
        Fact::HomeSpace | Fact::HomeRoom => "Free some space in the home of the user.",
        Fact::Shell => {
            "Give the user a login shell such as /bin/sh, and take away what forces another command: \
             ForceCommand of sshd, command= before the key, an exit in a file that the shell reads first."
        }
        Fact::HomeProgrammes => {
            "Mount it without noexec, or name the interpreter: sh ./script in place of ./script."
        }
        Fact::VisibleProcesses => {
            "Mount /proc without hidepid, or with gid= of a group that the user belongs to."
        }
        Fact::Sudo => {
            "Let sudo ask this user for no password (NOPASSWD), or begin nothing as another user."
        }
        Fact::Orphans => {
            "Set UsePAM yes for sshd, with pam_loginuid, where the kernel has audit; or install perl."
        }
        Fact::Grep => "Install GNU grep, and take away what stands in its place.",
        Fact::ExactSignals => "Install util-linux 2.35 or later.",
        Fact::Inotify => "Install GNU coreutils, or raise fs.inotify.max_user_instances.",
        Fact::SurvivesLogin => {
            "Let the user linger (loginctl enable-linger), or set KillUserProcesses=no in logind.conf."
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_fact_has_a_cause_of_its_own_and_a_cure() {
        let causes: BTreeSet<_> = Fact::ALL.into_iter().map(cause).collect();
        assert_eq!(causes.len(), Fact::ALL.len());
        for fact in Fact::ALL {
            assert!(cause(fact).ends_with('.') && cure(fact).ends_with('.'), "{}", fact.as_str());
        }
    }
}
