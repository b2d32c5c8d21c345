//! Dumps and copies, made and put back with PostgreSQL's own programmes.

use std::path::Path;
use std::time::Duration;

use infra::postgres::{Cluster, ClusterOptions, binaries};
use tokio::process::Command;

use crate::Installation;
use crate::dump::{dump, dump_roles, feed};

const STOP_LIMIT: Duration = Duration::from_mins(1);

/// A dump of both databases, and of the roles that own what is in them.
pub struct Dumps {
    roles: Vec<u8>,
    log: Vec<u8>,
    keyring: Vec<u8>,
}

impl Dumps {
    pub async fn take(installation: &Installation) -> Self {
        let (log, keyring) = (installation.log_url(), installation.keyring_url());
        Self {
            roles: dump_roles(&log).await,
            log: dump(&log, &[]).await,
            keyring: dump(&keyring, &[]).await,
        }
    }

    /// Puts these events and another dump's keys into a private server of `into`, and stops it.
    pub async fn restore(&self, into: &Installation, keys: &Self) {
        std::fs::create_dir_all(into.data_dir()).unwrap();
        let bin = binaries::find(None).unwrap();
        let dir = into.data_dir().join("postgres");
        let cluster = Cluster::start(&bin, &dir, ClusterOptions::default()).await.unwrap();
        let [log, keyring] = ["lethe", "lethe_keys"];
        for database in [log, keyring] {
            cluster.create_database(database).await.unwrap();
        }
        let strict = ["--set=ON_ERROR_STOP=1"];
        let roles = without_superuser(&self.roles);
        assert!(feed(&cluster.url(log), &roles, &strict).await, "the roles are not restored");
        assert!(feed(&cluster.url(log), &self.log, &strict).await, "the events are not restored");
        let restored = feed(&cluster.url(keyring), &keys.keyring, &strict).await;
        assert!(restored, "the keys are not restored");
        cluster.stop(STOP_LIMIT).await.unwrap();
    }
}

/// The superuser is among the roles of a dump, and is there already.
fn without_superuser(roles: &[u8]) -> Vec<u8> {
    let lines = roles.split_inclusive(|byte| *byte == b'\n');
    lines.filter(|line| *line != b"CREATE ROLE lethe;\n").flatten().copied().collect()
}

/// As a backup of the whole disk does it: owners, modes and times included.
pub async fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().await.unwrap();
    assert!(copied.success(), "{} is not copied", from.display());
}
