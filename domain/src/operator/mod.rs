//! An operator's token, and what was done with it.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::OperatorCommand;
pub use error::OperatorError;
pub use event::{GenerationAct, OperatorEvent, ReadModel, Scope};

use crate::AggregateRoot;

/// The state of an operator's token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Not issued.
    #[default]
    Absent,
    /// Issued, and not revoked. Whether it has expired is for the caller to check.
    Live {
        /// What it may do.
        scope: Scope,
        /// From here on it does nothing.
        expires_at: DateTime<Utc>,
        /// Exports that have begun, and have no end yet.
        open_exports: u32,
    },
    /// Revoked.
    Ended {
        /// Exports that had begun, and get their end still.
        open_exports: u32,
    },
}

impl Operator {
    const fn open_exports(&self) -> u32 {
        match self {
            Self::Absent => 0,
            Self::Live { open_exports, .. } | Self::Ended { open_exports } => *open_exports,
        }
    }

    const fn set_open_exports(&mut self, open: u32) {
        match self {
            Self::Absent => {}
            Self::Live { open_exports, .. } | Self::Ended { open_exports } => *open_exports = open,
        }
    }
}

impl AggregateRoot for Operator {
    const SNAPSHOT_VERSION: i16 = 3;

    fn decide(&self, command: OperatorCommand) -> Result<Vec<OperatorEvent>, OperatorError> {
        match (self, command) {
            (Self::Absent, OperatorCommand::IssueToken { scope, expires_at }) => {
                Ok(vec![OperatorEvent::TokenIssued { scope, expires_at }])
            }
            (Self::Live { .. } | Self::Ended { .. }, OperatorCommand::IssueToken { .. }) => {
                Err(OperatorError::AlreadyExists)
            }
            (Self::Absent, _) => Err(OperatorError::Unknown),
            (Self::Ended { .. }, OperatorCommand::RevokeToken) => Ok(vec![]),
            (Self::Ended { open_exports: 0 }, OperatorCommand::FinishExport { .. }) => {
                Err(OperatorError::Revoked)
            }
            (
                Self::Live { .. } | Self::Ended { .. },
                OperatorCommand::FinishExport { through, events, complete },
            ) => Ok(vec![OperatorEvent::ExportFinished { through, events, complete }]),
            (Self::Ended { .. }, _) => Err(OperatorError::Revoked),
            (Self::Live { scope, expires_at, .. }, OperatorCommand::Use { scope: needed, now }) => {
                if now >= *expires_at {
                    return Err(OperatorError::Expired);
                }
                if scope.may(needed) { Ok(vec![]) } else { Err(OperatorError::NeedsScope(needed)) }
            }
            (Self::Live { .. }, OperatorCommand::RevokeToken) => {
                Ok(vec![OperatorEvent::TokenRevoked {}])
            }
            (Self::Live { .. }, OperatorCommand::StartExport { through }) => {
                Ok(vec![OperatorEvent::ExportStarted { through }])
            }
            (Self::Live { .. }, OperatorCommand::FindAccount { account }) => {
                Ok(vec![OperatorEvent::AccountFound { account }])
            }
            (Self::Live { .. }, OperatorCommand::FindNoAccount) => {
                Ok(vec![OperatorEvent::AccountNotFound {}])
            }
            (Self::Live { .. }, OperatorCommand::ReleaseStream { stream, position }) => {
                Ok(vec![OperatorEvent::StreamReleased { stream, position }])
            }
            (
                Self::Live { .. },
                OperatorCommand::ChangeGeneration { projection, version, generation, act },
            ) => {
                Ok(vec![OperatorEvent::GenerationChanged { projection, version, generation, act }])
            }
        }
    }
}

impl Aggregate for Operator {
    const TYPE: &'static str = "operator";
    type Command = OperatorCommand;
    type Event = OperatorEvent;
    type Error = OperatorError;
    type Services = ();

    async fn handle(
        &mut self,
        command: OperatorCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), OperatorError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: OperatorEvent) {
        match event {
            OperatorEvent::TokenIssued { scope, expires_at } => {
                *self = Self::Live { scope, expires_at, open_exports: 0 };
            }
            OperatorEvent::TokenRevoked {} => {
                *self = Self::Ended { open_exports: self.open_exports() };
            }
            OperatorEvent::ExportStarted { .. } => {
                self.set_open_exports(self.open_exports().saturating_add(1));
            }
            OperatorEvent::ExportFinished { .. } => {
                self.set_open_exports(self.open_exports().saturating_sub(1));
            }
            OperatorEvent::AccountFound { .. }
            | OperatorEvent::AccountNotFound {}
            | OperatorEvent::StreamReleased { .. }
            | OperatorEvent::GenerationChanged { .. } => {}
        }
    }
}
