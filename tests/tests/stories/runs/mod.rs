//! Runs on a real sshd, through HTTP: watched, failed, cancelled and tried again.

mod asking;
mod bad_input;
mod ending;
mod environment;
mod erased;
mod fair;
mod following;
mod giving_up;
mod grace;
mod log_limits;
mod log_pages;
mod moved;
mod out_of_reach;
mod over;
mod requesters;
mod revoked;
mod secrets;
mod two_servers;
mod unproven;
mod unusable;
mod watching;
