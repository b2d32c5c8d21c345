//! Workspaces. The row of a deleted one keeps ids and times only.

use chrono::{DateTime, Utc};
use domain::privacy::{Field, WorkspaceName, sealed_bytes};
use domain::workspace::{Role, WorkspaceEvent};
use domain::{Event, TenantId, WorkspaceId};
use infra::log::{Origin, Poison, Projection, Reads, Recorded};
use infra::postgres::{PgError, Pool};
use tokio_postgres::error::SqlState;

const LIST_RESTRICTED: &str = include_str!("list_restricted.sql");
const COUNT_RESTRICTED: &str = include_str!("count_restricted.sql");

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
        /// Since then nobody owns it.
        pub restricted_since: Option<DateTime<Utc>>,
        pub deleted_at: Option<DateTime<Utc>>,
        pub position: i64,
    }
}

impl Projection for Workspaces {
    const NAME: &'static str = "workspaces";
    const VERSION: i16 = 3;
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
        "workspace.service_account_created",
        "workspace.service_account_role_changed",
        "workspace.service_account_removed",
        "workspace.api_token_issued",
        "workspace.api_token_renamed",
        "workspace.api_token_rotated",
        "workspace.api_token_revoked",
        "workspace.succession_agreed",
        "workspace.succession_withdrawn",
        "workspace.restricted",
        "workspace.deletion_requested",
        "workspace.deletion_hastened",
        "workspace.deletion_cancelled",
        "workspace.deleted",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "create index on {table} (deletion_due) \
        where deletion_due is not null and deleted_at is null; \
        create index on {table} (restricted_since, workspace_id) \
        where restricted_since is not null and deletion_due is null";
    const READS: Reads = Reads::CONTENT;
    type Key = WorkspaceId;
    type Row = Workspace;

    fn key(event: &Recorded) -> WorkspaceId {
        WorkspaceId(event.stream_id())
    }

    fn origin(row: &Workspace) -> Origin {
        Origin::Stream(row.workspace_id.0)
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

fn decode(event: &Recorded) -> Result<WorkspaceEvent, Poison> {
    Ok(WorkspaceEvent::decode(event.event_type(), event.schema_version(), event.data())?)
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
        restricted_since: None,
        deleted_at: None,
        position: event.position(),
    })
}

impl Workspace {
    fn fold(&mut self, event: &Recorded) -> Result<(), Poison> {
        match event.event_type() {
            "workspace.renamed" => self.name = name(event)?,
            "workspace.member_joined" => {
                self.members += 1;
                if let WorkspaceEvent::MemberJoined { role: Role::Owner, .. } = decode(event)? {
                    self.restricted_since = None;
                }
            }
            "workspace.member_removed" => self.members -= 1,
            "workspace.deletion_requested" | "workspace.deletion_hastened" => {
                if let WorkspaceEvent::DeletionRequested { due, .. }
                | WorkspaceEvent::DeletionHastened { due } = decode(event)?
                {
                    self.deletion_due = Some(due);
                }
            }
            "workspace.restricted" => self.restricted_since = Some(event.recorded_at()),
            "workspace.role_changed" => {
                if let WorkspaceEvent::RoleChanged { to: Role::Owner, .. } = decode(event)? {
                    self.restricted_since = None;
                }
            }
            "workspace.deletion_cancelled" => self.deletion_due = None,
            "workspace.deleted" => {
                (self.name, self.deleted_at) = (None, Some(event.recorded_at()));
                self.restricted_since = None;
            }
            _ => {}
        }
        self.version = event.version();
        Ok(())
    }
}

/// A workspace that nobody owns.
pub struct RestrictedWorkspace {
    pub workspace: WorkspaceId,
    pub since: DateTime<Utc>,
    pub members: i64,
    /// Of its stream: the `ETag`.
    pub version: i64,
}

/// The restricted workspaces that are not being deleted, the longest restricted first, from after one.
///
/// # Errors
/// The database does not answer.
pub async fn restricted(
    pool: &Pool,
    after: Option<(DateTime<Utc>, WorkspaceId)>,
    limit: i64,
) -> Result<Vec<RestrictedWorkspace>, PgError> {
    let client = pool.get().await?;
    let list = client.prepare_cached(LIST_RESTRICTED).await?;
    let (since, id) = (after.map(|after| after.0), after.map(|after| after.1.0));
    let rows = client.query(&list, &[&since, &id, &limit]).await?;
    let read = |row: &tokio_postgres::Row| {
        let (workspace, since) = (WorkspaceId(row.try_get(0)?), row.try_get(1)?);
        let (members, version) = (row.try_get(2)?, row.try_get(3)?);
        Ok(RestrictedWorkspace { workspace, since, members, version })
    };
    rows.iter().map(read).collect()
}

/// How many of them there are; at most 10,000 are counted. `None`: no reader has made the table yet.
///
/// # Errors
/// The database does not answer.
pub async fn count_restricted(pool: &Pool) -> Result<Option<i64>, PgError> {
    let client = pool.get().await?;
    let count = match client.prepare_cached(COUNT_RESTRICTED).await {
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        count => count?,
    };
    Ok(Some(client.query_one(&count, &[]).await?.try_get(0)?))
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
