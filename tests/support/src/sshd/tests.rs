use std::io::Read;
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{Sshd, SshdOptions};

struct Client {
    folder: tempfile::TempDir,
}

impl Client {
    fn of(sshd: &Sshd) -> Self {
        let folder = tempfile::tempdir().unwrap();
        super::make_key(&sshd.found, folder.path()).unwrap();
        sshd.authorize(&std::fs::read_to_string(folder.path().join("key.pub")).unwrap()).unwrap();
        Self { folder }
    }

    fn command(&self, sshd: &Sshd, command: &str) -> Command {
        let mut ssh = sshd.ssh(&self.folder.path().join("key"));
        ssh.arg(command);
        ssh
    }

    fn run(&self, sshd: &Sshd, command: &str) -> String {
        let output = self.command(sshd, command).output().unwrap();
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    }

    fn hold(&self, sshd: &Sshd) -> Child {
        let mut child =
            self.command(sshd, "echo in; exec sleep 1000").stdout(Stdio::piped()).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        child
    }
}

#[test]
fn it_lets_in_whom_it_was_told_to_and_has_a_home_of_its_own() {
    let options = SshdOptions { user: "deploy".to_owned(), ..SshdOptions::default() };
    let sshd = Sshd::start_with(&options).unwrap();
    let client = Client::of(&sshd);
    assert_eq!(client.run(&sshd, "cd; pwd"), format!("{}\n", sshd.home().display()));
    sshd.deauthorize().unwrap();
    assert!(client.run(&sshd, "echo in").contains("Permission denied"));
}

#[test]
fn it_listens_at_one_address_or_at_all_and_lets_in_only_who_is_here() {
    let other = Ipv4Addr::new(127, 1, 0, 5);
    let one = Sshd::start().unwrap();
    assert!(TcpStream::connect((other, one.port())).is_err());

    let config = "AllowUsers *@127.*".to_owned();
    let listen = Ipv4Addr::UNSPECIFIED;
    let options = SshdOptions { listen, config, ..SshdOptions::default() };
    let all = Sshd::start_with(&options).unwrap();
    TcpStream::connect((other, all.port())).unwrap();
    assert_eq!(Client::of(&all).run(&all, "echo in"), "in\n");

    let nobody = SshdOptions { config: "AllowUsers *@192.0.2.*".to_owned(), ..options };
    let closed = Sshd::start_with(&nobody).unwrap();
    assert!(Client::of(&closed).run(&closed, "echo in").contains("Permission denied"));
}

#[test]
fn a_command_starts_with_no_signal_ignored() {
    let sshd = Sshd::start().unwrap();
    let client = Client::of(&sshd);
    let ignored = client.run(&sshd, "grep SigIgn /proc/self/status");
    let ignored = u64::from_str_radix(ignored.split_whitespace().last().unwrap(), 16).unwrap();
    // The two after the first 31 belong to the C library.
    assert_eq!(ignored & 0x7fff_ffff, 0);
}

#[test]
fn killed_sessions_leave_what_they_started_and_a_port_that_answers() {
    let sshd = Sshd::start().unwrap();
    let client = Client::of(&sshd);
    let mut held = client.hold(&sshd);
    assert_eq!(sshd.processes().unwrap().len(), 1);
    sshd.kill_sessions().unwrap();
    assert_eq!(held.wait().unwrap().code(), Some(255));
    assert_eq!(sshd.processes().unwrap().len(), 1);
    assert_eq!(client.run(&sshd, "echo in"), "in\n");
}

#[test]
fn a_stopped_server_comes_back_on_its_port_and_with_its_key() {
    let sshd = Sshd::start().unwrap();
    let client = Client::of(&sshd);
    let (port, key) = (sshd.port(), sshd.host_key_fingerprint().unwrap());
    let mut held = client.hold(&sshd);
    sshd.stop().unwrap();
    assert_eq!(held.wait().unwrap().code(), Some(255));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    sshd.restart().unwrap();
    assert_eq!(client.run(&sshd, "echo in"), "in\n");
    assert_eq!((sshd.port(), sshd.host_key_fingerprint().unwrap()), (port, key.clone()));
    sshd.change_host_key().unwrap();
    assert_ne!(sshd.host_key_fingerprint().unwrap(), key);
    assert_eq!(client.run(&sshd, "echo in"), "in\n");
}

#[test]
fn nothing_is_left_of_a_dropped_server() {
    let sshd = Sshd::start().unwrap();
    let client = Client::of(&sshd);
    let mut held = client.hold(&sshd);
    let detached = "setsid sh -c 'trap \"\" TERM HUP; sleep 1000' </dev/null >/dev/null 2>&1 &";
    client.run(&sshd, detached);
    let pids: Vec<u32> = sshd.processes().unwrap().iter().map(|process| process.pid).collect();
    assert!(pids.len() >= 2, "{pids:?}");
    let (folder, port) = (sshd.folder.clone(), sshd.port());
    drop(sshd);
    held.wait().unwrap();
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    for pid in pids {
        let left = std::fs::read(PathBuf::from(format!("/proc/{pid}/cmdline"))).unwrap_or_default();
        assert!(left.is_empty(), "{pid} is left");
    }
}

#[test]
fn a_hundred_run_at_once() {
    let all: Vec<Sshd> = (0..100).map(|_| Sshd::start().unwrap()).collect();
    let mut ports: Vec<u16> = all.iter().map(Sshd::port).collect();
    for port in &ports {
        let mut line = [0; 8];
        TcpStream::connect(("127.0.0.1", *port)).unwrap().read_exact(&mut line).unwrap();
        assert_eq!(&line, b"SSH-2.0-");
    }
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), 100);
}
