//! Operations of API, CLI and workers, one in each file. A handler reads a request, calls one, and
//! writes an answer.
//!
//! Two rules hold for every operation that writes to a database before its append to the log:
//!
//! 1. Whoever writes ahead of the log takes it back when the command is refused. After an answer that
//!    leaves it open (`ExecuteError::may_have_appended`), and after a crash, a worker compares what was
//!    written with the log, and settles it.
//! 2. After a replay (`Receipt::replayed`) no side effect runs again. An operation that writes ahead
//!    asks `Executor::find_earlier` first, before anything that could refuse the repeated command. What
//!    the first call left undone is done by the worker that reads its event. `end_tokens` and `sign_out` alone
//!    run again: they spare what came after the event. So does
//!    `change_generation`, unless its generation shows that it is done.
//!
//! `write_ahead` keeps both for rows that an event names; `request_erasure` has a ledger of its own.

mod appended_event;
pub(crate) mod attach_credential;
pub(crate) mod change_generation;
mod claim_codes;
pub mod connect;
pub(crate) mod delete_mails;
pub(crate) mod email_addresses;
pub(crate) mod end_tokens;
pub(crate) mod erase_account;
pub(crate) mod erasure_in_log;
pub(crate) mod expire_leases;
pub(crate) mod hasten_deletion;
pub(crate) mod issue_token;
pub(crate) mod lease_seat;
pub(crate) mod links;
pub mod owners;
pub(crate) mod register;
pub mod request_erasure;
pub(crate) mod request_run;
pub(crate) mod rotate_token;
pub(crate) mod service_tokens;
pub(crate) mod set_password;
pub(crate) mod sign_out;
pub(crate) mod system_command;
pub(crate) mod waiting_erasures;
pub(crate) mod watch_again;
mod write_ahead;
