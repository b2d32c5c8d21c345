//! Runs as a workspace sees them: what was requested, and how far it is on each server.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cqrs_es::Aggregate;
use domain::privacy::{
    DeploymentConfig, Field, Personal, RunCommand, RunEnvironmentText, RunLeft, RunSecretNames,
    Sealed, sealed_bytes,
};
use domain::run::{self, RunEvent, RunState, Work};
use domain::{ActorId, DeploymentId, Event, RunId, ServerId, TenantId, WorkspaceId};
use infra::log::{Json, Origin, Poison, Projection, Reads, Recorded, Row, SqlRow, ToSql, Type};
use infra::postgres::{PgError, Pool, PoolClient, TimeOrder, TimePlace};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const LIST_NEWEST: &str =
    concat!(include_str!("list.sql"), "order by requested_at desc, run_id desc limit $9");
const LIST_OLDEST: &str =
    concat!(include_str!("list.sql"), "order by requested_at, run_id limit $9");
const WALK_NEWEST: &str = concat!(
    include_str!("walk.sql"),
    "order by requested_at desc, run_id desc offset $6 - 1 limit 2"
);
const WALK_OLDEST: &str =
    concat!(include_str!("walk.sql"), "order by requested_at, run_id offset $6 - 1 limit 2");

/// So many runs are looked through for a page of those that a filter lets through: no index has them.
const WALKED_MAX: i64 = 10_000;

pub struct Runs;

infra::row! {
    /// One run.
    pub struct Run {
        pub run_id: RunId,
        pub tenant_id: TenantId,
        pub deployment_id: Option<DeploymentId>,
        /// Sealed: the command, or the steps of the deployment.
        pub work: Vec<u8>,
        /// Sealed: the names of the secrets that it was requested with.
        pub secret_names: Option<Vec<u8>>,
        /// Sealed: its variables that are no secrets.
        pub environment: Option<Vec<u8>>,
        /// The domain's word for it.
        pub state: String,
        /// The aggregate's state after the events, without sealed fields.
        pub run: Json<run::Run>,
        pub on_servers: Json<BTreeMap<ServerId, OnServer>>,
        pub requested_by: Option<ActorId>,
        pub requested_at: DateTime<Utc>,
        pub version: i64,
        pub position: i64,
    }
}

/// When an attempt came how far, and what may be left of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnServer {
    pub queued_at: DateTime<Utc>,
    pub dispatched_at: Option<DateTime<Utc>>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Sealed, of an end that is not proven.
    pub left: Option<Personal<RunLeft>>,
}

impl OnServer {
    const fn since(queued_at: DateTime<Utc>) -> Self {
        Self { queued_at, dispatched_at: None, started_at: None, ended_at: None, left: None }
    }
}

impl Projection for Runs {
    const NAME: &'static str = "runs";
    const VERSION: i16 = 2;
    const EVENT_TYPES: &'static [&'static str] = &[
        "run.requested",
        "run.secret_names",
        "run.environment_given",
        "run.dispatched",
        "run.started",
        "run.reattached",
        "run.cancel_requested",
        "run.succeeded",
        "run.failed",
        "run.not_started",
        "run.timed_out",
        "run.cancelled",
        "run.lost",
        "run.proven_gone",
        "run.given_up",
        "run.log_sealed",
        "run.retried",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str =
        "create index on {table} (tenant_id, requested_at desc, run_id desc)";
    const READS: Reads = Reads { causes: false, ..Reads::ALL };
    type Key = RunId;
    type Row = Run;

    fn key(event: &Recorded) -> RunId {
        RunId(event.stream_id())
    }

    fn origin(row: &Run) -> Origin {
        Origin::Stream(row.run_id.0)
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Run>, event: &Recorded) -> Result<(), Poison> {
        let decoded = RunEvent::decode(event.event_type(), event.schema_version(), event.data())?;
        if let RunEvent::Requested { work, servers, .. } = &decoded {
            *row = Some(Run::requested(event, work, servers)?);
        }
        let run = row.as_mut().ok_or_else(Poison::no_row)?;
        run.note(&decoded, event)?;
        run.run.0.apply(decoded);
        if let Some(requested) = run.run.0.requested() {
            RunState::of(requested.targets.values()).as_str().clone_into(&mut run.state);
        }
        run.version = event.version();
        Ok(())
    }
}

fn sealed<F: Field>(event: &Recorded) -> Result<Vec<u8>, Poison> {
    let missing = || Poison::Unfit(format!("{} is not in its row", F::DECLARATION.name));
    sealed_bytes::<F>(event.sealed()).map(<[u8]>::to_vec).ok_or_else(missing)
}

impl Run {
    fn requested(event: &Recorded, work: &Work, servers: &[ServerId]) -> Result<Self, Poison> {
        let (deployment_id, work) = match work {
            Work::Command { .. } => (None, sealed::<RunCommand>(event)?),
            Work::Deployment { deployment, .. } => {
                (Some(*deployment), sealed::<DeploymentConfig>(event)?)
            }
        };
        let at = event.recorded_at();
        let on_servers = servers.iter().map(|server| (*server, OnServer::since(at)));
        Ok(Self {
            run_id: RunId(event.stream_id()),
            tenant_id: event.tenant(),
            deployment_id,
            work,
            secret_names: None,
            environment: None,
            state: String::new(),
            run: Json(run::Run::Absent),
            on_servers: Json(on_servers.collect()),
            requested_by: event.actor(),
            requested_at: at,
            version: event.version(),
            position: event.position(),
        })
    }

