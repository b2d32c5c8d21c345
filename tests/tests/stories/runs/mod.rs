//! Runs on a real sshd, through HTTP: watched, failed, cancelled, tried again, never told wrong.

mod asking;
mod ending;
mod secrets;
mod watching;
