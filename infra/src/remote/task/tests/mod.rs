//! On a real sshd.

mod ends;
pub(in crate::remote) mod harness;
mod keeps;
mod kills;
mod outputs;
mod shells;
mod starts;
mod words;
