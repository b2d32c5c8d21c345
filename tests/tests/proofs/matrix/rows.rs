//! The servers, and what is expected of each: a cell works, or is the cause that Lethe has to name.

use test_support::{FirstProcess, HomeDisk, LoginShell, MachineOptions, MachineUser};

pub const COLUMNS: [&str; 6] = ["check", "run", "log", "cancel", "time-out", "re-attach"];
pub const WORKS: &str = "works";

const ROOT: MachineUser = MachineUser::Root;
const PLAIN: MachineUser = MachineUser::Plain;
const SUDO: MachineUser = MachineUser::Sudo;
const PASSWORD: MachineUser = MachineUser::SudoWithPassword;

/// Those that show most.
const USUAL: [&str; 4] = ["plain user", "hidepid=2", "hidepid=2, no perl", "MaxSessions 1"];

pub struct Row {
    pub name: &'static str,
    pub user: MachineUser,
    pub options: MachineOptions,
    /// The user's own manager outlives the login.
    pub lingers: bool,
    /// In the order of [`COLUMNS`]. A check works where it names nothing.
    pub expected: [&'static str; 6],
}

impl Row {
    pub fn is_usual(&self) -> bool {
        USUAL.contains(&self.name)
    }

    pub fn needs_systemd(&self) -> bool {
        self.options.first == FirstProcess::Systemd
    }
}

fn row(
    name: &'static str,
    user: MachineUser,
    options: MachineOptions,
    expected: [&'static str; 6],
) -> Row {
    Row { name, user, options, lingers: false, expected }
}

fn kind() -> MachineOptions {
    MachineOptions::default()
}

fn hiding() -> MachineOptions {
    MachineOptions { hides_processes: true, ..kind() }
}

fn home(home: HomeDisk) -> MachineOptions {
    MachineOptions { home, ..kind() }
}

fn shell(shell: LoginShell) -> MachineOptions {
    MachineOptions { shell, ..kind() }
}

fn configured(config: &str) -> MachineOptions {
    MachineOptions { config: config.to_owned(), ..kind() }
}

fn lacking(programme: &str, options: MachineOptions) -> MachineOptions {
    MachineOptions { lacks: vec![programme.to_owned()], ..options }
}

fn instead(programme: &str, script: &str) -> MachineOptions {
    MachineOptions { instead: vec![(programme.to_owned(), script.to_owned())], ..kind() }
}

pub fn rows() -> Vec<Row> {
    let mut rows = users();
    rows.extend(homes_and_limits());
    rows.extend(shells());
    rows.extend(tools());
    rows.extend(logins());
    rows
}

fn users() -> Vec<Row> {
    const W: &str = WORKS;
    const SEES: &str = "visible_processes";
    const BLIND: &str = "visible_processes sudo";
    vec![
        row("root", ROOT, kind(), [W, W, W, W, W, W]),
        // That there is a sudo, for others.
        row("plain user", PLAIN, kind(), ["sudo", W, W, W, W, W]),
        row("sudo", SUDO, kind(), [W, W, W, W, W, W]),
        row("sudo with a password", PASSWORD, kind(), ["sudo", W, W, W, W, W]),
        // Its keeper takes on what has lost its parent, and sees that nothing is left.
        row("hidepid=2", PLAIN, hiding(), [BLIND, W, W, W, W, W]),
        row("hidepid=2, sudo", SUDO, hiding(), [SEES, W, W, W, W, W]),
        row(
            "hidepid=2, no perl",
            PLAIN,
            lacking("perl", hiding()),
            [BLIND, W, W, "hidden", "hidden", W],
        ),
    ]
}

fn homes_and_limits() -> Vec<Row> {
    const W: &str = WORKS;
    const NOEXEC: &str = "home_programmes sudo";
    const FULL: &str = "home_full";
    vec![
        row("noexec home", PLAIN, home(HomeDisk::NoExec), [NOEXEC, W, W, W, W, W]),
        row(
            "full home",
            PLAIN,
            home(HomeDisk::Full),
            ["home_space sudo", FULL, FULL, FULL, FULL, FULL],
        ),
        row("MaxSessions 1", PLAIN, configured("MaxSessions 1"), ["sudo", W, W, W, W, W]),
        row("MaxStartups 2", PLAIN, configured("MaxStartups 2"), ["sudo", W, W, W, W, W]),
    ]
}

fn shells() -> Vec<Row> {
    const W: &str = WORKS;
    const NONE: &str = "shell_refused";
    let noisy = MachineOptions { is_noisy: true, ..shell(LoginShell::Dash) };
    vec![
        row("fish", PLAIN, shell(LoginShell::Fish), ["sudo", W, W, W, W, W]),
        row("csh", PLAIN, shell(LoginShell::Csh), ["sudo", W, W, W, W, W]),
        row("dash, a noisy rc file", PLAIN, noisy, ["sudo", W, W, W, W, W]),
        row("rbash", PLAIN, shell(LoginShell::Restricted), ["sudo", W, W, W, W, W]),
        row("nologin", PLAIN, shell(LoginShell::Nologin), ["shell", NONE, NONE, NONE, NONE, NONE]),
        // It sees neither sudo nor perl.
        row("busybox", PLAIN, shell(LoginShell::Busybox), ["exact_signals inotify", W, W, W, W, W]),
    ]
}

fn tools() -> Vec<Row> {
    const W: &str = WORKS;
    let lie = instead("grep", "#!/bin/sh\nexec grep.real -v \"$@\"\n");
    let greedy = MachineOptions { lacks_inotify: true, ..kind() };
    vec![
        row("no grep", PLAIN, lacking("grep", kind()), ["sudo grep", W, W, W, W, W]),
        row("a grep that lies", PLAIN, lie, ["sudo grep", W, W, W, W, W]),
        row("inotify used up", PLAIN, greedy, ["sudo inotify", W, W, W, W, W]),
    ]
}

/// Where logind ends what a login leaves.
fn logins() -> Vec<Row> {
    const W: &str = WORKS;
    let systemd = MachineOptions { first: FirstProcess::Systemd, ..kind() };
    let ended = ["sudo survives_login", W, W, W, W, "vanished"];
    vec![
        row("KillUserProcesses", PLAIN, systemd.clone(), ended),
        Row {
            lingers: true,
            ..row("KillUserProcesses, lingering", PLAIN, systemd, ["sudo", W, W, W, W, W])
        },
    ]
}
