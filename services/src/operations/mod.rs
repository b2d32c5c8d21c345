//! Operations that API, CLI and workers share, one in each file.

pub mod connect;
pub(crate) mod expire_leases;
pub mod request_erasure;
pub(crate) mod system_command;
