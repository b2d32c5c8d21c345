//! Cancelled, a run leaves no process on its server, whatever it does against it.

use serde_json::json;
use tests::{RunHarness, until};

/// Each sleeps for a time of its own, by which `ps` tells it.
const COMMANDS: [(&str, bool); 5] = [
    ("sleep 4001 & sh -c 'sleep 4001 & sleep 4001' & wait", false),
    ("trap '' TERM; sleep 4002 & while :; do sleep 4002; done", true),
    ("exec sleep 4003", false),
    ("setsid sleep 4004 & nohup sleep 4004 >/dev/null 2>&1 & sleep 4004", false),
    ("(trap '' TERM HUP INT; while :; do sleep 4005; done) & wait", true),
];

fn ps(harness: &RunHarness, mark: &str) -> Vec<String> {
    let processes = harness.sshd.processes().unwrap();
    let of_run = processes.into_iter().map(|process| process.command);
    of_run.filter(|command| command.contains(mark)).collect()
}

#[tokio::test]
async fn ps_shows_nothing_of_a_cancelled_run() {
    let (harness, _node) = RunHarness::with(&[("runs_per_server", "5")]).await;
    let mut runs = Vec::new();
    for (number, (command, forced)) in (4001..).zip(COMMANDS) {
        let mark = format!("sleep {number}");
        let run = harness.start(command).await;
        until(&format!("{mark} is there"), async || {
            ps(&harness, &mark).contains(&mark).then_some(())
        })
        .await;
        runs.push((run, mark, forced));
    }

    for (run, ..) in &runs {
        harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    }

    for (run, mark, forced) in &runs {
        let shown = harness.in_state(run, "cancelled").await;
        assert_eq!(ps(&harness, mark), Vec::<String>::new(), "{mark}");
        let ending = &shown["servers"][0]["ending"];
        let proven = json!({ "kind": "cancelled", "forced": forced, "proven": true });
        assert_eq!(ending, &proven, "{mark}");
    }
    let kept = harness.sshd.home().join(".lethe/runs");
    let is_removed =
        |folder: std::path::PathBuf| folder.join("gone").exists() && !folder.join("out").exists();
    until("only a note is kept of it", async || {
        let mut folders = std::fs::read_dir(&kept).unwrap();
        folders.all(|folder| is_removed(folder.unwrap().path())).then_some(())
    })
    .await;
    until("nothing is left", async || harness.sshd.processes().unwrap().is_empty().then_some(()))
        .await;
}
