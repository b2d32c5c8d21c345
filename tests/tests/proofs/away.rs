//! Lethe is away for a week: what runs meanwhile ends in its time, is read whole, and nothing that is wanted is deleted.
//! Nobody moves a server's clock: what Lethe and the server have noted is set back. With `LETHE_LONG=1` there are five
//! runs of a kind, and 100,000 lines of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tests::{LIMIT, RunHarness, until};

const AWAY: &str = include_str!("away.sql");
const SECRET: &str = "correct-horse-battery-staple";
/// What is stored before nobody is there any more.
const FIRST_LINES: usize = 5;
/// Longer than it takes to start all of them.
const TIMEOUT_SECONDS: u32 = 20;

#[derive(Clone, Copy, Debug)]
enum RunKind {
    Ends,
    /// By itself, in the way in which a time-out ends it.
    IsKilled,
    /// It says the rest when it is to end.
    TakesTooLong,
}

/// The last one's time begins last.
const KINDS: [RunKind; 3] = [RunKind::Ends, RunKind::IsKilled, RunKind::TakesTooLong];

struct StartedRun {
    kind: RunKind,
    /// After the workspace's.
    path: String,
}

fn print(from: usize, to: usize) -> String {
    format!(
        "awk 'BEGIN {{ for (n = {from}; n <= {to}; n++) print \"line\", n, ENVIRON[\"TOKEN\"] }}'"
    )
}

impl RunKind {
    fn command(self, lines: usize) -> String {
        let (first, rest) = (print(1, FIRST_LINES), print(FIRST_LINES + 1, lines));
        let rest = format!("{rest}; echo over >&2");
        let waits = "until [ -e ~/go ]; do sleep 0.05; done";
        match self {
            Self::Ends => format!("{first}; {waits}; {rest}"),
            Self::IsKilled => format!("{first}; {waits}; {rest}; kill -9 $$"),
            Self::TakesTooLong => {
                format!("rest() {{ {rest}; exit; }}; trap rest TERM; {first}; sleep 4300 & wait")
            }
        }
    }

    fn ending(self) -> Value {
        match self {
            Self::Ends => json!({ "kind": "succeeded" }),
            Self::IsKilled => {
                json!({ "kind": "failed", "failure": { "kind": "signal", "number": 9 } })
            }
            Self::TakesTooLong => json!({ "kind": "timed_out", "proven": true }),
        }
    }

    const fn timeout_seconds(self) -> u32 {
        match self {
            Self::Ends | Self::IsKilled => 3600,
            Self::TakesTooLong => TIMEOUT_SECONDS,
        }
    }

    /// The last word of the note of the end.
    const fn stopped(self) -> &'static str {
        match self {
            Self::Ends | Self::IsKilled => " -\n",
            Self::TakesTooLong => " timeout\n",
        }
    }
}

async fn start(harness: &RunHarness, kind: RunKind, lines: usize) -> StartedRun {
    let body = json!({
        "command": kind.command(lines),
        "server_ids": [harness.server],
        "secrets": { "TOKEN": SECRET },
        "timeout_seconds": kind.timeout_seconds(),
    });
    StartedRun { kind, path: harness.request(body).await }
}

fn folder_of(harness: &RunHarness, path: &str) -> PathBuf {
    let id = path.rsplit('/').next().unwrap();
    harness.sshd.home().join(".lethe/runs").join(format!("{id}-1-{}", harness.server))
}

/// As if everything there had been written then.
fn touch(folder: &Path, then: &str) {
    let mut find = Command::new("find");
    let touched = find.arg(folder).args(["-exec", "touch", "-d", then, "{}", "+"]).status();
    assert!(touched.unwrap().success());
}

async fn note(harness: &RunHarness) -> PathBuf {
    let run = harness.start("true").await;
    harness.in_state(&run, "succeeded").await;
    let folder = folder_of(harness, &run);
    until("only a note is left of it", async || folder.join("gone").exists()).await;
    folder
}

async fn secrets(harness: &RunHarness) -> usize {
    let count = "select count(*) from working.run_secrets";
    let log = harness.installation.log().await;
    usize::try_from(log.query_one(count, &[]).await.unwrap().get::<_, i64>(0)).unwrap()
}

