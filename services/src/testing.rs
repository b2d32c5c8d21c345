//! Lethe with failpoints: `LETHE_FAILPOINT` names a step at which the process stops itself.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match infra::failpoint::read_setting() {
        Ok(()) => services::cli::main(),
        Err(refused) => {
            let _ = writeln!(std::io::stderr(), "{refused}");
            ExitCode::from(2)
        }
    }
}
