//! What it means that a node holds a row.
//!
//! The row has three columns. `node` holds it until `lease_until`, by the database's clock; without
//! them, or once that time is over, any node may take it. `fence` grows with each change of holder, and
//! what the holder writes is written under its fence: a node that was paused or cut off changes nothing
//! any more. Only the holder renews, and a node that stops gives its rows back at once. A lease that ends later
//! than twice its length from now is over as well: a server that failed had a clock that ran ahead. So a
//! version may at most double the length of a lease, or nodes of the one before take what is held.
//!
//! The columns stand in the row that they guard, so that one statement checks the lease and writes:
//!
//! - `readers.checkpoints`: each advance of the checkpoint renews the lease too.
//! - `readers.generations`: as a checkpoint, while a replay builds one, but a task of its own renews.
//! - `working.run_tasks`: claimed by a function of the database, which is fair between workspaces.
//! - `working.outbox`: neither renewed nor given back. Whoever stops while it sends cannot say whether
//!   the mail went, so the mail waits for the end of the lease and is then reported.
//! - `working.leader_leases`: a name and no other data. Work that is done twice does no harm there.
//! - `working.server_monitors` has no `lease_until`: a node holds its servers while its part lives in
//!   `working.nodes`. One heartbeat renews all; otherwise each round would write each of its rows.
//!
//! A seat's lease is none of these: a person holds it, and the log knows of it.

use uuid::Uuid;

/// A lease that a node has or had: the fence says whether it still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The holder.
    pub node: Uuid,
    /// Grows with each change of holder.
    pub fence: i64,
}
