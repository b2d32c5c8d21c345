//! A run that is requested: what decisions about it rest on, and these decisions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Ending, Failure, RunCommand, RunError, RunEvent, Settled, Stage, Target, TaskLease, Work,
};
use crate::privacy::{Personal, RunEnvironmentText, RunLeft, RunSecretNames};
use crate::{AccountId, RunSecretsId, ServerId};

/// What decisions about a run rest on, and what the nodes that run it need.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestedRun {
    /// What is done on each server.
    pub work: Work,
    /// How long one attempt on one server may take.
    pub timeout_seconds: u32,
    /// The secrets of the last attempt; they are deleted once it has ended.
    pub secrets: Option<RunSecretsId>,
    /// It was requested with secrets, so that each retry needs them again.
    pub needs_secrets: bool,
    /// Sealed for the workspace: the names of the secrets that it was requested with.
    pub secret_names: Option<Personal<RunSecretNames>>,
    /// Sealed for the workspace: the variables that are no secrets, of every attempt.
    pub environment: Option<Personal<RunEnvironmentText>>,
    /// The last attempt on each server of the run.
    pub targets: BTreeMap<ServerId, Target>,
}

impl RequestedRun {
    pub(super) fn new(
        work: Work,
        servers: Vec<ServerId>,
        timeout_seconds: u32,
        secrets: Option<RunSecretsId>,
    ) -> Self {
        Self {
            work,
            timeout_seconds,
            secrets,
            needs_secrets: secrets.is_some(),
            secret_names: None,
            environment: None,
            targets: servers.into_iter().map(|server| (server, Target::new(1))).collect(),
        }
    }

    pub(super) fn decide(&self, command: RunCommand) -> Result<Vec<RunEvent>, RunError> {
        let event = match command {
            RunCommand::Request { .. } => return Err(RunError::AlreadyExists),
            RunCommand::RequestCancel { by } => return self.cancel(by),
            RunCommand::Retry { servers, secrets } => return self.retry(servers, secrets),
            RunCommand::GiveUp { server, by } => return self.give_up(server, by),
            RunCommand::Dispatch { lease } => {
                self.leased(lease)?.dispatch(lease)?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Dispatched { server, attempt, fence }
            }
            RunCommand::Start { lease } => {
                self.leased(lease)?.start()?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Started { server, attempt, fence }
            }
            RunCommand::Reattach { lease } => {
                self.leased(lease)?.reattach(lease)?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::Reattached { server, attempt, fence }
            }
            RunCommand::End { lease, ending, left } => {
                self.leased(lease)?.end(ending)?;
                ended(lease, ending, left)
            }
            RunCommand::ProveGone { lease } => {
                self.prove_gone(lease)?;
                let TaskLease { server, attempt, fence } = lease;
                RunEvent::ProvenGone { server, attempt, fence }
            }
            RunCommand::SealLog { lease, log } => {
                self.leased(lease)?.seal()?;
                RunEvent::LogSealed { server: lease.server, attempt: lease.attempt, log }
            }
        };
        Ok(vec![event])
    }

    /// The target of a node that is not behind another one.
    fn leased(&self, lease: TaskLease) -> Result<&Target, RunError> {
        let target = self.targets.get(&lease.server).ok_or(RunError::OtherServer)?;
        target.admit(lease)?;
        Ok(target)
    }

    /// What may be left of an attempt is found by any node: its task has a fence of its own.
    fn prove_gone(&self, lease: TaskLease) -> Result<(), RunError> {
        let target = self.targets.get(&lease.server).ok_or(RunError::OtherServer)?;
        if lease.attempt < target.attempt {
            let may_be_left = target.earlier.contains(&lease.attempt);
            return if may_be_left { Ok(()) } else { Err(RunError::NothingLeft) };
        }
        target.admit(lease)?;
        target.prove_gone()
    }

    fn give_up(&self, server: ServerId, by: Option<AccountId>) -> Result<Vec<RunEvent>, RunError> {
        let target = self.targets.get(&server).ok_or(RunError::OtherServer)?;
        let own = target.may_run().then_some(target.attempt);
        let attempts = target.earlier.iter().copied().chain(own);
        let given_up: Vec<_> =
            attempts.map(|attempt| RunEvent::GivenUp { server, attempt, by }).collect();
        if !given_up.is_empty() {
            return Ok(given_up);
        }
        Err(if target.is_ended() { RunError::NothingLeft } else { RunError::NotEnded })
    }

