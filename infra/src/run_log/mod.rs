//! The logs of runs: masked, numbered by line, sealed in chunks, and read back by line or by byte.

mod forms;
mod mask;
#[cfg(test)]
mod tests;

pub use mask::{Mask, Masks, SECRET_BYTES_MIN, SECRETS_BYTES_MAX, Unmaskable};
