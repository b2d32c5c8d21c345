//! Runs on a real sshd: whatever happens, none runs twice, no line is lost, no process is left.

mod away;
mod cancel;
mod dump;
mod masks;
mod reattach;
mod runs;
