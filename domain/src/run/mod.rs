//! A run: a command or a deployment on one or several servers, each a state machine of its own.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod state;
mod target;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::RunCommand;
pub use error::RunError;
pub use event::RunEvent;
pub use state::RunState;
pub use target::{Stage, Target};
pub use work::{
    Digest, Ending, Failure, LogSeal, NotADigest, StartFailure, StreamSeal, TaskLease, Work,
};

use crate::{AccountId, AggregateRoot, RunSecretsId, ServerId};

/// The most servers that a run may be on.
pub const SERVERS_MAX: usize = 50;

/// The longest that an attempt may take: a day.
pub const TIMEOUT_SECONDS_MAX: u32 = 24 * 3600;

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// Not requested.
    #[default]
    Absent,
    /// It stays so: an attempt that has ended can be retried.
    // The stored rows of the projection of runs have this name.
    #[serde(rename = "asked")]
    Requested(Box<RequestedRun>),
}

/// What decisions about a run rest on, and what the nodes that run it need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestedRun {
    /// What is done on each server.
    pub work: Work,
    /// How long one attempt on one server may take.
    pub timeout_seconds: u32,
    /// The secrets of the last attempt; they are deleted once it has ended.
    pub secrets: Option<RunSecretsId>,
    /// The last attempt on each server of the run.
    pub targets: BTreeMap<ServerId, Target>,
}

impl Run {
    /// The run, once it is requested.
    pub fn requested(&self) -> Option<&RequestedRun> {
        match self {
            Self::Requested(run) => Some(run),
            Self::Absent => None,
        }
    }

    fn request(
        work: Work,
        servers: Vec<ServerId>,
        timeout_seconds: u32,
        secrets: Option<RunSecretsId>,
    ) -> Result<Vec<RunEvent>, RunError> {
        if !(1..=SERVERS_MAX).contains(&servers.len()) {
            return Err(RunError::ServersOutOfRange);
        }
        refuse_repeated(&servers)?;
        if matches!(work, Work::Deployment { .. }) && servers.len() > 1 {
            return Err(RunError::DeploymentOnSeveral);
        }
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&timeout_seconds) {
            return Err(RunError::TimeoutOutOfRange);
        }
        Ok(vec![RunEvent::Requested { work, servers, timeout_seconds, secrets }])
    }
}

impl AggregateRoot for Run {
    const SNAPSHOT_VERSION: i16 = 1;

    fn decide(&self, command: RunCommand) -> Result<Vec<RunEvent>, RunError> {
        let run = match (self, command) {
            (Self::Absent, RunCommand::Request { work, servers, timeout_seconds, secrets }) => {
                return Self::request(work, servers, timeout_seconds, secrets);
            }
            (Self::Absent, _) => return Err(RunError::Unknown),
            (Self::Requested(run), command) => (run, command),
        };
        let event = match run {
            (_, RunCommand::Request { .. }) => return Err(RunError::AlreadyExists),
            (run, RunCommand::RequestCancel { by }) => return run.cancel(by),
            (run, RunCommand::Retry { servers, secrets }) => return run.retry(servers, secrets),
            (run, RunCommand::Dispatch { lease }) => {
                run.leased(lease)?.dispatch(lease)?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Dispatched { server, attempt, fence }
            }
            (run, RunCommand::Start { lease }) => {
                run.leased(lease)?.start()?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Started { server, attempt, fence }
            }
            (run, RunCommand::Reattach { lease }) => {
                run.leased(lease)?.reattach(lease)?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Reattached { server, attempt, fence }
            }
            (run, RunCommand::End { lease, ending }) => {
                run.leased(lease)?.end(ending)?;
                ended(lease, ending)
            }
            (run, RunCommand::SealLog { lease, log }) => {
                run.leased(lease)?.seal()?;
                RunEvent::LogSealed { server: lease.server, attempt: lease.attempt, log }
            }
        };
        Ok(vec![event])
    }
}

impl Aggregate for Run {
    const TYPE: &'static str = "run";
    type Command = RunCommand;
    type Event = RunEvent;
    type Error = RunError;
    type Services = ();

