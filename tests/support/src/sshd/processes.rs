//! Processes of this machine by what stands in their environment, or by their namespace.

use std::fs;
use std::io;
use std::path::Path;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    pub command: String,
}

/// Those whose environment holds exactly `entry`; a zombie has none.
pub(super) fn with_mark(entry: &str) -> io::Result<Vec<Process>> {
    each(|place| has(place, entry))
}

/// Those that see the same numbers of processes as `first` does, but for those with one of these names
/// and those whose environment holds exactly `entry`; a zombie is none.
pub(crate) fn in_namespace_of(first: u32, names: &[&str], entry: &str) -> io::Result<Vec<Process>> {
    let namespace = |place: &Path| fs::read_link(place.join("ns/pid"));
    let own = namespace(Path::new(&format!("/proc/{first}")))?;
    each(|place| {
        let status = fs::read_to_string(place.join("status")).unwrap_or_default();
        let name = status.lines().next().and_then(|line| line.strip_prefix("Name:\t"));
        let lives = name.is_some() && !status.contains("\nState:\tZ");
        let is_there = namespace(place).is_ok_and(|namespace| namespace == own);
        is_there && lives && name.is_none_or(|name| !names.contains(&name)) && !has(place, entry)
    })
}

fn each(is_meant: impl Fn(&Path) -> bool) -> io::Result<Vec<Process>> {
    let mut found = Vec::new();
    for place in fs::read_dir("/proc")? {
        let place = place?.path();
        let name = place.file_name().and_then(|name| name.to_str());
        let Some(pid) = name.and_then(|name| name.parse().ok()) else { continue };
        if is_meant(&place) {
            let command = fs::read(place.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            found.push(Process { pid, command: command.trim_end().to_owned() });
        }
    }
    Ok(found)
}

fn has(place: &Path, entry: &str) -> bool {
    // It may end while it is looked at.
    let environment = fs::read(place.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|one| one == entry.as_bytes())
}
