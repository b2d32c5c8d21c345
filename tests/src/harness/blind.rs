//! An sshd on which it can be made impossible to show what is left of a run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use tempfile::TempDir;

use crate::{Sshd, SshdOptions};

/// Of what Lethe sends, only a kill and a removal call `grep`: this ends the connection that they came on, and them.
const HANGS_UP: &str = r#"#!/bin/sh
process=$$ callers=
while read -r line <"/proc/$process/stat" && set -- ${line##*) } && [ "$2" -gt 1 ]; do
    process=$2
    callers="$callers $process"
    read -r name <"/proc/$process/comm"
    case $name in sshd*) kill -9 $callers; exit 1 ;; esac
done
exit 1
"#;

/// It answers the start of a command with a word that nobody knows, and runs all else.
const MUMBLES: &str = r#"#!/bin/sh
case $* in *iflag=fullblock*) echo perhaps ;; *) exec /usr/bin/setsid "$@" ;; esac
"#;

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

    /// The same, and the first process of each command is killed, without what it has started.
    pub fn blind_and_behead(&self) {
        self.blind();
        for folder in fs::read_dir(self.sshd.home().join(".lethe/runs")).unwrap() {
            let note = fs::read_to_string(folder.unwrap().path().join("group")).unwrap();
            let leader = note.split_whitespace().next().unwrap();
            Command::new("kill").args(["-9", leader]).status().unwrap();
        }
    }

    /// It hangs up on each kill, and answers all else.
    pub fn hang_up_on_kills(&self) {
        self.replace("grep", HANGS_UP);
    }

    /// No start says what became of it: nothing is started.
    pub fn mumble_of_starts(&self) {
        self.replace("setsid", MUMBLES);
    }

    /// The same on each sweep, which it counts: a line of the file `swept`.
    pub fn hang_up_on_sweeps(&self) {
        fs::create_dir_all(self.sshd.home().join(".lethe/runs")).unwrap();
        let counts = HANGS_UP.replacen('\n', "\necho >>~/swept\n", 1);
        self.replace("find", &counts);
    }

    fn replace(&self, programme: &str, script: &str) {
        let path = self.tools.path().join(programme);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn answer_kills(&self) {
        fs::remove_file(self.tools.path().join("grep")).unwrap();
    }

    pub fn see(&self) {
        fs::remove_file(self.tools.path().join("setsid")).unwrap();
    }

    /// Whether a process of it is exactly this.
    pub fn runs(&self, command: &str) -> bool {
        self.sshd.processes().unwrap().iter().any(|process| process.command == command)
    }
}
