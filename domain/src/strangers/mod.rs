//! People without an account: what is kept of their attempts to sign in.

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

pub use command::StrangersCommand;
pub use error::StrangersError;
pub use event::StrangersEvent;

use crate::AggregateRoot;

/// The one stream of all of them, whose it is, and whom its personal fields are about: one key for ever, and
/// one for each day, however many attempts there are.
pub const STRANGERS: Uuid = Uuid::from_u128(0x7374_7261_6e67_8572_8000_0000_0000_0000);

/// Nothing is decided by what strangers did before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Strangers {}

impl AggregateRoot for Strangers {
    const SNAPSHOT_VERSION: i16 = 1;

    fn decide(&self, command: StrangersCommand) -> Result<Vec<StrangersEvent>, StrangersError> {
        match command {
            StrangersCommand::RefuseSignIn { ip, user_agent } => {
                Ok(vec![StrangersEvent::SignInRefused { ip, user_agent }])
            }
            StrangersCommand::CountRefusedSignIns { count: 0, .. } => Err(StrangersError::Nothing),
            StrangersCommand::CountRefusedSignIns { from, until, count } => {
                Ok(vec![StrangersEvent::SignInsRefused { from, until, count }])
            }
        }
    }
}

impl Aggregate for Strangers {
    const TYPE: &'static str = "strangers";
    type Command = StrangersCommand;
    type Event = StrangersEvent;
    type Error = StrangersError;
    type Services = ();

    async fn handle(
        &mut self,
        command: StrangersCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), StrangersError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, _: StrangersEvent) {}
}
