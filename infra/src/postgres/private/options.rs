//! How a private server is run.

use std::time::Duration;

/// How the server is run.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// Off only for tests: a crash of the machine then loses the cluster.
    pub fsync: bool,
    /// Remove the whole folder when the server has stopped.
    pub scratch: bool,
    /// Further settings, as `name=value`.
    pub settings: Vec<String>,
    /// How long a start may take. Recovery after a crash is part of it.
    pub start_limit: Duration,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            fsync: true,
            scratch: false,
            settings: Vec::new(),
            start_limit: Duration::from_mins(5),
        }
    }
}
