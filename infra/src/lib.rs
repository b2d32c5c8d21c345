#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

pub mod accounts;
pub mod api_tokens;
pub mod backup;
pub mod bearer;
pub mod clock;
pub mod cluster;
pub mod credentials;
mod durable;
pub mod event_store;
pub mod failpoint;
pub mod ids;
pub mod installation;
pub mod invitations;
pub mod keyring;
pub mod log;
pub mod mail;
pub mod metrics;
pub mod monitors;
pub mod operators;
pub mod outbox;
pub mod paths;
pub mod postgres;
pub mod random;
pub mod remote;
pub mod reservations;
pub mod residue;
pub mod run_log;
pub mod run_queue;
pub mod seats;
pub mod server_credentials;
pub mod sessions;
mod statement;
pub mod supervise;
mod tls;
pub mod trouble;
pub mod workspace_rows;
