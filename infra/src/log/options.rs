//! How a node reads the log.

use std::time::Duration;

use uuid::Uuid;

use super::NewestVersion;

/// The times and sizes that the readers of one node keep to.
#[derive(Clone, Copy, Debug)]
pub struct ReaderOptions {
    /// Who owns the readers, in leases and in the list of nodes.
    pub node: Uuid,
    /// A node that is not heard of for this long has lost its readers.
    pub lease: Duration,
    /// How often the node looks at the log, once for all its readers, while nobody wakes them.
    pub poll: Duration,
    /// The same while the appends of every node wake them: for what was lost, and for streams that an
    /// operator has released.
    pub poll_listening: Duration,
    /// Events a transaction, at most.
    pub page: i64,
    /// A page that is not full is followed by the next after this time: a commit for each append
    /// would cost more.
    pub page_delay: Duration,
    /// The same while somebody on this node waits for a position.
    pub page_delay_min: Duration,
    /// Events that a reader does not want are written to its checkpoint this late, at most. Whoever
    /// reads in its place reads them again.
    pub checkpoint_delay: Duration,
    /// The same while page follows page: a version of the row stays for as long as a transaction is held open.
    pub checkpoint_delay_busy: Duration,
    /// A reader whose checkpoint has not moved for so long, although the log has more and it says no reason, is
    /// started again.
    pub stands_still: Duration,
    /// Which events this programme knows: it leaves a reader that has come to another to newer nodes.
    pub newest_version: NewestVersion,
}

impl ReaderOptions {
    /// What a node of a running installation uses.
    pub const fn of(node: Uuid) -> Self {
        Self {
            node,
            lease: Duration::from_secs(5),
            poll: Duration::from_millis(250),
            poll_listening: Duration::from_secs(2),
            page: 2000,
            page_delay: Duration::from_millis(50),
            page_delay_min: Duration::from_millis(20),
            checkpoint_delay: Duration::from_millis(250),
            checkpoint_delay_busy: Duration::from_secs(1),
            // Longer than any statement may take, its wait for a connection and for a lock.
            stands_still: Duration::from_mins(1),
            newest_version: domain::newest_version,
        }
    }
}
