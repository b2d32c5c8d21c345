//! Processes of this machine by what stands in their environment.

use std::fs;
use std::io;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub command: String,
}

/// Those whose environment holds exactly `entry`; a zombie has none.
pub(super) fn with_mark(entry: &str) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for place in fs::read_dir("/proc")? {
        let place = place?.path();
        let name = place.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse().ok()) else { continue };
        // It may end while it is looked at.
        let Ok(environment) = fs::read(place.join("environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes()) {
            let command = fs::read(place.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            found.push(Process { pid, command: command.trim_end().to_owned() });
        }
    }
    Ok(found)
}
