//! A session: opened once, closed once.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::SessionCommand;
pub use error::SessionError;
pub use event::{CloseReason, SessionEvent, SessionKind};

use crate::{AccountId, AggregateRoot};

/// The state of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Session {
    /// Not opened.
    #[default]
    Absent,
    /// Open. When it expires is for the caller to check.
    Live {
        /// Whose session it is.
        account: AccountId,
    },
    /// Closed.
    Ended,
    /// It never was one: an attempt to sign in that was refused. Attempts stand with
    /// [`Strangers`](crate::strangers::Strangers) now.
    Refused,
}

impl AggregateRoot for Session {
    const SNAPSHOT_VERSION: i16 = 2;

    fn decide(&self, command: SessionCommand) -> Result<Vec<SessionEvent>, SessionError> {
        match (self, command) {
            (Self::Absent, SessionCommand::Open { account, kind, ip, user_agent }) => {
                Ok(vec![SessionEvent::Opened { account, kind, ip, user_agent }])
            }
            (_, SessionCommand::Open { .. }) => Err(SessionError::AlreadyExists),
            // Of one that is not opened, its row is all there is: whoever closes it deletes that.
            (Self::Absent | Self::Live { .. }, SessionCommand::Use) => Ok(vec![]),
            (Self::Ended, SessionCommand::Use) => Err(SessionError::Closed),
            (Self::Refused, SessionCommand::Use)
            | (Self::Absent | Self::Refused, SessionCommand::Close { .. }) => {
                Err(SessionError::Unknown)
            }
            (Self::Ended, SessionCommand::Close { .. })
            | (Self::Absent | Self::Ended | Self::Refused, SessionCommand::CloseIfOpen { .. }) => {
                Ok(vec![])
            }
            (
                Self::Live { .. },
                SessionCommand::Close { reason } | SessionCommand::CloseIfOpen { reason },
            ) => Ok(vec![SessionEvent::Closed { reason }]),
        }
    }
}

impl Aggregate for Session {
    const TYPE: &'static str = "session";
    type Command = SessionCommand;
    type Event = SessionEvent;
    type Error = SessionError;
    type Services = ();

    async fn handle(
        &mut self,
        command: SessionCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), SessionError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: SessionEvent) {
        *self = match event {
            SessionEvent::Opened { account, .. } => Self::Live { account },
            SessionEvent::Closed { .. } => Self::Ended,
            SessionEvent::Refused { .. } => Self::Refused,
        };
    }
}