/// What runs ends while no node is there, and that was a week ago. What is in `old` is older by another one.
async fn leave(harness: &RunHarness, runs: &[StartedRun], old: &Path) {
    fs::write(harness.sshd.home().join("go"), "").unwrap();
    for run in runs {
        let file = folder_of(harness, &run.path).join("exit");
        until("its server has noted its end", async || {
            let noted = fs::read_to_string(&file).unwrap_or_default();
            if noted.ends_with(run.kind.stopped()) { Ok(()) } else { Err(noted) }
        })
        .await;
    }
    until("nothing of them runs", async || {
        let processes = harness.sshd.processes().unwrap();
        processes.iter().all(|process| !process.command.contains("sleep 4300"))
    })
    .await;
    touch(&harness.sshd.home().join(".lethe"), "7 days ago");
    touch(old, "15 days ago");
    harness.installation.log().await.batch_execute(AWAY).await.unwrap();
}

async fn check(harness: &RunHarness, run: &StartedRun, lines: usize) {
    let shown = harness.ended(&run.path, LIMIT).await;
    let on = &shown["servers"][0];
    assert_eq!(on["ending"], run.kind.ending(), "{shown}");
    let log = &on["log"];
    assert_eq!((&log["truncated"], &log["lines"]), (&json!(false), &json!(lines + 1)), "{shown}");
    let out: Vec<_> = (1..=lines).map(|line| format!("line {line} ***\n")).collect();
    let stored = harness.bytes(&run.path, "out").await;
    assert!(stored == out.concat().as_bytes(), "{:?}: other lines", run.kind);
    assert_eq!(harness.bytes(&run.path, "err").await, b"over\n");
}

#[tokio::test]
async fn what_runs_while_nobody_is_there_for_a_week_ends_in_its_time_and_is_read_whole() {
    let _alone = tests::alone().await;
    let (each, lines) = if tests::long() { (5, 100_000) } else { (1, 300) };
    let settings =
        [("monitor_seconds", "1"), ("watch_fresh_seconds", "1"), ("runs_per_server", "20")];
    let (mut harness, node) = RunHarness::with(&settings).await;
    let (young, old) = (note(&harness).await, note(&harness).await);
    let mut runs = Vec::new();
    for kind in KINDS {
        for _ in 0..each {
            runs.push(start(&harness, kind, lines).await);
        }
    }
    for run in &runs {
        until("its first lines are stored", async || {
            let page = harness.get(&harness.log_of(&run.path)).await;
            page.status == 200 && page.text().lines().count() == FIRST_LINES
        })
        .await;
    }

    node.kill();
    leave(&harness, &runs, &old).await;

    // It does not answer at first: that is no silence of a week.
    harness.sshd.stop().unwrap();
    let node = harness.installation.node().await;
    harness.ada = harness.ada.at(node.api());
    let log = harness.installation.log().await;
    let claimed = "select count(*) from working.run_tasks where fence > 1";
    until("all are claimed again", async || {
        let claimed: i64 = log.query_one(claimed, &[]).await.unwrap().get(0);
        usize::try_from(claimed).unwrap() == runs.len()
    })
    .await;
    until("secrets that nobody wants are deleted", async || {
        let left = secrets(&harness).await;
        if left == runs.len() { Ok(()) } else { Err(left) }
    })
    .await;
    for run in &runs {
        assert_eq!(harness.run(&run.path).await.unwrap()["state"], "running");
    }
    harness.sshd.restart().unwrap();

    for run in &runs {
        check(&harness, run, lines).await;
    }
    assert!(harness.installation.events("run.lost").await.is_empty());
    assert_eq!(harness.installation.events("run.started").await.len(), runs.len() + 2);
    until("their secrets are deleted", async || secrets(&harness).await == 0).await;
    for run in &runs {
        let folder = folder_of(&harness, &run.path);
        until("only a note is left of it", async || {
            folder.join("gone").exists() && !folder.join("out").exists()
        })
        .await;
    }
    until("what is older than two weeks is swept", async || !old.exists()).await;
    assert!(young.join("gone").exists(), "a start that comes late is still refused");
}
