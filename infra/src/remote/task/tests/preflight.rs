use std::os::unix::fs::PermissionsExt;

use test_support::sshd::SshdOptions;
use test_support::{FirstProcess, HomeDisk, LoginShell, Machine, MachineOptions, MachineUser};

use super::super::*;
use super::harness::*;
use super::machine::MachineHarness;

/// The names of what is not so, and of what no run starts without.
type Seen = (Vec<&'static str>, Option<&'static str>);

async fn look(connection: &Connection) -> Seen {
    let found = preflight(connection).await.unwrap();
    let wrong = found.facts().iter().filter(|checked| !checked.is_so);
    (wrong.map(|checked| checked.fact.as_str()).collect(), found.blocker().map(Fact::as_str))
}

/// As the plain user of each machine, who may not use `sudo`.
async fn are_seen(rows: &[(MachineOptions, &[&str], Option<&str>)]) {
    for (options, wrong, blocker) in rows {
        let Some(harness) = MachineHarness::start(options) else { return };
        let connection = harness.connect(MachineUser::Plain).await;
        assert_eq!(look(&connection).await, (wrong.to_vec(), *blocker), "{options:?}");
    }
}

fn lacking(programme: &str) -> MachineOptions {
    MachineOptions { lacks: vec![programme.to_owned()], ..MachineOptions::default() }
}

fn with_home(home: HomeDisk) -> MachineOptions {
    MachineOptions { home, ..MachineOptions::default() }
}

fn with_shell(shell: LoginShell) -> MachineOptions {
    MachineOptions { shell, ..MachineOptions::default() }
}

#[tokio::test]
async fn a_kind_server_wants_nothing_but_a_way_to_end_what_sudo_begins() {
    let Some(harness) = MachineHarness::start(&MachineOptions::default()) else { return };
    for user in MachineUser::ALL {
        let seen = look(&harness.connect(user).await).await;
        let wrong: &[&str] = match user {
            MachineUser::Root | MachineUser::Sudo => &[],
            MachineUser::Plain | MachineUser::SudoWithPassword => &["sudo"],
        };
        assert_eq!(seen, (wrong.to_vec(), None), "{}", user.name());
    }
    let home = harness.machine.home(MachineUser::Plain);
    std::fs::remove_dir_all(home.join(".lethe")).unwrap();
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o555)).unwrap();
    let seen = look(&harness.connect(MachineUser::Plain).await).await;
    assert_eq!(seen, (vec!["home_writable", "sudo"], Some("home_writable")));
}

#[tokio::test]
async fn what_a_home_lacks_is_named() {
    are_seen(&[
        (with_home(HomeDisk::Full), &["home_space", "sudo"], Some("home_space")),
        (with_home(HomeDisk::NoExec), &["home_programmes", "sudo"], None),
    ])
    .await;
}

#[tokio::test]
async fn what_hides_from_a_scan_is_named() {
    let hiding = MachineOptions { hides_processes: true, ..MachineOptions::default() };
    let lie = "#!/bin/sh\nexec grep.real -v \"$@\"\n".to_owned();
    let instead = vec![("grep".to_owned(), lie)];
    are_seen(&[
        (hiding.clone(), &["visible_processes", "sudo"], None),
        (lacking("grep"), &["sudo", "grep"], None),
        (MachineOptions { instead, ..MachineOptions::default() }, &["sudo", "grep"], None),
    ])
    .await;
    let Some(harness) = MachineHarness::start(&hiding) else { return };
    assert_eq!(look(&harness.connect(MachineUser::Root).await).await, (Vec::new(), None));
}

#[tokio::test]
async fn programmes_that_are_missing_are_named() {
    let watching = MachineOptions { lacks_inotify: true, ..MachineOptions::default() };
    are_seen(&[
        (lacking("setsid"), &["setsid"], Some("setsid")),
        (lacking("tee"), &["tools", "sudo"], Some("tools")),
        (watching, &["sudo", "inotify"], None),
    ])
    .await;
    let Some(harness) = MachineHarness::start(&with_shell(LoginShell::Busybox)) else { return };
    let (mut wrong, blocker) = look(&harness.connect(MachineUser::Plain).await).await;
    // As busybox was built: there are some that read an environment to its end.
    wrong.retain(|name| *name != "grep");
    assert_eq!((wrong, blocker), (vec!["exact_signals", "inotify"], None));
}

#[tokio::test]
async fn a_login_that_runs_nothing_or_another_command_is_refused() {
    let one = MachineOptions { config: "MaxSessions 1".to_owned(), ..MachineOptions::default() };
    let forced =
        MachineOptions { config: "ForceCommand echo hi".to_owned(), ..MachineOptions::default() };
    let noisy = MachineOptions { is_noisy: true, ..MachineOptions::default() };
    are_seen(&[
        (with_shell(LoginShell::Nologin), &["shell"], Some("shell")),
        (forced, &["shell"], Some("shell")),
        (with_shell(LoginShell::Restricted), &["sudo"], None),
        (with_shell(LoginShell::Csh), &["sudo"], None),
        (with_shell(LoginShell::Fish), &["sudo"], None),
        (noisy, &["sudo"], None),
        (one, &["sudo"], None),
    ])
    .await;
}

#[tokio::test]
async fn logind_ends_runs_of_a_user_who_does_not_linger() {
    if !Machine::may_have_systemd() {
        return;
    }
    let systemd = MachineOptions { first: FirstProcess::Systemd, ..MachineOptions::default() };
    let Some(harness) = MachineHarness::start(&systemd) else { return };
    let seen = look(&harness.connect(MachineUser::Plain).await).await;
    assert_eq!(seen, (vec!["sudo", "survives_login"], None));
    let root = harness.connect(MachineUser::Root).await;
    let limits = Limits { within: LONG, bytes_max: 1000 };
    let done = root.exec("loginctl enable-linger dep", b"", limits).await.unwrap();
    assert_eq!(done.exit, Some(0), "{}", String::from_utf8_lossy(&done.err));
    let seen = look(&harness.connect(MachineUser::Plain).await).await;
    assert_eq!(seen, (vec!["sudo"], None));
}

#[tokio::test]
async fn a_login_shell_that_runs_no_file_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let shell = folder.path().join("shell");
    std::fs::write(&shell, "#!/bin/sh\n[ \"$1\" = -c ] && exec sh \"$@\"\nexit 0\n").unwrap();
    std::fs::set_permissions(&shell, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (shell, blocker) in [(shell, Some("shell")), ("/bin/sh".into(), None)] {
        let harness = SshHarness::with(&SshdOptions { shell, ..SshdOptions::default() });
        let connection = harness.connect().await;
        assert_eq!(look(&connection).await.1, blocker);
        let runs = harness.sshd.home().join(".lethe/runs");
        assert!(std::fs::read_dir(runs).unwrap().next().is_none());
        drop(connection);
        harness.until_only(0).await;
    }
}
