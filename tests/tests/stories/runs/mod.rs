//! Runs on a real sshd, through HTTP: watched, failed, cancelled and tried again.

mod asking;
mod ending;
mod erased;
mod fair;
mod grace;
mod revoked;
mod secrets;
mod two_servers;
mod unusable;
mod watching;
