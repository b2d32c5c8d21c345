//! What the tests of every package share: databases, nodes, a real sshd, a whole machine, a proxy, and [`until`].
//!
//! It is built on the library `infra`. The unit tests of `infra` itself use it too, and see another
//! build of their own crate: nothing but URLs, ports and paths may pass between the two.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a panic is how a test fails"
)]

mod closed_port;
mod databases;
mod locks;
pub mod machine;
mod node;
mod proxy;
mod rights;
mod server_pair;
mod silent_host;
mod small_disk;
pub mod sshd;
mod until;
mod vault;

pub use closed_port::ClosedPort;
pub use databases::{Databases, TestingError, databases, empty_database, is_hosted, server_folder};
pub use locks::{until_waits_for_lock, waiting_for_lock};
pub use machine::{FirstProcess, HomeDisk, LoginShell, Machine, MachineOptions, MachineUser};
pub use node::{NodeHarness, TENANT, TestNode, export};
pub use proxy::Proxy;
pub use rights::may_give_away;
pub use server_pair::{ServerPair, kill_postmaster, own_server_folder};
pub use silent_host::SilentHost;
pub use small_disk::SmallDisk;
pub use sshd::{Sshd, SshdOptions};
pub use until::{LIMIT, Observation, until, until_within};
pub use vault::Vault;
