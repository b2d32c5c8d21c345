//! Each kind of machine has its trait, and a kind one has it not.

mod kinds;
mod life;

use std::io::Read;
use std::process::{Child, Command, Stdio};

use super::{Machine, MachineOptions, MachineUser};
use crate::until;

struct Client {
    folder: tempfile::TempDir,
    machine: Machine,
}

impl Client {
    /// Of a new machine; `None` where such tests are left out.
    fn of(options: &MachineOptions) -> Option<Self> {
        let machine = Machine::start(options)?;
        let folder = tempfile::tempdir().unwrap();
        super::make_key(&machine.found, folder.path()).unwrap();
        let key = std::fs::read_to_string(folder.path().join("key.pub")).unwrap();
        machine.authorize(&key).unwrap();
        Some(Self { folder, machine })
    }

    fn command(&self, user: MachineUser, command: &str) -> Command {
        let mut ssh = self.machine.ssh(user, &self.folder.path().join("key"));
        ssh.arg(command);
        ssh
    }

    /// What it writes to either output, and its exit code.
    fn run_as(&self, user: MachineUser, command: &str) -> (String, String, Option<i32>) {
        let output = self.command(user, command).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), text(&output.stderr), output.status.code())
    }

    /// As the plain user.
    fn run(&self, command: &str) -> String {
        let (out, err, _) = self.run_as(MachineUser::Plain, command);
        out + &err
    }

    /// A session that lasts; it is in when this comes back.
    fn hold(&self, user: MachineUser, command: &str) -> Child {
        let command = format!("echo in; {command}");
        let mut child = self.command(user, &command).stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        child
    }

    /// Starts what holds no output of the session.
    fn leave(&self, user: MachineUser, command: &str) {
        let left = self.run_as(user, &format!("{command} </dev/null >/dev/null 2>&1 &"));
        assert_eq!(left, (String::new(), String::new(), Some(0)));
    }

    fn commands(&self) -> Vec<String> {
        let found = self.machine.ps().unwrap();
        found.into_iter().map(|process| process.command).collect()
    }

    /// What is left in the background becomes this command a moment later.
    async fn until_lives(&self, command: &str) {
        let what = format!("{command:?} lives");
        until(&what, async || {
            let commands = self.commands();
            if commands.iter().any(|seen| seen == command) { Ok(()) } else { Err(commands) }
        })
        .await;
    }
}
