//! Other machines, reached over SSH.

#[cfg(any(test, feature = "testing"))]
pub mod testing;
