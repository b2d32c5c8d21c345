//! What API, CLI and workers all do: one act, one file.

pub mod connect;
pub(crate) mod expire_leases;
pub mod request_erasure;
pub(crate) mod system_command;
