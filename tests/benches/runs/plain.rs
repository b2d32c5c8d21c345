//! OpenSSH's own client.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use infra::remote::Identity;
use tempfile::TempDir;
use test_support::sshd::Sshd;

use super::delay;

pub struct Plain<'a> {
    sshd: &'a Sshd,
    folder: TempDir,
}

impl<'a> Plain<'a> {
    pub fn of(sshd: &'a Sshd) -> Self {
        let identity = Identity::generate().unwrap();
        sshd.authorize(&identity.public_line()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut file = std::fs::OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(folder.path().join("key"));
        std::io::Write::write_all(&mut file.unwrap(), identity.to_pem().as_bytes()).unwrap();
        Self { sshd, folder }
    }

    fn start(&self, command: &str) -> Child {
        let mut ssh = self.sshd.ssh(&self.folder.path().join("key"));
        ssh.arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    }

    pub fn lines(&self, command: &str) -> u64 {
        let mut child = self.start(command);
        let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n').count();
        assert!(child.wait().unwrap().success());
        lines as u64
    }

    pub fn delays(&self, command: &str) -> Vec<Duration> {
        let mut child = self.start(command);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let delays = lines.filter_map(|line| delay(&line.unwrap())).collect();
        assert!(child.wait().unwrap().success());
        delays
    }
}
