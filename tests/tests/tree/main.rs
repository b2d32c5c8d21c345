//! Rules for the source tree, and checks of the files that operators use.

mod deploy;
mod questions;
mod tables;
mod tidy;
mod words;
