//! The current state of a workspace's servers. A removed server has no row.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::privacy::{Field, ServerHost, ServerName, ServerUser, sealed_bytes};
use domain::server::{Credential, Fingerprint, HostKey, PublicKey, Reach, ServerEvent, Watch};
use domain::{DeploymentId, Event, ServerId, WorkspaceId};
use infra::log::{Json, Origin, Poison, Projection, Reads, Recorded, Row, ToSql, Type};
use infra::postgres::{PgError, Pool, TimeOrder, TimePlace};

const LIST_NEWEST: &str =
    concat!(include_str!("list.sql"), "order by registered_at desc, server_id desc limit $7");
const LIST_OLDEST: &str =
    concat!(include_str!("list.sql"), "order by registered_at, server_id limit $7");
const COUNT: &str = "select count(*) from read_models.servers_v2 where workspace_id = $1";

pub struct Servers;

infra::row! {
    /// One server.
    pub struct Server {
        pub server_id: ServerId,
        pub workspace_id: WorkspaceId,
        /// The version of the server's stream: the `ETag`.
        pub version: i64,
        /// Sealed, as are host and login.
        pub name: Vec<u8>,
        pub host: Vec<u8>,
        pub port: i64,
        pub login: Vec<u8>,
        pub host_key: Json<HostKey>,
        /// Announced host keys that nobody has approved.
        pub proposals: Json<Vec<PublicKey>>,
        pub credential: Json<Option<Credential>>,
        pub reach: Json<Reach>,
        pub watch: Json<Watch>,
        pub deployments: Json<BTreeSet<DeploymentId>>,
        pub registered_at: DateTime<Utc>,
        pub position: i64,
    }
}

impl Projection for Servers {
    const NAME: &'static str = "servers";
    const VERSION: i16 = 2;
    const EVENT_TYPES: &'static [&'static str] = &[
        "server.registered",
        "server.renamed",
        "server.host_key_observed",
        "server.host_key_approved",
        "server.host_key_mismatched",
        "server.host_keys_announced",
        "server.credential_attached",
        "server.credential_rotated",
        "server.address_changed",
        "server.reachable",
        "server.unreachable",
        "server.watch_stopped",
        "server.deployment_configured",
        "server.deployment_removed",
        "server.removed",
    ];
    const TABLE: &'static str = include_str!("table.sql");
    const INDEXES: &'static str =
        "create index on {table} (workspace_id, registered_at desc, server_id desc)";
    const READS: Reads = Reads::CONTENT;
    type Key = ServerId;
    type Row = Server;

    fn key(event: &Recorded) -> ServerId {
        ServerId(event.stream_id())
    }

    fn origin(row: &Server) -> Origin {
        Origin::Stream(row.server_id.0)
    }

    fn begins(event: &Recorded) -> bool {
        event.version() == 1
    }

    fn fold(row: &mut Option<Server>, event: &Recorded) -> Result<(), Poison> {
        let decoded =
            ServerEvent::decode(event.event_type(), event.schema_version(), event.data())?;
        match row {
            None => *row = Some(registered(&decoded, event)?),
            Some(_) if matches!(decoded, ServerEvent::Deleted {}) => *row = None,
            Some(server) => server.fold(decoded, event)?,
        }
        Ok(())
    }
}

fn sealed<F: Field>(event: &Recorded) -> Result<Vec<u8>, Poison> {
    let missing = || Poison::Unfit(format!("{} is not in its row", F::DECLARATION.name));
    sealed_bytes::<F>(event.sealed()).map(<[u8]>::to_vec).ok_or_else(missing)
}

fn registered(decoded: &ServerEvent, event: &Recorded) -> Result<Server, Poison> {
    let ServerEvent::Registered { port, .. } = decoded else { return Err(Poison::no_row()) };
    Ok(Server {
        server_id: ServerId(event.stream_id()),
        workspace_id: WorkspaceId(event.tenant().0),
        version: event.version(),
        name: sealed::<ServerName>(event)?,
        host: sealed::<ServerHost>(event)?,
        port: (*port).into(),
        login: sealed::<ServerUser>(event)?,
        host_key: Json(HostKey::Unobserved),
        proposals: Json(Vec::new()),
        credential: Json(None),
        reach: Json(Reach::Unknown),
        watch: Json(Watch::On),
        deployments: Json(BTreeSet::new()),
        registered_at: event.recorded_at(),
        position: event.position(),
    })
}

