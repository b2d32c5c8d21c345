//! What a machine is like for who logs in.

use std::io::Read;
use std::net::TcpStream;
use std::process::Stdio;

use super::super::{FirstProcess, HomeDisk, LoginShell, Machine, MachineOptions, MachineUser};
use super::Client;
use crate::until;

fn with_shell(shell: LoginShell) -> MachineOptions {
    MachineOptions { shell, ..MachineOptions::default() }
}

fn with_home(home: HomeDisk) -> MachineOptions {
    MachineOptions { home, ..MachineOptions::default() }
}

#[test]
fn each_user_has_a_home_a_session_and_the_rights_of_its_own() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    let mut sessions = Vec::new();
    for user in MachineUser::ALL {
        let (out, _, _) = client.run_as(user, "id -un; pwd; cat /proc/self/sessionid");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[..2], [user.name(), &format!("/home/{}", user.name())]);
        sessions.push(lines[2].to_owned());
        let (out, err, _) = client.run_as(user, "sudo -n id -u");
        let is_root = matches!(user, MachineUser::Root | MachineUser::Sudo);
        assert_eq!(out == "0\n", is_root, "{}: {out}{err}", user.name());
        let asked = format!("echo {} | sudo -S -p '' id -u", MachineUser::PASSWORD);
        let (out, err, _) = client.run_as(user, &asked);
        assert_eq!(out == "0\n", user != MachineUser::Plain, "{}: {out}{err}", user.name());
    }
    sessions.sort_unstable();
    sessions.dedup();
    assert_eq!(sessions.len(), 4, "each login is a session of its own: {sessions:?}");
}

#[tokio::test]
async fn hidden_processes_are_seen_by_root_and_by_nobody_else() {
    let hiding = MachineOptions { hides_processes: true, ..MachineOptions::default() };
    let Some(client) = Client::of(&hiding) else { return };
    let count = "cat /proc/[0-9]*/comm 2>/dev/null | grep -c sleep";
    let look = "test -d /proc/1 && echo seen || echo hidden";
    client.leave(MachineUser::Sudo, "sleep 1000");
    client.until_lives("sleep 1000").await;
    assert_eq!(client.run(look), "hidden\n");
    assert_eq!(client.run(count), "0\n");
    assert_eq!(client.run_as(MachineUser::Root, look).0, "seen\n");
    assert_eq!(client.commands(), ["sleep 1000"]);

    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    client.leave(MachineUser::Sudo, "sleep 1000");
    client.until_lives("sleep 1000").await;
    assert_eq!(client.run(look), "seen\n");
    assert_eq!(client.run(count), "2\n", "and that of the first");
}

#[test]
fn nothing_is_executed_in_a_noexec_home() {
    let execute = "echo 'echo hi' >file; chmod 700 file; ./file 2>/dev/null; echo $?; sh file";
    let Some(client) = Client::of(&with_home(HomeDisk::NoExec)) else { return };
    assert_eq!(client.run(execute), "126\nhi\n");
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    assert_eq!(client.run(execute), "hi\n0\nhi\n");
}

#[test]
fn a_full_home_takes_no_byte_of_anybody() {
    let write = "echo hi 2>/dev/null >file; echo $?; echo there >/tmp/file && cat /tmp/file";
    let Some(client) = Client::of(&with_home(HomeDisk::Full)) else { return };
    assert_eq!(client.run(write), "1\nthere\n");
    assert_eq!(client.run_as(MachineUser::Root, "echo hi 2>/dev/null >file").2, Some(1));
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    assert_eq!(client.run(write), "0\nthere\n");
}

#[test]
fn csh_drops_a_last_line_without_an_end() {
    let Some(client) = Client::of(&with_shell(LoginShell::Csh)) else { return };
    assert_eq!(client.run("set word=own; echo $word; false; echo $status"), "own\n1\n");
    assert_eq!(client.run(r"printf 'echo one\necho two' | bsd-csh"), "one\n");
    assert_eq!(client.run(r"printf 'echo one\necho two\n' | bsd-csh"), "one\ntwo\n");
}

#[test]
fn fish_is_a_login_shell() {
    let Some(client) = Client::of(&with_shell(LoginShell::Fish)) else { return };
    assert_eq!(client.run("set word own; echo $word; false; echo $status"), "own\n1\n");
    assert!(client.run("echo $FISH_VERSION").starts_with(|first: char| first.is_ascii_digit()));
}

#[test]
fn a_restricted_shell_refuses_what_makes_it_free() {
    let Some(client) = Client::of(&with_shell(LoginShell::Restricted)) else { return };
    for command in ["exec ls", "cd /", "echo hi >file", "/bin/ls"] {
        let said = client.run(command);
        assert!(said.contains("restricted"), "{command}: {said}");
    }
    assert_eq!(client.run("echo hi"), "hi\n");
    let Some(client) = Client::of(&with_shell(LoginShell::Bash)) else { return };
    assert_eq!(client.run("cd /; echo hi >~/file; /bin/cat ~/file; exec pwd"), "hi\n/\n");
}

#[test]
fn nobody_gets_past_nologin() {
    let Some(client) = Client::of(&with_shell(LoginShell::Nologin)) else { return };
    let (out, _, code) = client.run_as(MachineUser::Plain, "echo hi");
    assert!(out.contains("not available") && !out.lines().any(|line| line == "hi"), "{out}");
    assert_eq!(code, Some(1));
}

