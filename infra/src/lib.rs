//! Everything that touches the outside.

pub mod clock;
pub mod ids;
pub mod keyring;
pub mod metrics;
pub mod postgres;
pub mod residue;
