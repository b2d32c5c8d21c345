//! The commands of a run.

use super::{Ending, LogSeal, TaskLease, Work};
use crate::privacy::{Personal, RunEnvironmentText, RunLeft, RunSecretNames};
use crate::{AccountId, RunSecretsId, ServerId};

/// What can be requested of a run. Those with a lease come from the node that has the task.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the fields are those of the event that follows")]
pub enum RunCommand {
    /// On 1 to 50 servers. What it needs was checked and stored by the caller.
    Request {
        work: Work,
        servers: Vec<ServerId>,
        timeout_seconds: u32,
        secrets: Option<RunSecretsId>,
        secret_names: Option<Personal<RunSecretNames>>,
        environment: Option<Personal<RunEnvironmentText>>,
    },
    /// A node has taken the server's task, or taken it over before it was known to have started.
    Dispatch { lease: TaskLease },
    /// The command was seen to run.
    Start { lease: TaskLease },
    /// A node has found the command running that another one had started, or that was lost.
    Reattach { lease: TaskLease },
    /// The attempt has ended: at most once, except that `Lost` may be replaced by the truth. What is
    /// `left` is kept of an end that is not proven.
    End { lease: TaskLease, ending: Ending, left: Option<Personal<RunLeft>> },
    /// No process is left of an attempt that was lost, or whose end was not proven: the last one, or
    /// one before it.
    ProveGone { lease: TaskLease },
    /// Seals the attempt's log, complete or not.
    SealLog { lease: TaskLease, log: LogSeal },
    /// What waits is cancelled at once; what runs is ended by the nodes that run it, and what may be left
    /// of an attempt that has ended by the node that finds it.
    RequestCancel { by: AccountId },
    /// Nobody is to look any more for what may be left on the server; without `by` since it was deleted.
    GiveUp { server: ServerId, by: Option<AccountId> },
    /// Another attempt on these servers; on none named, on all whose last attempt did not succeed. A run
    /// that was requested with secrets needs them again.
    Retry { servers: Vec<ServerId>, secrets: Option<RunSecretsId> },
}
