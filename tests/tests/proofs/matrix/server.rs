//! One server of the matrix, and what is seen of runs on it: from Lethe, and from its host.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::{Machine, MachineUser};
use tests::{Answer, LIMIT, RunHarness, register_machine, sshd, until, until_within};

use super::rows::Row;

pub struct MatrixServer {
    pub row: Row,
    pub machine: Machine,
    id: String,
}

impl MatrixServer {
    /// `None` where such tests are left out.
    pub async fn new(harness: &RunHarness, row: Row) -> Option<Self> {
        let machine = tokio::task::block_in_place(|| Machine::start(&row.options))?;
        if row.lingers {
            tokio::task::block_in_place(|| linger(&machine, row.user));
        }
        let (ada, workspace) = (&harness.ada, &harness.workspace);
        let id = register_machine(ada, workspace, &machine, row.user).await;
        Some(Self { row, machine, id })
    }

    pub async fn check(&self, harness: &RunHarness) -> Value {
        let path = harness.path(&format!("servers/{}/check", self.id));
        until("there was time to look", async || {
            let checked = harness.ada.post(&path, json!({})).await.expect(200).json();
            if checked["preflight"].is_array() { Ok(checked) } else { Err(checked) }
        })
        .await
    }

    /// Answers the path of the run after the workspace's.
    pub async fn request(&self, harness: &RunHarness, command: &str, limit: Duration) -> String {
        let body = json!({
            "command": command,
            "server_ids": [self.id],
            "timeout_seconds": limit.as_secs(),
        });
        harness.request(body).await
    }

    /// The run, once it has ended. `None` where that takes too long.
    pub async fn ended(&self, harness: &RunHarness, run: &str) -> Option<Value> {
        let ended = until_within(2 * LIMIT, "the run has ended", async || {
            let shown = harness.run(run).await;
            shown.filter(|shown| shown["servers"][0]["ending"].is_object())
        });
        tokio::time::timeout(LIMIT, ended).await.ok()
    }

    async fn has_ended(&self, harness: &RunHarness, run: &str) -> bool {
        let shown = harness.run(run).await;
        shown.is_some_and(|shown| shown["servers"][0]["ending"].is_object())
    }

    /// Waits until so many processes are this command; `false`: the run has ended before.
    pub async fn lives(
        &self,
        harness: &RunHarness,
        run: &str,
        command: &str,
        count: usize,
    ) -> bool {
        until(&format!("{command} on {}", self.row.name), async || {
            let processes = self.machine.ps().unwrap();
            if processes.iter().filter(|process| process.command == command).count() == count {
                return Ok(true);
            }
            if self.has_ended(harness, run).await { Ok(false) } else { Err(processes) }
        })
        .await
    }

    async fn log(&self, harness: &RunHarness, run: &str, query: &str, kind: &str) -> Answer {
        let path = harness.path(&format!("{run}/servers/{}/log?{query}", self.id));
        harness.ada.call("GET".parse().unwrap(), &path).header("Accept", kind).send().await
    }

    /// What is kept of one output.
    pub async fn bytes(&self, harness: &RunHarness, run: &str, stream: &str) -> Vec<u8> {
        let read = self.log(harness, run, &format!("stream={stream}"), "text/plain").await;
        read.expect(200).body
    }

    /// How many lines are stored, up to 2,000.
    pub async fn count_lines(&self, harness: &RunHarness, run: &str) -> usize {
        let read = self.log(harness, run, "after=0&limit=2000", "application/x-ndjson").await;
        if read.status == 200 { read.text().lines().count() } else { 0 }
    }

    /// Waits until a line with this number is stored; `false`: the run has ended.
    pub async fn has_line(&self, harness: &RunHarness, run: &str, number: usize) -> bool {
        let query = format!("after={}&limit=1", number - 1);
        until(&format!("line {number} on {}", self.row.name), async || {
            let read = self.log(harness, run, &query, "application/x-ndjson").await;
            if read.status == 200 && !read.body.is_empty() {
                return Ok(true);
            }
            if self.has_ended(harness, run).await { Ok(false) } else { Err(read.text()) }
        })
        .await
    }

    /// What lives of a run of which Lethe says that nothing does.
    pub async fn lies(&self, harness: &RunHarness, run: &str, command: &str) -> Vec<String> {
        let shown = harness.run(run).await.unwrap();
        let state = shown["state"].as_str().unwrap();
        if !["cancelled", "timed_out"].contains(&state) {
            return vec![];
        }
        let run_id = run.rsplit('/').next().unwrap();
        let attempt = &shown["servers"][0]["attempt"];
        let mut living =
            sshd::processes(&format!("LETHE_RUN={run_id}-{attempt}-{}", self.id)).unwrap();
        let all = self.machine.ps().unwrap();
        living.extend(all.into_iter().filter(|process| process.command.contains(command)));
        let name = self.row.name;
        let lies = living.into_iter().map(|process| {
            format!("{name}: {run} is {state}, and {} lives: {}", process.pid, process.command)
        });
        lies.collect()
    }
}

/// As `loginctl enable-linger`, which takes effect with a boot.
fn linger(machine: &Machine, user: MachineUser) {
    let folder = machine.path("var/lib/systemd/linger");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(user.name()), "").unwrap();
    machine.reboot().unwrap();
}
