//! PostgreSQL: the server that Lethe may start for itself, connections, migrations.

pub mod binaries;
mod breaking;
mod cluster;
mod error;
mod functions;
mod migrate;
mod options;
mod owner;
mod pool;
mod predecessor;
mod running;
mod schema;
mod server;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub use breaking::refuse_to_break_nodes;
pub use cluster::Cluster;
pub use error::{ClusterError, PgError, describe};
pub use migrate::{Migrated, Migration, migrate_keyring, migrate_log};
pub use options::ClusterOptions;
pub(crate) use pool::connect_with_messages;
pub use pool::{ConnectOptions, Pool, connect, connect_one};
pub use running::running;
pub use schema::{Schema, keyring_schema, log_schema};
