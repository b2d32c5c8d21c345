//! Lethe remembers every action and can forget any person.

use std::process::ExitCode;

fn main() -> ExitCode {
    services::cli::main()
}