    async fn handle(
        &mut self,
        command: RunCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), RunError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: RunEvent) {
        if let RunEvent::Requested { work, servers, timeout_seconds, secrets } = event {
            let targets = servers.into_iter().map(|server| (server, Target::new(1))).collect();
            *self =
                Self::Requested(Box::new(RequestedRun { work, timeout_seconds, secrets, targets }));
            return;
        }
        let Self::Requested(run) = self else { return };
        match event {
            RunEvent::Requested { .. } => {}
            RunEvent::Dispatched { server, fence, .. } => {
                run.at(server, fence, Stage::Dispatched);
            }
            RunEvent::Started { server, fence, .. }
            | RunEvent::Reattached { server, fence, .. } => {
                run.at(server, fence, Stage::Started);
            }
            RunEvent::CancelRequested { .. } => {
                for target in run.targets.values_mut().filter(|target| !target.is_ended()) {
                    target.cancelling = true;
                }
            }
            RunEvent::Succeeded { server, fence, .. } => {
                run.at(server, fence, Stage::Ended(Ending::Succeeded));
            }
            RunEvent::Failed { server, fence, failure, .. } => {
                run.at(server, fence, Stage::Ended(Ending::Failed { failure }));
            }
            RunEvent::TimedOut { server, fence, .. } => {
                run.at(server, fence, Stage::Ended(Ending::TimedOut));
            }
            RunEvent::Cancelled { server, fence, forced, .. } => {
                run.at(server, fence, Stage::Ended(Ending::Cancelled { forced }));
            }
            RunEvent::Lost { server, fence, .. } => {
                run.at(server, fence, Stage::Ended(Ending::Lost));
            }
            RunEvent::LogSealed { server, log, .. } => {
                if let Some(target) = run.targets.get_mut(&server) {
                    target.log = Some(log);
                }
            }
            RunEvent::Retried { servers, secrets } => {
                run.secrets = secrets;
                for server in servers {
                    if let Some(target) = run.targets.get_mut(&server) {
                        *target = Target::new(target.attempt + 1);
                    }
                }
            }
        }
    }
}

impl RequestedRun {
    /// The target of a node that is not behind another one.
    fn leased(&self, lease: TaskLease) -> Result<&Target, RunError> {
        let target = self.targets.get(&lease.server).ok_or(RunError::OtherServer)?;
        target.admit(lease)?;
        Ok(target)
    }

    fn cancel(&self, by: AccountId) -> Result<Vec<RunEvent>, RunError> {
        let open = || self.targets.iter().filter(|(_, target)| !target.is_ended());
        if open().next().is_none() {
            return Err(RunError::RunEnded);
        }
        if open().all(|(_, target)| target.cancelling) {
            return Ok(vec![]);
        }
        let queued = open().filter(|(_, target)| target.stage == Stage::Queued);
        let cancelled = queued.map(|(server, target)| RunEvent::Cancelled {
            server: *server,
            attempt: target.attempt,
            fence: target.fence,
            forced: false,
        });
        Ok([RunEvent::CancelRequested { by }].into_iter().chain(cancelled).collect())
    }

    fn retry(
        &self,
        named: Vec<ServerId>,
        secrets: Option<RunSecretsId>,
    ) -> Result<Vec<RunEvent>, RunError> {
        let succeeded = |target: &Target| target.stage == Stage::Ended(Ending::Succeeded);
        let servers = if named.is_empty() {
            let left = self.targets.iter();
            let left = left.filter(|(_, target)| target.is_ended() && !succeeded(target));
            if left.clone().any(|(_, target)| self.may_be_running(target)) {
                return Err(RunError::DeploymentLost);
            }
            left.map(|(server, _)| *server).collect()
        } else {
            refuse_repeated(&named)?;
            for server in &named {
                let target = self.targets.get(server).ok_or(RunError::OtherServer)?;
                if !target.is_ended() {
                    return Err(RunError::NotEnded);
                }
            }
            named
        };
        if servers.is_empty() {
            return Err(RunError::NothingToRetry);
        }
        Ok(vec![RunEvent::Retried { servers, secrets }])
    }

    const fn may_be_running(&self, target: &Target) -> bool {
        matches!(self.work, Work::Deployment { .. })
            && matches!(target.stage, Stage::Ended(Ending::Lost))
    }

    fn at(&mut self, server: ServerId, fence: u64, stage: Stage) {
        if let Some(target) = self.targets.get_mut(&server) {
            target.fence = fence;
            target.stage = stage;
        }
    }
}

fn refuse_repeated(servers: &[ServerId]) -> Result<(), RunError> {
    let mut rest = servers;
    while let Some((first, after)) = rest.split_first() {
        if after.contains(first) {
            return Err(RunError::ServerTwice);
        }
        rest = after;
    }
    Ok(())
}

const fn ended(lease: TaskLease, ending: Ending) -> RunEvent {
    let TaskLease { server, attempt, fence } = lease;
    match ending {
        Ending::Succeeded => RunEvent::Succeeded { server, attempt, fence },
        Ending::Failed { failure } => RunEvent::Failed { server, attempt, fence, failure },
        Ending::TimedOut => RunEvent::TimedOut { server, attempt, fence },
        Ending::Cancelled { forced } => RunEvent::Cancelled { server, attempt, fence, forced },
        Ending::Lost => RunEvent::Lost { server, attempt, fence },
    }
}
