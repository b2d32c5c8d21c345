//! The commands of a run.

use super::{Ending, LogSeal, TaskLease, Work};
use crate::{AccountId, RunSecretsId, ServerId};

#[derive(Clone, Debug)]
pub enum RunCommand {
    Request {
        work: Work,
        servers: Vec<ServerId>,
        timeout_seconds: u32,
        secrets: Option<RunSecretsId>,
    },
    /// A node has taken the server's task, or taken it over before it was known to have started.
    Dispatch {
        lease: TaskLease,
    },
    Start {
        lease: TaskLease,
    },
    /// A node has found the command running that another one had started, or that was lost.
    Reattach {
        lease: TaskLease,
    },
    End {
        lease: TaskLease,
        ending: Ending,
    },
    /// The attempt's log is whole, or all there will be of it.
    SealLog {
        lease: TaskLease,
        log: LogSeal,
    },
    RequestCancel {
        by: AccountId,
    },
    /// Another attempt on these servers; on none named, on all whose last attempt did not succeed.
    Retry {
        servers: Vec<ServerId>,
        secrets: Option<RunSecretsId>,
    },
}
