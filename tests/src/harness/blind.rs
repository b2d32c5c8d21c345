//! An sshd on which it can be made impossible to show what is left of a run.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use tempfile::TempDir;

use crate::{Sshd, SshdOptions};

pub struct BlindSshd {
    pub sshd: Sshd,
    /// Before all others in `PATH`.
    tools: TempDir,
}

impl BlindSshd {
    /// It sees, so far.
    pub fn start() -> Self {
        let tools = tempfile::tempdir().unwrap();
        let path = format!("{}:/usr/bin:/bin", tools.path().display());
        let environment = vec![("PATH".to_owned(), path)];
        let options = SshdOptions { environment, ..SshdOptions::default() };
        Self { sshd: Sshd::start_with(&options).unwrap(), tools }
    }

    /// A kill does not find the process that it starts to be found, and no keeper of a run is left that would know
    /// better.
    pub fn blind(&self) {
        symlink("/bin/false", self.tools.path().join("setsid")).unwrap();
        for folder in fs::read_dir(self.sshd.home().join(".lethe/runs")).unwrap() {
            let note = fs::read_to_string(folder.unwrap().path().join("started")).unwrap();
            let keeper = note.split_whitespace().next().unwrap();
            Command::new("kill").args(["-9", keeper]).status().unwrap();
        }
    }

    pub fn see(&self) {
        fs::remove_file(self.tools.path().join("setsid")).unwrap();
    }

    /// Whether a process of it is exactly this.
    pub fn runs(&self, command: &str) -> bool {
        self.sshd.processes().unwrap().iter().any(|process| process.command == command)
    }
}