    fn note(&mut self, decoded: &RunEvent, event: &Recorded) -> Result<(), Poison> {
        let at = event.recorded_at();
        let mut on = |server: &ServerId, note: &dyn Fn(&mut OnServer)| {
            if let Some(on_server) = self.on_servers.0.get_mut(server) {
                note(on_server);
            }
        };
        match decoded {
            RunEvent::Requested { .. }
            | RunEvent::CancelRequested { .. }
            | RunEvent::ProvenGone { .. }
            | RunEvent::GivenUp { .. }
            | RunEvent::LogSealed { .. } => {}
            RunEvent::SecretNames { .. } => {
                self.secret_names = Some(sealed::<RunSecretNames>(event)?);
            }
            RunEvent::EnvironmentGiven { .. } => {
                self.environment = Some(sealed::<RunEnvironmentText>(event)?);
            }
            RunEvent::Dispatched { server, .. } => on(server, &|on| on.dispatched_at = Some(at)),
            RunEvent::Started { server, .. } => on(server, &|on| on.started_at = Some(at)),
            RunEvent::Reattached { server, .. } => on(server, &|on| on.ended_at = None),
            RunEvent::Succeeded { server, .. }
            | RunEvent::Failed { server, .. }
            | RunEvent::NotStarted { server, .. }
            | RunEvent::Lost { server, .. } => on(server, &|on| on.ended_at = Some(at)),
            RunEvent::TimedOut { server, left, .. } | RunEvent::Cancelled { server, left, .. } => {
                let left = left.as_ref().map(|_| sealed::<RunLeft>(event)).transpose()?;
                let left = left.as_deref().and_then(Sealed::from_bytes);
                let left: Option<Personal<RunLeft>> = left.map(Personal::Sealed);
                on(server, &|on| (on.ended_at, on.left) = (Some(at), left.clone()));
            }
            RunEvent::Retried { servers, .. } => {
                for server in servers {
                    on(server, &|on| *on = OnServer::since(at));
                }
            }
        }
        Ok(())
    }
}

/// Which runs to list; what is `None` excludes nothing.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub state: Option<RunState>,
    pub server: Option<ServerId>,
    /// The account or the token that requested it.
    pub requester: Option<ActorId>,
    /// Requested then or later.
    pub since: Option<DateTime<Utc>>,
    /// Requested before.
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// Whether there may be runs between the two that are listed and are not to be shown.
    const fn passes_over(&self) -> bool {
        self.state.is_some() || self.server.is_some() || self.requester.is_some()
    }
}

/// Some runs of a workspace.
pub struct FoundRuns {
    pub runs: Vec<Run>,
    /// The last run that was looked at, where more come after it.
    pub end: Option<TimePlace>,
}

/// A workspace's runs, at most `limit` of them after `last`. Where the filter may pass over many, only the next 10,000
/// are looked at.
///
/// # Errors
/// The database does not answer.
pub async fn page(
    pool: &Pool,
    workspace: WorkspaceId,
    filter: &Filter,
    (order, last): (TimeOrder, Option<TimePlace>),
    limit: i64,
) -> Result<FoundRuns, PgError> {
    let client = pool.get().await?;
    let (mut from, mut to) = order.between(last);
    from = filter.since.map_or(from, |since| from.max((since, Uuid::nil())));
    to = filter.until.map_or(to, |until| to.min((until, Uuid::nil())));
    let mut end = None;
    if filter.passes_over()
        && let Some(walked) = walk(&client, workspace, order, (from, to)).await?
    {
        end = Some(walked.last);
        match order {
            TimeOrder::Newest => from = walked.behind,
            TimeOrder::Oldest => to = walked.behind,
        }
    }
    let (state, server) =
        (filter.state.map(RunState::as_str), filter.server.map(|server| server.0));
    let requester = filter.requester.map(|requester| requester.0);
    let values: [(&(dyn ToSql + Sync), Type); 9] = [
        (&workspace.0, Type::UUID),
        (&from.0, Type::TIMESTAMPTZ),
        (&from.1, Type::UUID),
        (&to.0, Type::TIMESTAMPTZ),
        (&to.1, Type::UUID),
        (&state, Type::TEXT),
        (&server, Type::UUID),
        (&requester, Type::UUID),
        (&limit, Type::INT8),
    ];
    // Planned anew each time: the index serves a page whose limit and bounds are known.
    let rows = client.query_typed(order.of(LIST_NEWEST, LIST_OLDEST), &values).await?;
    let runs: Result<Vec<Run>, PgError> = rows.iter().map(|row| Ok(Run::read(row)?)).collect();
    Ok(FoundRuns { runs: runs?, end })
}

/// Where a walk of [`WALKED_MAX`] runs ends.
struct Walked {
    /// The last of them.
    last: TimePlace,
    /// The one that comes after it.
    behind: TimePlace,
}

/// `None`: there are no more than that.
async fn walk(
    client: &PoolClient,
    workspace: WorkspaceId,
    order: TimeOrder,
    (from, to): (TimePlace, TimePlace),
) -> Result<Option<Walked>, PgError> {
    let values: [(&(dyn ToSql + Sync), Type); 6] = [
        (&workspace.0, Type::UUID),
        (&from.0, Type::TIMESTAMPTZ),
        (&from.1, Type::UUID),
        (&to.0, Type::TIMESTAMPTZ),
        (&to.1, Type::UUID),
        (&WALKED_MAX, Type::INT8),
    ];
    let rows = client.query_typed(order.of(WALK_NEWEST, WALK_OLDEST), &values).await?;
    let place = |row: &SqlRow| Ok::<_, PgError>((row.try_get(0)?, row.try_get(1)?));
    let [last, behind] = rows.as_slice() else { return Ok(None) };
    Ok(Some(Walked { last: place(last)?, behind: place(behind)? }))
}
