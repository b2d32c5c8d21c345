//! On a real sshd.

mod ends;
pub(in crate::remote) mod harness;
mod keeps;
mod kills;
mod machine;
mod outputs;
mod preflight;
mod scans;
mod shells;
mod starts;
mod sweeps;
mod tails;
mod watches;
mod words;
