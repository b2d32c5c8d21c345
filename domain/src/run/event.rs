//! What happened to a run.

use serde_json::Value;

use super::{Failure, LogSeal, LossCause, StartCause, Work};
use crate::privacy::{Personal, RunEnvironmentText, RunLeft, RunSecretNames};
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
        "run.secret_names" 1 => SecretNames { names: Personal<RunSecretNames> }
        "run.environment_given" 1 => EnvironmentGiven { environment: Personal<RunEnvironmentText> }
        "run.dispatched" 1 => Dispatched { server: ServerId, attempt: u32, fence: u64 }
        "run.started" 1 => Started { server: ServerId, attempt: u32, fence: u64 }
        "run.reattached" 1 => Reattached { server: ServerId, attempt: u32, fence: u64 }
        "run.cancel_requested" 1 => CancelRequested { by: AccountId }
        "run.succeeded" 1 => Succeeded { server: ServerId, attempt: u32, fence: u64 }
        /// `NotStarted` is read of former versions only: [`RunEvent::NotStarted`] says it now.
        "run.failed" 1 => Failed { server: ServerId, attempt: u32, fence: u64, failure: Failure }
        "run.not_started" 1 => NotStarted {
            server: ServerId,
            attempt: u32,
            fence: u64,
            cause: StartCause,
        }
        "run.timed_out" 2 => TimedOut {
            server: ServerId,
            attempt: u32,
            fence: u64,
            proven: bool,
            left: Option<Personal<RunLeft>>,
        }
        "run.cancelled" 2 => Cancelled {
            server: ServerId,
            attempt: u32,
            fence: u64,
            forced: bool,
            proven: bool,
            left: Option<Personal<RunLeft>>,
        }
        "run.lost" 2 => Lost { server: ServerId, attempt: u32, fence: u64, why: LossCause }
        /// Of an attempt that was lost, or whose end was not proven.
        "run.proven_gone" 1 => ProvenGone { server: ServerId, attempt: u32, fence: u64 }
        /// Nobody looks any more for what may be left of the attempt. Without `by`: its server was deleted.
        "run.given_up" 1 => GivenUp { server: ServerId, attempt: u32, by: Option<AccountId> }
        "run.log_sealed" 1 => LogSealed { server: ServerId, attempt: u32, log: LogSeal }
        "run.retried" 1 => Retried { servers: Vec<ServerId>, secrets: Option<RunSecretsId> }
    } upcast &[
        ("run.timed_out", 1, proven_as_it_was_said),
        ("run.cancelled", 1, proven_as_it_was_said),
        ("run.lost", 1, lost_for_an_unknown_cause),
    ]
}

/// The former event said that no process is left.
fn proven_as_it_was_said(mut data: Value) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.insert("proven".to_owned(), true.into());
        fields.insert("left".to_owned(), Value::Null);
    }
    data
}

fn lost_for_an_unknown_cause(mut data: Value) -> Value {
    if let Value::Object(fields) = &mut data {
        fields.insert("why".to_owned(), LossCause::Unknown.as_str().into());
    }
    data
}
