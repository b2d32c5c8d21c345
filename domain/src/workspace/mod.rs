//! A workspace: who belongs to it, and as what. It always has an owner.

mod command;
mod error;
mod event;
#[cfg(test)]
mod golden;
mod role;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::WorkspaceCommand;
pub use error::WorkspaceError;
pub use event::WorkspaceEvent;
pub use role::{Right, Role};

use crate::privacy::{Personal, WorkspaceName};
use crate::{AccountId, Root};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workspace {
    #[default]
    Absent,
    Live(Box<Live>),
}

/// What decisions about a workspace rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Live {
    pub name: Personal<WorkspaceName>,
    pub members: BTreeMap<AccountId, Role>,
}

impl Workspace {
    /// What the account is in it, while it lives.
    pub fn role_of(&self, account: AccountId) -> Option<Role> {
        match self {
            Self::Live(live) => live.members.get(&account).copied(),
            Self::Absent => None,
        }
    }
}

impl Root for Workspace {
    const SNAPSHOT_VERSION: i16 = 1;

    fn decide(&self, command: WorkspaceCommand) -> Result<Vec<WorkspaceEvent>, WorkspaceError> {
        match (self, command) {
            (Self::Absent, WorkspaceCommand::Create { name, owner }) => Ok(vec![
                WorkspaceEvent::Created { name },
                WorkspaceEvent::MemberJoined { account: owner, role: Role::Owner },
            ]),
            (Self::Live(_), WorkspaceCommand::Create { .. }) => Err(WorkspaceError::Exists),
        }
    }
}

impl Aggregate for Workspace {
    const TYPE: &'static str = "workspace";
    type Command = WorkspaceCommand;
    type Event = WorkspaceEvent;
    type Error = WorkspaceError;
    type Services = ();

    async fn handle(
        &mut self,
        command: WorkspaceCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), WorkspaceError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: WorkspaceEvent) {
        use WorkspaceEvent as Told;
        if let Told::Created { name } = event {
            *self = Self::Live(Box::new(Live { name, members: BTreeMap::new() }));
            return;
        }
        let Self::Live(live) = self else { return };
        match event {
            Told::MemberJoined { account, role } => {
                live.members.insert(account, role);
            }
            Told::Created { .. } => {}
        }
    }
}