impl Server {
    fn fold(&mut self, decoded: ServerEvent, event: &Recorded) -> Result<(), Poison> {
        match decoded {
            ServerEvent::Renamed { .. } => self.name = sealed::<ServerName>(event)?,
            ServerEvent::HostKeyObserved { algorithm, fingerprint } => {
                self.host_key =
                    Json(HostKey::Observed { key: PublicKey { algorithm, fingerprint } });
            }
            ServerEvent::HostKeyApproved { fingerprint } => self.approve(fingerprint),
            ServerEvent::HostKeyMismatched { seen: fingerprint, algorithm, .. } => {
                self.host_key.0 = self.host_key.0.mismatch(PublicKey { algorithm, fingerprint });
                self.reach = Json(Reach::Unknown);
            }
            ServerEvent::HostKeysAnnounced { keys } => self.proposals = Json(keys),
            ServerEvent::CredentialAttached { credential: id, algorithm, fingerprint }
            | ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint } => {
                self.credential = Json(Some(Credential { id, algorithm, fingerprint }));
                self.watch = Json(Watch::On);
            }
            ServerEvent::AddressChanged { port, .. } => {
                self.host = sealed::<ServerHost>(event)?;
                self.login = sealed::<ServerUser>(event)?;
                self.port = port.into();
                (self.host_key, self.reach) = (Json(HostKey::Unobserved), Json(Reach::Unknown));
                (self.proposals, self.watch) = (Json(Vec::new()), Json(Watch::On));
            }
            ServerEvent::Reachable {} => {
                (self.reach, self.watch) = (Json(Reach::Reachable), Json(Watch::On));
            }
            ServerEvent::Unreachable { cause, since, .. } => {
                self.reach = Json(Reach::Unreachable { cause, since });
            }
            ServerEvent::WatchStopped { cause, since, .. } => {
                self.watch = Json(Watch::Stopped { cause, since });
            }
            ServerEvent::DeploymentConfigured { deployment, .. } => {
                self.deployments.0.insert(deployment);
            }
            ServerEvent::DeploymentDeleted { deployment } => {
                self.deployments.0.remove(&deployment);
            }
            ServerEvent::Registered { .. } | ServerEvent::Deleted {} => {}
        }
        self.version = event.version();
        Ok(())
    }

    fn approve(&mut self, fingerprint: Fingerprint) {
        if self.host_key.0.is_replaced_by(fingerprint, &self.proposals.0) {
            self.proposals.0.clear();
        }
        self.host_key.0 = self.host_key.0.approve(fingerprint, &self.proposals.0);
        self.proposals.0.retain(|key| key.fingerprint != fingerprint);
        self.watch = Json(Watch::On);
    }
}

/// A workspace's servers, the latest first, at most `limit` of them after `after`.
///
/// # Errors
/// The database does not answer.
pub async fn list(
    pool: &Pool,
    workspace: WorkspaceId,
    reach: Option<&str>,
    (order, last): (TimeOrder, Option<TimePlace>),
    limit: i64,
) -> Result<Vec<Server>, PgError> {
    let client = pool.get().await?;
    let (from, to) = order.between(last);
    let values: [(&(dyn ToSql + Sync), Type); 7] = [
        (&workspace.0, Type::UUID),
        (&from.0, Type::TIMESTAMPTZ),
        (&from.1, Type::UUID),
        (&to.0, Type::TIMESTAMPTZ),
        (&to.1, Type::UUID),
        (&reach, Type::TEXT),
        (&limit, Type::INT8),
    ];
    // Planned anew each time: the index serves a page whose limit and bounds are known.
    let rows = client.query_typed(order.of(LIST_NEWEST, LIST_OLDEST), &values).await?;
    rows.iter().map(|row| Ok(Server::read(row)?)).collect()
}

/// How many servers a workspace has.
///
/// # Errors
/// The database does not answer.
pub async fn count(pool: &Pool, workspace: WorkspaceId) -> Result<i64, PgError> {
    let client = pool.get().await?;
    let count = client.prepare_cached(COUNT).await?;
    Ok(client.query_one(&count, &[&workspace.0]).await?.try_get(0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_a_server_moves_its_version() {
        let types = ServerEvent::TYPES.iter().map(|(name, _)| *name);

        assert_eq!(types.collect::<Vec<_>>(), Servers::EVENT_TYPES);
    }
}
