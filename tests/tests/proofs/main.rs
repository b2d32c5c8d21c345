//! Runs on a real sshd: whatever happens, none runs twice, no line is lost, no process is left; and on servers as they
//! are, what does not work has a name.

mod away;
mod cancel;
mod dump;
mod masks;
mod matrix;
mod reattach;
mod runs;
