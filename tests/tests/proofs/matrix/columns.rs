//! What is done on each server, and what a cell says of it.

use std::fmt;
use std::time::Duration;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use test_support::{Machine, MachineUser};
use tests::RunHarness;

use super::rows::WORKS;
use super::server::MatrixServer;

const HOUR: Duration = Duration::from_hours(1);
/// Long enough for all of a command to be there.
const SHORT: Duration = Duration::from_secs(8);
const CANCELLED: &str = "sleep 4101";
const TIMED_OUT: &str = "sleep 4102";
/// Of each of which `leaving` makes three.
const SLEEPS: usize = 3;
/// The login shell runs it, also as a last line without an end.
const NAMES: &str = "id -un; exit 7";
/// Not the login shell.
const PRINTS: &str = "#!/bin/sh\nseq 1 20000\nseq 1 5000 >&2\necho again >/dev/stderr\n";
/// It ends once there is a file.
const GO: &str = "/mnt/go";
const LINES_MIN: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Works,
    /// What Lethe says is the cause.
    Names(String),
    /// Neither: what was seen.
    Wrong(String),
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => f.write_str(WORKS),
            Self::Names(cause) => f.write_str(cause),
            Self::Wrong(seen) => write!(f, "wrong: {seen}"),
        }
    }
}

/// A run that was ended.
pub struct Stopped {
    pub cell: Cell,
    pub run: String,
    /// Each of its processes that are to be seen.
    pub command: &'static str,
    /// As soon as it was said to have ended.
    pub lies: Vec<String>,
}

/// What an ended run says of itself.
fn cell(shown: &Value, is_wanted: impl Fn(&Value) -> bool) -> Cell {
    let on = &shown["servers"][0];
    let ending = &on["ending"];
    let causes = [&ending["failure"]["obstacle"], &ending["why"], &on["left"]["why"]];
    if let Some(cause) = causes.into_iter().find_map(Value::as_str) {
        return Cell::Names(cause.to_owned());
    }
    if is_wanted(ending) {
        Cell::Works
    } else {
        Cell::Wrong(format!("{} {ending}", shown["state"]))
    }
}

