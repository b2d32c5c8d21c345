//! A server that a workspace has Lethe reach over SSH.

mod key;

pub use key::{Cause, Fingerprint, KeyAlgorithm};