    fn cancel(&self, by: AccountId) -> Result<Vec<RunEvent>, RunError> {
        let open = || self.targets.iter().filter(|(_, target)| can_be_cancelled(target));
        if open().next().is_none() {
            return Err(RunError::RunEnded);
        }
        // What may be left of what has ended was looked for in vain: it is looked for once more.
        let has_unended = open().any(|(_, target)| !target.is_ended());
        if has_unended && open().all(|(_, target)| target.cancelling) {
            return Ok(vec![]);
        }
        let queued = open().filter(|(_, target)| target.stage == Stage::Queued);
        let cancelled = queued.map(|(server, target)| RunEvent::Cancelled {
            server: *server,
            attempt: target.attempt,
            fence: target.fence,
            forced: false,
            proven: true,
            left: None,
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
            if left.clone().any(|(_, target)| self.may_be_deploying(target)) {
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
        if self.needs_secrets && secrets.is_none() {
            return Err(RunError::SecretsNeeded);
        }
        Ok(vec![RunEvent::Retried { servers, secrets }])
    }

    /// Nobody retries it without naming its server.
    fn may_be_deploying(&self, target: &Target) -> bool {
        matches!(self.work, Work::Deployment { .. }) && target.may_be_left()
    }

    pub(super) fn apply(&mut self, event: RunEvent) {
        match event {
            RunEvent::Requested { .. } => {}
            RunEvent::SecretNames { names } => self.secret_names = Some(names),
            RunEvent::EnvironmentGiven { environment } => self.environment = Some(environment),
            RunEvent::Dispatched { server, fence, .. } => {
                self.at(server, fence, Stage::Dispatched);
            }
            RunEvent::Started { server, fence, .. }
            | RunEvent::Reattached { server, fence, .. } => {
                self.at(server, fence, Stage::Started);
                // It was started once nothing was left of those before it.
                self.on(server, |target| target.earlier.clear());
            }
            RunEvent::CancelRequested { .. } => {
                for target in self.targets.values_mut().filter(|target| can_be_cancelled(target)) {
                    target.cancelling = true;
                }
            }
            RunEvent::Succeeded { server, fence, .. } => {
                self.at(server, fence, Stage::Ended(Ending::Succeeded));
            }
            RunEvent::Failed { server, fence, failure, .. } => {
                self.at(server, fence, Stage::Ended(Ending::Failed { failure }));
            }
            RunEvent::NotStarted { server, fence, cause, .. } => {
                let failure = Failure::NotStarted { cause };
                self.at(server, fence, Stage::Ended(Ending::Failed { failure }));
            }
            RunEvent::TimedOut { server, fence, proven, left, .. } => {
                self.stopped(server, fence, Ending::TimedOut { proven }, left);
            }
            RunEvent::Cancelled { server, fence, forced, proven, left, .. } => {
                self.stopped(server, fence, Ending::Cancelled { forced, proven }, left);
            }
            RunEvent::Lost { server, fence, why, .. } => {
                self.at(server, fence, Stage::Ended(Ending::Lost { why }));
            }
            RunEvent::ProvenGone { server, attempt, .. } => {
                self.on(server, |target| target.settle(attempt, Settled::ProvenGone));
            }
            RunEvent::GivenUp { server, attempt, .. } => {
                self.on(server, |target| target.settle(attempt, Settled::GivenUp));
            }
            RunEvent::LogSealed { server, log, .. } => {
                self.on(server, |target| target.log = Some(log));
            }
            RunEvent::Retried { servers, secrets } => {
                self.secrets = secrets;
                for server in servers {
                    self.on(server, |target| *target = target.next());
                }
            }
        }
    }

    fn on(&mut self, server: ServerId, change: impl FnOnce(&mut Target)) {
        if let Some(target) = self.targets.get_mut(&server) {
            change(target);
        }
    }

    fn at(&mut self, server: ServerId, fence: u64, stage: Stage) {
        self.on(server, |target| (target.fence, target.stage) = (fence, stage));
    }

    /// Where the end is not proven, another request ends what may be left.
    fn stopped(
        &mut self,
        server: ServerId,
        fence: u64,
        ending: Ending,
        left: Option<Personal<RunLeft>>,
    ) {
        self.at(server, fence, Stage::Ended(ending));
        self.on(server, |target| {
            target.left = left;
            target.cancelling = target.cancelling && !target.may_run();
        });
    }
}

/// What has not ended, and what may be left of what has.
fn can_be_cancelled(target: &Target) -> bool {
    !target.is_ended() || target.may_be_left()
}

pub(super) fn refuse_repeated(servers: &[ServerId]) -> Result<(), RunError> {
    let mut rest = servers;
    while let Some((first, after)) = rest.split_first() {
        if after.contains(first) {
            return Err(RunError::ServerTwice);
        }
        rest = after;
    }
    Ok(())
}

/// What is left is said of an end that is not proven, and of no other one.
pub(super) fn ended(lease: TaskLease, ending: Ending, left: Option<Personal<RunLeft>>) -> RunEvent {
    let TaskLease { server, attempt, fence } = lease;
    match ending {
        Ending::Succeeded => RunEvent::Succeeded { server, attempt, fence },
        Ending::Failed { failure: Failure::NotStarted { cause } } => {
            RunEvent::NotStarted { server, attempt, fence, cause }
        }
        Ending::Failed { failure } => RunEvent::Failed { server, attempt, fence, failure },
        Ending::TimedOut { proven } => {
            let left = left.filter(|_| !proven);
            RunEvent::TimedOut { server, attempt, fence, proven, left }
        }
        Ending::Cancelled { forced, proven } => {
            let left = left.filter(|_| !proven);
            RunEvent::Cancelled { server, attempt, fence, forced, proven, left }
        }
        Ending::Lost { why } => RunEvent::Lost { server, attempt, fence, why },
    }
}