fn never() -> Cell {
    Cell::Wrong("it has not ended".to_owned())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

fn numbers(count: usize) -> Vec<u8> {
    (1..=count).flat_map(|number| format!("{number}\n").into_bytes()).collect()
}

/// Whether runs are said to start, and whether everything is as it should be.
pub fn check(checked: &Value) -> (bool, Cell) {
    let facts = checked["preflight"].as_array().unwrap();
    let wrong: Vec<&Value> = facts.iter().filter(|fact| fact["ok"] == false).collect();
    let is_blocked = wrong.iter().any(|fact| fact["needed"] == true);
    let is_fit = checked["ok"] == true;
    if is_fit == is_blocked || wrong.iter().any(|fact| !fact["cure"].is_string()) {
        return (is_fit, Cell::Wrong(checked.to_string()));
    }
    let names = wrong.iter().filter_map(|fact| fact["fact"].as_str());
    // As busybox was built: there are some whose grep reads an environment to its end.
    let of_busybox = wrong.iter().any(|fact| fact["fact"] == "exact_signals");
    let names: Vec<&str> = names.filter(|name| !of_busybox || *name != "grep").collect();
    (is_fit, if names.is_empty() { Cell::Works } else { Cell::Names(names.join(" ")) })
}

pub async fn run(server: &MatrixServer, harness: &RunHarness) -> Cell {
    let run = server.request(harness, NAMES, HOUR).await;
    let Some(shown) = server.ended(harness, &run).await else { return never() };
    let wanted = json!({ "kind": "failed", "failure": { "kind": "exit", "code": 7 } });
    let seen = cell(&shown, |ending| *ending == wanted);
    if seen != Cell::Works {
        return seen;
    }
    let out = String::from_utf8_lossy(&server.bytes(harness, &run, "out").await).into_owned();
    if out == format!("{}\n", server.row.user.name()) { seen } else { Cell::Wrong(out) }
}

pub async fn log(server: &MatrixServer, harness: &RunHarness) -> Cell {
    let run = server.request(harness, PRINTS, HOUR).await;
    let Some(shown) = server.ended(harness, &run).await else { return never() };
    let seen = cell(&shown, |ending| ending["kind"] == "succeeded");
    if seen != Cell::Works {
        return seen;
    }
    let printed =
        [("out", numbers(20_000)), ("err", [numbers(5_000), b"again\n".to_vec()].concat())];
    let log = &shown["servers"][0]["log"];
    for (stream, expected) in printed {
        let expected = sha256(&expected);
        let kept = sha256(&server.bytes(harness, &run, stream).await);
        if log["truncated"] != false || log[stream]["sha256"] != expected || kept != expected {
            return Cell::Wrong(format!("{stream}: {kept} for {expected}, {log}"));
        }
    }
    seen
}

/// Three processes: one in a session of its own, one that has lost its parent, too, and their environment is empty; as
/// another user where that may be.
fn leaving(user: MachineUser, sleep: &str) -> String {
    let rising = match user {
        MachineUser::Root | MachineUser::Plain => String::new(),
        MachineUser::Sudo => "sudo -n ".to_owned(),
        MachineUser::SudoWithPassword => {
            format!("echo {} | sudo -S -p \"\" ", MachineUser::PASSWORD)
        }
    };
    // It means the same to each login shell.
    format!("sh -c '{rising}env -i setsid {sleep} & ({rising}env -i setsid {sleep} &); {sleep}'")
}

pub async fn cancel(server: &MatrixServer, harness: &RunHarness) -> Stopped {
    let run = server.request(harness, &leaving(server.row.user, CANCELLED), HOUR).await;
    if server.lives(harness, &run, CANCELLED, SLEEPS).await {
        harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    }
    stopped(server, harness, run, "cancelled", CANCELLED).await
}

/// Runs what leaves the command behind.
pub async fn leave(server: &MatrixServer, harness: &RunHarness, command: &str) {
    let leaves = format!("sh -c 'setsid {command} >/dev/null 2>&1 &'");
    let run = server.request(harness, &leaves, HOUR).await;
    let shown = server.ended(harness, &run).await.unwrap();
    assert_eq!(shown["state"], "succeeded", "{shown}");
}

pub async fn time_out(server: &MatrixServer, harness: &RunHarness) -> Stopped {
    let run = server.request(harness, &leaving(server.row.user, TIMED_OUT), SHORT).await;
    stopped(server, harness, run, "timed_out", TIMED_OUT).await
}

async fn stopped(
    server: &MatrixServer,
    harness: &RunHarness,
    run: String,
    wanted: &str,
    command: &'static str,
) -> Stopped {
    let Some(shown) = server.ended(harness, &run).await else {
        return Stopped { cell: never(), run, command, lies: vec![] };
    };
    let lies = server.lies(harness, &run, command).await;
    let is_wanted = |ending: &Value| ending["kind"] == wanted && ending["proven"] == true;
    Stopped { cell: cell(&shown, is_wanted), run, command, lies }
}

/// Starts what counts until it is let go, and waits for its first lines.
pub async fn begin_counting(server: &MatrixServer, harness: &RunHarness) -> String {
    let command = format!(
        "sh -c 'echo begun >>{}; n=0; until [ -e {GO} ]; do n=$((n + 1)); echo $n; sleep 0.05; done'",
        Machine::RECORD
    );
    let run = server.request(harness, &command, HOUR).await;
    server.has_line(harness, &run, LINES_MIN).await;
    run
}

/// Whether another node follows it on, and it has run once, and no line is missing or doubled.
pub async fn reattach(server: &MatrixServer, harness: &RunHarness, run: &str) -> Cell {
    let before = server.count_lines(harness, run).await;
    server.has_line(harness, run, before + 1).await;
    std::fs::write(server.machine.path(GO), "").unwrap();
    let Some(shown) = server.ended(harness, run).await else { return never() };
    let seen = cell(&shown, |ending| ending["kind"] == "succeeded");
    if seen != Cell::Works {
        return seen;
    }
    let log = &shown["servers"][0]["log"];
    let out = server.bytes(harness, run, "out").await;
    let lines = out.split(|byte| *byte == b'\n').count() - 1;
    let is_whole = lines > before && out == numbers(lines);
    let is_sealed = log["truncated"] == false && log["out"]["sha256"] == sha256(&out);
    let record = server.machine.record();
    if is_whole && is_sealed && record == "begun\n" {
        seen
    } else {
        Cell::Wrong(format!("{lines} lines, {before} before; begun: {record:?}; {log}"))
    }
}
