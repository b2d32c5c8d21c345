//! A run: a command or a deployment on one or several servers, each a state machine of its own.

mod command;
mod ending;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod requested;
mod state;
mod target;
#[cfg(test)]
mod tests;
mod work;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::RunCommand;
pub use ending::{Ending, Failure, LossCause, StartCause};
pub use error::RunError;
pub use event::RunEvent;
pub use requested::RequestedRun;
pub use state::RunState;
pub use target::{Settled, Stage, Target};
pub use work::{Digest, LogSeal, NotADigest, StreamSeal, TaskLease, Work};

use crate::{AggregateRoot, ServerId};

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

impl Run {
    /// The run, once it is requested.
    pub fn requested(&self) -> Option<&RequestedRun> {
        match self {
            Self::Requested(run) => Some(run),
            Self::Absent => None,
        }
    }
}

impl AggregateRoot for Run {
    const SNAPSHOT_VERSION: i16 = 2;

    fn decide(&self, command: RunCommand) -> Result<Vec<RunEvent>, RunError> {
        match (self, command) {
            (
                Self::Absent,
                RunCommand::Request {
                    work,
                    servers,
                    timeout_seconds,
                    secrets,
                    secret_names,
                    environment,
                },
            ) => {
                refuse_request(&work, &servers, timeout_seconds)?;
                let requested = RunEvent::Requested { work, servers, timeout_seconds, secrets };
                let names = secret_names.map(|names| RunEvent::SecretNames { names });
                let given =
                    environment.map(|environment| RunEvent::EnvironmentGiven { environment });
                Ok([requested].into_iter().chain(names).chain(given).collect())
            }
            (Self::Absent, _) => Err(RunError::Unknown),
            (Self::Requested(run), command) => run.decide(command),
        }
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
            let run = RequestedRun::new(work, servers, timeout_seconds, secrets);
            *self = Self::Requested(Box::new(run));
        } else if let Self::Requested(run) = self {
            run.apply(event);
        }
    }
}

fn refuse_request(work: &Work, servers: &[ServerId], timeout_seconds: u32) -> Result<(), RunError> {
    if !(1..=SERVERS_MAX).contains(&servers.len()) {
        return Err(RunError::ServersOutOfRange);
    }
    requested::refuse_repeated(servers)?;
    if matches!(work, Work::Deployment { .. }) && servers.len() > 1 {
        return Err(RunError::DeploymentOnSeveral);
    }
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&timeout_seconds) {
        return Err(RunError::TimeoutOutOfRange);
    }
    Ok(())
}
