//! How many descriptors a node needs for what its settings allow.

use super::Config;

/// Its connection, another one that ends it, and the look-up of the name for each.
const OF_A_RUN: u64 = 4;
/// To the events' database and to the keyring's.
const POOLS: u64 = 2;
/// Connections of clients that a node is to have place for.
const CLIENTS: u64 = 1024;
/// What does not grow with a setting: threads, listeners and files, connections that append, listen and probe, those to
/// mail servers and to Vault, checks of servers, and look-ups of names under way.
const OTHERS: u64 = 512;

impl Config {
    /// Of a node that watches so many servers, or as many as one workspace may have where these are more.
    pub fn descriptors_needed(&self, watched: u64) -> u64 {
        self.descriptors_beside_clients(watched).saturating_add(CLIENTS)
    }

    /// How many clients may be connected to the API of a node that may have `limit` descriptors open: what is left
    /// beside runs, servers and databases, between a quarter of the limit and half of it. So whoever connects often,
    /// and asks for nothing, takes no connection from a run.
    pub fn clients_max(&self, limit: u64) -> u64 {
        let left = limit.saturating_sub(self.descriptors_beside_clients(0));
        left.clamp(limit / 4, limit / 2)
    }

    /// Where `limit` is less than what a node needs that watches so many servers.
    pub fn descriptors_warning(&self, limit: u64, watched: u64) -> Option<String> {
        let needed = self.descriptors_needed(watched);
        (limit < needed).then(|| {
            format!(
                "only {limit} descriptors may be open, and the settings allow what takes {needed}: connections to \
                 servers, databases and clients may fail. Raise the limit (LimitNOFILE of the unit, ulimits of the \
                 compose file, `ulimit -n` of a shell), or lower runs_per_node or servers_max"
            )
        })
    }

    fn descriptors_beside_clients(&self, watched: u64) -> u64 {
        let servers =
            if self.monitor_seconds == 0 { 0 } else { watched.max(self.servers_max.into()) };
        let runs = OF_A_RUN * u64::from(self.runs_per_node);
        let pools = POOLS * u64::from(self.pool_size);
        servers.saturating_add(runs + pools + OTHERS)
    }
}
