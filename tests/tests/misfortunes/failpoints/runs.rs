//! Kills while runs are asked for, started, followed, cancelled and ended, on a real sshd.

use std::fs;
use std::time::Duration;

use chrono::TimeDelta;
use infra::clock::Clock;
use serde_json::json;
use tests::{Client, Installation, Person, RunHarness, TestServer, register_server, until};

use super::checks::projections_equal_their_replay;
use super::crash::{Kill, Report};
use super::load::{Load, Work};
use super::requests::Request;
use super::unproven;

const LIMIT: Duration = Duration::from_mins(2);
const LINES: [&str; 3] = ["one\n", "two\n", "three\n"];

/// Reached by a run that ends by itself.
pub const RUNNING: [&str; 11] = [
    "run.requested",
    "run.claimed",
    "run.dispatched",
    "run.launching",
    "run.launched",
    "run.started",
    "run.log_stored",
    "run.log_stored:2",
    "run.sealed",
    "run.ended",
    "run.cleaned",
];
/// Of these, where others run commands, too: whoever comes first is cut short.
const RUNNING_UNDER_RUNS: [&str; 4] =
    ["run.claimed", "run.launched", "run.log_stored", "run.ended"];
/// The names of the callers of the load, and of the files that their commands write, begin so.
const LOAD: &str = "runs";
/// Reached by a run that is cancelled.
pub const CANCELLING: [&str; 2] = ["cancel.requested", "cancel.killed"];

pub async fn crash() -> Report {
    let mut report = Report::default();
    let settings = [
        ("egress_allow", "127.0.0.1/32:*"),
        ("seat_lease_seconds", "3600"),
        ("monitor_seconds", "0"),
    ];
    let installation = Installation::with(&settings).await.with_failpoints();
    let (mut harness, mut node) = RunHarness::on(installation).await;
    // Nobody of the load runs a command: it is Ada's that the kill hits.
    let works = [Work::CreateWorkspace, Work::Register];
    let others = Load::new(&harness.installation, &node.client(), "others", &works).await;
    report.load = Some(others);
    for failpoint in RUNNING {
        node = run(&mut report, &mut harness, node, (failpoint, failpoint)).await;
    }

    report.load = Some(load(&harness, &node).await);
    for failpoint in RUNNING_UNDER_RUNS {
        let mark = format!("{failpoint}.under-runs");
        node = run(&mut report, &mut harness, node, (failpoint, &mark)).await;
    }
    for failpoint in CANCELLING {
        node = cancel(&mut report, &mut harness, node, failpoint).await;
    }
    node = time_out(&mut report, &mut harness, node).await;

    node = issue_token(&mut report, &harness, node).await;
    for failpoint in ["server_key.stored", "server_key.attached"] {
        node = replace_key(&mut report, &harness, node, failpoint).await;
    }
    report.check_load();

    // Each of these waits for a state of one task: nobody else is at work.
    report.load = None;
    node = unproven::forbid(&mut report, &mut harness, node).await;
    node = unproven::leave(&mut report, &mut harness, node).await;

    projections_equal_their_replay(&harness.installation).await;
    assert!(node.stop().await.success());
    report
}

/// Leaves a mark on the server each time that it starts.
fn marked(mark: &str, command: &str) -> String {
    format!("echo started >> ~/{mark}; {command}")
}

/// Neither the command of the run nor one of the load was started twice.
fn was_started_once(harness: &RunHarness, mark: &str) {
    assert!(harness.sshd.home().join(mark).exists(), "{mark}: nothing was started");
    for file in fs::read_dir(harness.sshd.home()).unwrap().map(|file| file.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if name == mark || name.starts_with(LOAD) {
            let marks = fs::read_to_string(file).unwrap();
            assert_eq!(marks, "started\n", "{mark}: {name} was started twice");
        }
    }
}

/// Callers who run commands on the same sshd, from workspaces of their own.
async fn load(harness: &RunHarness, node: &TestServer) -> Load {
    let works = [Work::Run, Work::CreateWorkspace];
    let mut load = Load::new(&harness.installation, &node.client(), LOAD, &works).await;
    for caller in &mut load.callers {
        let seats = format!("{}/seat-leases", caller.workspace);
        caller.client.post_once(&seats, json!({})).await.expect(201);
        let (sshd, port) = (&harness.sshd, harness.sshd.port());
        caller.server = Some(register_server(&caller.client, &caller.workspace, sshd, port).await);
    }
    load
}

async fn run(
    report: &mut Report,
    harness: &mut RunHarness,
    node: TestServer,
    (failpoint, mark): (&str, &str),
) -> TestServer {
    let command = marked(mark, "for line in one two three; do echo $line; sleep 0.1; done");
    let body = json!({ "command": command, "server_ids": [harness.server] });
    let request = Request::post(&harness.ada, &harness.path("runs"), body);
    let requests = vec![request.moving().appends("run.requested")];
    let events = &[
        ("run.requested", 1),
        ("run.started", 1),
        ("run.succeeded", 1),
        ("run.failed", 0),
        ("run.lost", 0),
        ("run.log_sealed", 1),
    ];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, answers) = report.kill(&harness.installation, node, kill).await;
    harness.ada = harness.ada.at(node.api());
    let run = format!("runs/{}", answers[0].field("/run_id"));
    let shown = harness.ended(&run, LIMIT).await;
    assert_eq!(shown["state"], "succeeded", "{failpoint}: {shown}");
    was_started_once(harness, mark);
    let lines = harness.lines(&run).await;
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, LINES, "{failpoint}");
    node
}

