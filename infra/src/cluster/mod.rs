//! What the nodes agree on: which of them live, who holds what, and how much is a node's share.

pub(crate) mod fair_share;
pub mod leader_lease;
mod lease;
pub(crate) mod nodes;
#[cfg(test)]
mod tests;

pub use lease::Lease;
