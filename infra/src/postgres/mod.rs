//! PostgreSQL: the server that Lethe may start for itself, connections, migrations.

mod breaking;
mod create;
mod destination;
mod error;
mod functions;
mod generic_client;
mod in_flight;
mod migrate;
mod order;
mod outer;
mod pairs;
mod pool;
mod pool_client;
mod private;
mod proxy;
mod same;
mod schema;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub use breaking::{keyring_users, live_nodes, refuse_to_break_nodes};
pub(crate) use create::LOOKS;
pub use create::{create_database, database_exists};
pub(crate) use error::is_refusal_of_any_write;
pub use error::{ClusterError, PgError, describe};
pub use generic_client::{GenericClient, Rows};
pub use migrate::{Migrated, Migration, migrate_keyring, migrate_log};
pub(crate) use migrate::{keyring_version, log_version};
pub use order::{TimeOrder, TimePlace};
pub use outer::OuterClient;
pub(crate) use pool::connect_with_messages;
pub use pool::{
    ConnectOptions, Hook, HookError, Pool, PoolError, PooledClient, connect, connect_one,
    connect_with,
};
pub use pool_client::{PoolClient, Transaction};
pub use private::{Cluster, ClusterOptions, binaries, running};
pub use same::is_same_database;
pub use schema::{Schema, keyring_schema, log_schema};
pub use url::{DatabaseUrl, DatabaseUrlError, ToDatabaseUrl};