async fn cancel(
    report: &mut Report,
    harness: &mut RunHarness,
    node: TestServer,
    failpoint: &str,
) -> TestServer {
    let installation = &harness.installation;
    let started = installation.events("run.started").await.len();
    let run = harness.start(&marked(failpoint, "echo one; sleep 300")).await;
    until("it is started", async || installation.events("run.started").await.len() > started).await;
    let path = harness.path(&format!("{run}/cancel"));
    let request = Request::post(&harness.ada, &path, json!({})).or(&[202]);
    let requests = vec![request.moving().appends("run.cancel_requested")];
    let events = &[("run.cancel_requested", 1), ("run.cancelled", 1), ("run.started", 0)];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, _) = report.kill(&harness.installation, node, kill).await;
    harness.ada = harness.ada.at(node.api());
    let shown = harness.ended(&run, LIMIT).await;
    assert_eq!(shown["state"], "cancelled", "{failpoint}: {shown}");
    was_started_once(harness, failpoint);
    let left = harness.sshd.processes().unwrap();
    let left = left.iter().filter(|process| process.command.contains("sleep 300"));
    assert_eq!(left.count(), 0, "{failpoint}: the command still runs");
    node
}

/// The command is killed since its time is over, and then the node dies: the next one knows why it ended.
async fn time_out(report: &mut Report, harness: &mut RunHarness, node: TestServer) -> TestServer {
    let name = "timed.out";
    let command = marked(name, "echo one; sleep 300");
    let body = json!({ "command": command, "server_ids": [harness.server], "timeout_seconds": 1 });
    let request = Request::post(&harness.ada, &harness.path("runs"), body);
    let requests = vec![request.moving().appends("run.requested")];
    let events = &[("run.started", 1), ("run.timed_out", 1), ("run.failed", 0)];
    let kill = Kill { failpoint: "cancel.killed", requests, settings: &[], events };
    let (node, answers) = report.kill(&harness.installation, node, kill).await;
    harness.ada = harness.ada.at(node.api());
    let run = format!("runs/{}", answers[0].field("/run_id"));
    let shown = harness.ended(&run, LIMIT).await;
    assert_eq!(shown["state"], "timed_out", "{shown}");
    was_started_once(harness, name);
    node
}

/// Whoever asks again gets a token that works, wherever the node was killed.
async fn issue_token(
    report: &mut Report,
    harness: &RunHarness,
    mut node: TestServer,
) -> TestServer {
    for failpoint in ["api_token.stored", "api_token.issued"] {
        let expires_at = Clock::system().now() + TimeDelta::days(30);
        // The session is older than ten minutes where a machine is slow.
        let password = Person::named("ada").password;
        let body = json!({ "name": "deploys", "scopes": ["runs:read"], "expires_at": expires_at,
            "password": password });
        let request = Request::post(&harness.ada, &harness.path("api-tokens"), body);
        let requests = vec![request.appends("workspace.api_token_issued")];
        let events = &[("workspace.api_token_issued", 1)];
        let kill = Kill { failpoint, requests, settings: &[], events };
        let answers;
        (node, answers) = report.kill(&harness.installation, node, kill).await;
        let bearer = node.client().bearing(&answers[0].field("/token"));
        bearer.get(&harness.path("runs")).await.expect(200);
        let token = harness.path(&format!("api-tokens/{}", answers[0].field("/token_id")));
        node = rotate_token(report, harness, node, (&token, &bearer)).await;
        harness.ada.at(node.api()).delete(&token).await.expect(204);
        bearer.at(node.api()).get(&harness.path("runs")).await.expect(401);
    }
    node
}

/// The former secret works on, and whoever asks again gets a new one that works.
async fn rotate_token(
    report: &mut Report,
    harness: &RunHarness,
    mut node: TestServer,
    (token, former): (&str, &Client),
) -> TestServer {
    for (failpoint, minutes) in [("api_token.secret_stored", 60), ("api_token.rotated", 0)] {
        let password = Person::named("ada").password;
        let body = json!({ "overlap_minutes": minutes, "password": password });
        let request = Request::post(&harness.ada, &format!("{token}/rotate"), body).or(&[200]);
        let requests = vec![request.appends("workspace.api_token_rotated")];
        let events = &[("workspace.api_token_rotated", 1)];
        let kill = Kill { failpoint, requests, settings: &[], events };
        let answers;
        (node, answers) = report.kill(&harness.installation, node, kill).await;
        let bearer = node.client().bearing(&answers[0].field("/token"));
        bearer.get(&harness.path("runs")).await.expect(200);
        let status = if minutes > 0 { 200 } else { 401 };
        former.at(node.api()).get(&harness.path("runs")).await.expect(status);
    }
    node
}

async fn replace_key(
    report: &mut Report,
    harness: &RunHarness,
    node: TestServer,
    failpoint: &str,
) -> TestServer {
    let path = harness.path(&format!("servers/{}/credential", harness.server));
    let request = Request::put(&harness.ada, &path, json!({ "generate": true })).or(&[200]);
    let requests = vec![request.appends("server.credential_rotated")];
    let events = &[("server.credential_rotated", 1), ("server.credential_attached", 0)];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, answers) = report.kill(&harness.installation, node, kill).await;
    harness.sshd.authorize(&answers[0].field("/public_line")).unwrap();
    let check = harness.path(&format!("servers/{}/check", harness.server));
    harness.ada.at(node.api()).post(&check, json!({})).await.expect(200);
    node
}
