//! The log itself: what happened to it as a whole.

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
use uuid::Uuid;

pub use command::LogCommand;
pub use error::LogError;
pub use event::LogEvent;

use crate::AggregateRoot;

/// The one stream of the log itself, and whose it is: the operators'.
pub const LOG: Uuid = Uuid::from_u128(0x6c6f_6700_0000_8000_8000_0000_0000_0000);

/// What is known of the log as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The number of the last restore that the log knows of. Those before it may be missing, lost with the
    /// events of a later one.
    pub restore: u64,
}

impl AggregateRoot for Log {
    const SNAPSHOT_VERSION: i16 = 1;

    fn decide(&self, command: LogCommand) -> Result<Vec<LogEvent>, LogError> {
        match command {
            LogCommand::RecordRestore { restore, .. } if restore <= self.restore => {
                Err(LogError::AlreadyRecorded)
            }
            LogCommand::RecordRestore { restore, head, known } => {
                Ok(vec![LogEvent::Restored { restore, head, known }])
            }
        }
    }
}

impl Aggregate for Log {
    const TYPE: &'static str = "log";
    type Command = LogCommand;
    type Event = LogEvent;
    type Error = LogError;
    type Services = ();

    async fn handle(
        &mut self,
        command: LogCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), LogError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: LogEvent) {
        let LogEvent::Restored { restore, .. } = event;
        self.restore = restore;
    }
}
