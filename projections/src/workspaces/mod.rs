//! Workspaces. The row of a deleted one keeps ids and times only.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, WorkspaceName, sealed_bytes};
use domain::workspace::WorkspaceEvent;
use domain::{Event, TenantId, WorkspaceId};
use infra::log::{Poison, Projection, Recorded};

pub struct Workspaces;

infra::row! {
    /// One workspace.
    pub struct Workspace {
        pub workspace_id: WorkspaceId,
        pub tenant_id: TenantId,
        /// The version of the workspace's stream: the `ETag`.
        pub version: i64,
        /// Sealed.
        pub name: Option<Vec<u8>>,
        pub members: i64,
        pub created_at: DateTime<Utc>,
        pub deletion_due: Option<DateTime<Utc>>,
        pub deleted_at: Option<DateTime<Utc>>,
        pub position: i64,
    }
}

impl Projection for Workspaces {
    const NAME: &'static str = "workspaces";
    const VERSION: i16 = 2;
    const EVENT_TYPES: &'static [&'static str] = &[
        "workspace.created",
        "workspace.renamed",
        "workspace.member_joined",
        "workspace.role_changed",
        "workspace.member_removed",
        "workspace.member_names_opened",
        "workspace.member_invited",
        "workspace.invitation_accepted",
        "workspace.invitation_revoked",
        "workspace.invitation_declined",
        "workspace.invitation_expired",
        "workspace.api_token_issued",
        "workspace.api_token_revoked",
        "workspace.deletion_requested",
        "workspace.deletion_cancelled",
        "workspace.deleted",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "create index on {table} (deletion_due) \
        where deletion_due is not null and deleted_at is null";
    const READS_CAUSES: bool = false;
    type Key = WorkspaceId;
    type Row = Workspace;

    fn key(event: &Recorded) -> WorkspaceId {
        WorkspaceId(event.stream_id())
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Workspace>, event: &Recorded) -> Result<(), Poison> {
        match row {
            None if event.event_type() == "workspace.created" => *row = Some(created(event)?),
            None => return Err(Poison::no_row()),
            Some(workspace) => workspace.fold(event)?,
        }
        Ok(())
    }
}

fn name(event: &Recorded) -> Result<Option<Vec<u8>>, Poison> {
    let missing =
        || Poison::Unfit(format!("{} is not in its row", WorkspaceName::DECLARATION.name));
    let name = sealed_bytes::<WorkspaceName>(event.sealed()).ok_or_else(missing)?;
    Ok(Some(name.to_vec()))
}

fn created(event: &Recorded) -> Result<Workspace, Poison> {
    Ok(Workspace {
        workspace_id: WorkspaceId(event.stream_id()),
        tenant_id: event.tenant(),
        version: event.version(),
        name: name(event)?,
        members: 0,
        created_at: event.recorded_at(),
        deletion_due: None,
        deleted_at: None,
        position: event.position(),
    })
}

impl Workspace {
    fn fold(&mut self, event: &Recorded) -> Result<(), Poison> {
        match event.event_type() {
            "workspace.renamed" => self.name = name(event)?,
            "workspace.member_joined" => self.members += 1,
            "workspace.member_removed" => self.members -= 1,
            "workspace.deletion_requested" => {
                let decoded = WorkspaceEvent::decode(
                    event.event_type(),
                    event.schema_version(),
                    event.data(),
                )?;
                if let WorkspaceEvent::DeletionRequested { due, .. } = decoded {
                    self.deletion_due = Some(due);
                }
            }
            "workspace.deletion_cancelled" => self.deletion_due = None,
            "workspace.deleted" => {
                (self.name, self.deleted_at) = (None, Some(event.recorded_at()));
            }
            _ => {}
        }
        self.version = event.version();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_a_workspace_moves_its_version() {
        let types = WorkspaceEvent::TYPES.iter().map(|(name, _)| *name);

        assert_eq!(types.collect::<Vec<_>>(), Workspaces::EVENT_TYPES);
    }
}
