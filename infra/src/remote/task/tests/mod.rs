//! On a real sshd.

mod ends;
pub(in crate::remote) mod far;
mod kills;
mod outputs;
mod shells;
mod starts;
mod words;
