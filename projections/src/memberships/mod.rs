//! The members of workspaces: one row for each membership that has not ended.

use chrono::{DateTime, Utc};
use domain::workspace::{Role, WorkspaceEvent};
use domain::{AccountId, Event, WorkspaceId};
use infra::ids::hashed;
use infra::log::{Json, Origin, Poison, Projection, Reads, Recorded};
use infra::postgres::{PgError, Pool, TimeOrder, TimePlace};
use uuid::Uuid;

const JOINED_NEWEST: &str = concat!(
    include_str!("list_joined.sql"),
    "order by m.joined_at desc, m.workspace_id desc limit $7"
);
const JOINED_OLDEST: &str =
    concat!(include_str!("list_joined.sql"), "order by m.joined_at, m.workspace_id limit $7");

pub struct Memberships;

infra::row! {
    /// One member of one workspace.
    pub struct Membership {
        pub membership_id: Uuid,
        pub workspace_id: WorkspaceId,
        pub account_id: AccountId,
        pub role: Json<Role>,
        pub joined_at: DateTime<Utc>,
        pub position: i64,
    }
}

impl Projection for Memberships {
    const NAME: &'static str = "memberships";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] =
        &["workspace.member_joined", "workspace.role_changed", "workspace.member_removed"];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str = "create index on {table} (account_id, workspace_id)";
    const READS: Reads = Reads { sealed: false, ..Reads::CONTENT };
    type Key = Uuid;
    type Row = Membership;

    fn key(event: &Recorded) -> Uuid {
        let account = decode(event).ok().as_ref().and_then(member);
        // Without a member it has no row: the fold refuses it, and its stream is parked.
        id(WorkspaceId(event.stream_id()), account.unwrap_or(AccountId(Uuid::nil())))
    }

    fn origin(row: &Membership) -> Origin {
        Origin::Stream(row.workspace_id.0)
    }

    fn fold(row: &mut Option<Membership>, event: &Recorded) -> Result<(), Poison> {
        let decoded = decode(event)?;
        let workspace_id = WorkspaceId(event.stream_id());
        if let WorkspaceEvent::MemberJoined { account, role } = decoded {
            *row = Some(Membership {
                membership_id: id(workspace_id, account),
                workspace_id,
                account_id: account,
                role: Json(role),
                joined_at: event.recorded_at(),
                position: event.position(),
            });
        } else if let WorkspaceEvent::RoleChanged { to, .. } = decoded {
            row.as_mut().ok_or_else(Poison::no_row)?.role = Json(to);
        } else {
            *row = None;
        }
        Ok(())
    }
}

fn decode(event: &Recorded) -> Result<WorkspaceEvent, Poison> {
    Ok(WorkspaceEvent::decode(event.event_type(), event.schema_version(), event.data())?)
}

/// The member whose row an event changes.
fn member(event: &WorkspaceEvent) -> Option<AccountId> {
    if let WorkspaceEvent::MemberJoined { account, .. }
    | WorkspaceEvent::RoleChanged { account, .. }
    | WorkspaceEvent::MemberRemoved { account } = event
    {
        Some(*account)
    } else {
        None
    }
}

fn id(workspace: WorkspaceId, account: AccountId) -> Uuid {
    hashed(&[b"membership", workspace.0.as_bytes(), account.0.as_bytes()])
}

/// A workspace as one of its members has it.
pub struct Mine {
    pub workspace: WorkspaceId,
    pub role: Role,
    pub joined_at: DateTime<Utc>,
    /// Sealed.
    pub name: Option<Vec<u8>>,
    pub members: i64,
    pub deletion_due: Option<DateTime<Utc>>,
    /// The workspace has no row yet, or its stream is parked: the log alone knows its name and its members.
    pub is_unread: bool,
    /// Nobody owns it, and it is not being deleted.
    pub restricted: bool,
}

/// The account's workspaces that are not deleted, all or those in which it has a role, by when it joined them: at
/// most `limit` after `last`.
///
/// # Errors
/// The database does not answer.
pub async fn joined(
    pool: &Pool,
    account: AccountId,
    role: Option<Role>,
    (order, last): (TimeOrder, Option<TimePlace>),
    limit: i64,
) -> Result<Vec<Mine>, PgError> {
    let client = pool.get().await?;
    let statement = client.prepare_cached(order.of(JOINED_NEWEST, JOINED_OLDEST)).await?;
    let (from, to) = order.between(last);
    let role = role.map(Role::as_str);
    let rows = client
        .query(&statement, &[&account.0, &from.0, &from.1, &to.0, &to.1, &role, &limit])
        .await?;
    rows.iter().map(Mine::read).collect()
}

impl Mine {
    fn read(row: &tokio_postgres::Row) -> Result<Self, PgError> {
        let Json(role) = row.try_get(1)?;
        Ok(Self {
            workspace: WorkspaceId(row.try_get(0)?),
            role,
            joined_at: row.try_get(2)?,
            name: row.try_get(3)?,
            members: row.try_get::<_, Option<i64>>(4)?.unwrap_or_default(),
            deletion_due: row.try_get(5)?,
            is_unread: row.try_get(6)?,
            restricted: row.try_get(7)?,
        })
    }
}
