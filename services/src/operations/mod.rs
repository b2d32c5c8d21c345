//! Operations that API, CLI and workers share, one in each file.

pub mod connect;
pub(crate) mod email_addresses;
pub(crate) mod expire_leases;
pub(crate) mod links;
pub mod request_erasure;
pub(crate) mod sign_out;
pub(crate) mod system_command;
