//! Embedded migrations are read when the crate is compiled: a new one must compile it again.

#![allow(clippy::print_stdout, reason = "cargo reads the output of a build script")]

fn main() {
    println!("cargo::rerun-if-changed=../migrations/log");
    println!("cargo::rerun-if-changed=../migrations/keyring");
}
