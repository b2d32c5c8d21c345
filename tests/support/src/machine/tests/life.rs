//! What befalls a machine.

use std::net::TcpStream;
use std::path::Path;

use super::super::{Machine, MachineOptions, MachineUser};
use super::Client;
use crate::until;

#[tokio::test]
async fn after_a_reboot_the_disk_is_there_and_no_process() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    let Client { machine, .. } = &client;
    let (port, key) = (machine.port(), machine.host_key_fingerprint().unwrap());
    let boot = client.run("cat /proc/sys/kernel/random/boot_id");
    assert_eq!(boot.trim_end(), machine.boot_id().unwrap());
    let record = Machine::RECORD;
    client.run(&format!("echo begin >>{record}; touch kept /tmp/lost"));
    let command = format!("sleep 1000; echo end >>{record}");
    let mut held = client.hold(MachineUser::Plain, &command);
    client.leave(MachineUser::Sudo, "sudo -n setsid sleep 2000");
    client.until_lives("sleep 2000").await;

    machine.reboot().unwrap();

    assert_eq!(held.wait().unwrap().code(), Some(255));
    assert_eq!(client.commands(), [""; 0]);
    assert_eq!(client.run("ls; ls /tmp"), "kept\n");
    assert!(machine.home(MachineUser::Plain).join("kept").exists());
    assert_eq!(machine.record(), "begin\n", "nobody saw another one die");
    assert_ne!(client.run("cat /proc/sys/kernel/random/boot_id"), boot);
    assert_eq!((machine.port(), machine.host_key_fingerprint().unwrap()), (port, key));
}

#[tokio::test]
async fn another_boot_id_comes_without_a_reboot() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    let boot = client.run("cat /proc/sys/kernel/random/boot_id");
    client.leave(MachineUser::Plain, "sleep 1000");
    client.until_lives("sleep 1000").await;
    client.machine.change_boot_id().unwrap();
    let changed = client.run("cat /proc/sys/kernel/random/boot_id");
    assert_ne!(changed, boot);
    assert_eq!(changed.trim_end(), client.machine.boot_id().unwrap());
    assert_eq!(client.commands(), ["sleep 1000"]);
}

#[tokio::test]
async fn every_process_is_seen_however_it_hides() {
    let hiding = MachineOptions { hides_processes: true, ..MachineOptions::default() };
    let Some(client) = Client::of(&hiding) else { return };
    assert_eq!(client.commands(), [""; 0]);
    client.leave(MachineUser::Sudo, "sudo -n env -i setsid sleep 1000");
    client.leave(MachineUser::Plain, "env -i setsid sleep 2000");
    client.until_lives("sleep 1000").await;
    client.until_lives("sleep 2000").await;
    // An orphan that has ended is reaped.
    client.leave(MachineUser::Plain, "setsid sh -c 'true & exec true'");
    let count = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z '";
    until("nobody is a zombie", async || {
        let (out, _, _) = client.run_as(MachineUser::Root, count);
        if out == "0\n" { Ok(()) } else { Err(out) }
    })
    .await;
}

#[tokio::test]
async fn a_process_is_moved_to_a_control_group_that_looks_like_a_unit() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    client.leave(MachineUser::Plain, "sleep 1000");
    client.until_lives("sleep 1000").await;
    // That of the first process is root's.
    let group = "for it in /proc/[0-9]*; do
        [ -O $it ] && grep -q '^sleep' $it/comm && sed -n 's/^0:://p' $it/cgroup
        done 2>/dev/null";
    assert_eq!(client.run(group), "/\n");
    let pid = client.machine.ps().unwrap()[0].pid;
    client.machine.move_to(pid, "system.slice/web.service").unwrap();
    assert_eq!(client.run(group), "/system.slice/web.service\n");
    client.machine.reboot().unwrap();
    assert_eq!(client.commands(), [""; 0]);
}

#[tokio::test]
async fn sshd_stops_and_comes_back_and_what_it_started_stays() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    let Client { machine, .. } = &client;
    let mut held = client.hold(MachineUser::Plain, "exec sleep 1000");
    machine.kill_sessions().unwrap();
    assert_eq!(held.wait().unwrap().code(), Some(255));
    assert_eq!(client.run("echo in"), "in\n");
    machine.stop().unwrap();
    assert!(TcpStream::connect(("127.0.0.1", machine.port())).is_err());
    machine.restart().unwrap();
    let key = machine.host_key_fingerprint().unwrap();
    machine.change_host_key().unwrap();
    assert_ne!(machine.host_key_fingerprint().unwrap(), key);
    assert_eq!(client.run("echo in"), "in\n");
    client.until_lives("sleep 1000").await;
    machine.deauthorize().unwrap();
    assert!(client.run("echo in").contains("Permission denied"));
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_machine() {
    let Some(client) = Client::of(&MachineOptions::default()) else { return };
    client.leave(MachineUser::Root, "setsid sh -c 'trap \"\" TERM HUP; sleep 1000; true'");
    client.until_lives("sleep 1000").await;
    let processes = client.machine.ps().unwrap();
    assert!(processes.len() >= 2, "{processes:?}");
    let (folder, port) = (client.machine.folder.clone(), client.machine.port());
    client.machine.move_to(processes[0].pid, "docker/abc").unwrap();
    drop(client);
    assert!(!folder.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    for process in processes {
        let left = std::fs::read(format!("/proc/{}/cmdline", process.pid)).unwrap_or_default();
        assert!(left.is_empty(), "{} is left", process.command);
    }
    // And nothing was written to the host on its behalf.
    assert!(!Path::new(Machine::RECORD).exists());
}

#[test]
fn two_machines_share_neither_users_nor_files() {
    let options = MachineOptions::default();
    let Some((one, other)) = Client::of(&options).zip(Client::of(&options)) else { return };
    one.run(&format!("echo one >>{}; echo one >/tmp/file", Machine::RECORD));
    assert_eq!(one.machine.record(), "one\n");
    assert_eq!(other.machine.record(), "");
    assert_eq!(other.run("ls /tmp"), "");
    assert_ne!(one.run("id -u"), other.run("id -u"));
}
