//! What happened to a run.

use super::{Failure, LogSeal, Work};
use crate::{AccountId, RunSecretsId, ServerId};

events! {
    /// What happened to a run. Those that a node causes carry the attempt and the node's fence.
    RunEvent subject tenant {
        "run.requested" 1 => Requested {
            work: Work,
            servers: Vec<ServerId>,
            timeout_seconds: u32,
            secrets: Option<RunSecretsId>,
        }
        "run.dispatched" 1 => Dispatched { server: ServerId, attempt: u32, fence: u64 }
        "run.started" 1 => Started { server: ServerId, attempt: u32, fence: u64 }
        "run.reattached" 1 => Reattached { server: ServerId, attempt: u32, fence: u64 }
        "run.cancel_requested" 1 => CancelRequested { by: AccountId }
        "run.succeeded" 1 => Succeeded { server: ServerId, attempt: u32, fence: u64 }
        "run.failed" 1 => Failed { server: ServerId, attempt: u32, fence: u64, failure: Failure }
        "run.timed_out" 1 => TimedOut { server: ServerId, attempt: u32, fence: u64 }
        "run.cancelled" 1 => Cancelled {
            server: ServerId,
            attempt: u32,
            fence: u64,
            forced: bool,
        }
        "run.lost" 1 => Lost { server: ServerId, attempt: u32, fence: u64 }
        "run.log_sealed" 1 => LogSealed { server: ServerId, attempt: u32, log: LogSeal }
        "run.retried" 1 => Retried { servers: Vec<ServerId>, secrets: Option<RunSecretsId> }
    }
}
