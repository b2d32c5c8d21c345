//! The commands of a run.

use super::{Ending, LogSeal, TaskLease, Work};
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
    },
    /// A node has taken the server's task, or taken it over before it was known to have started.
    Dispatch { lease: TaskLease },
    /// The command was seen to run.
    Start { lease: TaskLease },
    /// A node has found the command running that another one had started, or that was lost.
    Reattach { lease: TaskLease },
    /// The attempt has ended: at most once, except that `Lost` may be replaced by the truth.
    End { lease: TaskLease, ending: Ending },
    /// Seals the attempt's log, complete or not.
    SealLog { lease: TaskLease, log: LogSeal },
    /// What waits is cancelled at once; what runs is ended by the nodes that run it.
    RequestCancel { by: AccountId },
    /// Another attempt on these servers; on none named, on all whose last attempt did not succeed.
    Retry { servers: Vec<ServerId>, secrets: Option<RunSecretsId> },
}
