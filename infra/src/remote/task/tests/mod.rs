//! On a real sshd.

mod ends;
mod far;
mod kills;
mod outputs;
mod shells;
mod starts;
mod words;
