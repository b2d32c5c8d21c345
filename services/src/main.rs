//! Lethe remembers every action and can forget any person.

use std::process::ExitCode;

/// Gives back what it no longer uses. Of the 19 MiB that each hash of a password needs, glibc's allocator keeps
/// a block for each thread that has ever hashed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    services::cli::main()
}