#[test]
fn with_busybox_nothing_else_is_found() {
    let Some(client) = Client::of(&with_shell(LoginShell::Busybox)) else { return };
    assert_eq!(
        client.run("readlink -f /proc/$$/exe; echo $PATH"),
        "/usr/bin/busybox\n/opt/busybox\n"
    );
    assert!(client.run("grep --help").contains("BusyBox"));
    assert!(client.run("bash -c true").contains("not found"));
}

#[test]
fn a_noisy_login_says_something_first() {
    let noisy = MachineOptions { is_noisy: true, ..MachineOptions::default() };
    let Some(client) = Client::of(&noisy) else { return };
    let said = client.run_as(MachineUser::Plain, "echo hi");
    assert_eq!(said, ("Welcome\nhi\n".to_owned(), "careful\n".to_owned(), Some(0)));
}

#[test]
fn a_programme_is_missing_or_lies() {
    let lacking = MachineOptions { lacks: vec!["grep".to_owned()], ..MachineOptions::default() };
    let Some(client) = Client::of(&lacking) else { return };
    assert!(client.run("echo hi | grep hi").contains("not found"));
    let lie = "#!/bin/sh\nexec grep.real -v \"$@\"\n".to_owned();
    let instead = vec![("grep".to_owned(), lie)];
    let lying = MachineOptions { instead, ..MachineOptions::default() };
    let Some(client) = Client::of(&lying) else { return };
    assert_eq!(client.run("echo hi | grep hi; echo hi | grep ho"), "hi\n");
    assert_eq!(client.run("echo hi | grep.real hi"), "hi\n");
}

#[test]
fn nobody_but_root_has_an_instance_of_inotify() {
    let lacking = MachineOptions { lacks_inotify: true, ..MachineOptions::default() };
    // What is used up stays so after a reboot.
    let follow = "echo hi >file; timeout 0.3 tail -f file";
    let Some(client) = Client::of(&lacking) else { return };
    client.machine.reboot().unwrap();
    for user in MachineUser::ALL {
        let (out, err, _) = client.run_as(user, follow);
        assert_eq!(out, "hi\n");
        let said = err.contains("inotify cannot be used");
        assert_eq!(said, user != MachineUser::Root, "{}: {err}", user.name());
    }
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    assert_eq!(client.run(follow), "hi\n");
}

#[test]
fn sessions_of_one_connection_are_limited() {
    let one = MachineOptions { config: "MaxSessions 1".to_owned(), ..MachineOptions::default() };
    for (options, is_limited) in [(one, true), (MachineOptions::default(), false)] {
        let Some(client) = Client::of(&options) else { return };
        let socket = client.folder.path().join("shared");
        let shared = format!("ControlPath={}", socket.display());
        let mut first = client.command(MachineUser::Plain, "-oControlMaster=yes");
        first.args(["-o", &shared, "echo in; exec sleep 1000"]);
        let mut first = first.stdout(Stdio::piped()).spawn().unwrap();
        first.stdout.as_mut().unwrap().read_exact(&mut [0; 3]).unwrap();
        // Over the socket of the first one, and over no connection of its own.
        let mut second = client.command(MachineUser::Plain, "-oProxyCommand=false");
        let second = second.args(["-o", &shared, "echo second"]).output().unwrap();
        assert_eq!(second.stdout == b"second\n", !is_limited, "{second:?}");
        first.kill().unwrap();
        first.wait().unwrap();
    }
}

#[test]
fn connections_before_their_login_are_limited() {
    let two = MachineOptions { config: "MaxStartups 2".to_owned(), ..MachineOptions::default() };
    let Some(client) = Client::of(&two) else { return };
    let greets = |stream: &mut TcpStream| {
        let mut line = [0; 8];
        stream.read_exact(&mut line).is_ok() && &line == b"SSH-2.0-"
    };
    let mut all: Vec<TcpStream> =
        (0..3).map(|_| TcpStream::connect(("127.0.0.1", client.machine.port())).unwrap()).collect();
    let greeted: Vec<bool> = all.iter_mut().map(greets).collect();
    assert_eq!(greeted, [true, true, false]);
}

#[tokio::test]
async fn logind_ends_what_a_session_leaves_unless_it_has_a_scope_of_a_user_who_lingers() {
    if !Machine::may_have_systemd() {
        return;
    }
    let systemd = MachineOptions { first: FirstProcess::Systemd, ..MachineOptions::default() };
    let Some(client) = Client::of(&systemd) else { return };
    let session = client.run("sed -n 's/^0:://p' /proc/self/cgroup");
    assert!(session.starts_with("/user.slice/user-"), "{session}");
    let command = "setsid sleep 1000 </dev/null >/dev/null 2>&1 &
        systemd-run --user --scope --quiet env sleep 2000 </dev/null >/dev/null 2>&1 &
        exec sleep 3000";
    for lingers in [false, true] {
        if lingers {
            let (_, err, code) = client.run_as(MachineUser::Root, "loginctl enable-linger dep");
            assert_eq!(code, Some(0), "{err}");
        }
        let mut held = client.hold(MachineUser::Plain, command);
        client.until_lives("sleep 1000").await;
        client.until_lives("sleep 2000").await;
        held.kill().unwrap();
        held.wait().unwrap();
        let left: &[&str] = if lingers { &["sleep 2000"] } else { &[] };
        until("what has no scope of its own is gone", async || {
            let commands = client.commands();
            if commands == left { Ok(()) } else { Err(commands) }
        })
        .await;
    }
    client.machine.reboot().unwrap();
    // The manager of the user who lingers comes back, with nothing to do.
    until("nothing lives", async || client.commands().is_empty()).await;
}
