//! A run on two servers: each has its own log, its own state and its own end.

use serde_json::json;
use tests::{Events, RunHarness, Sshd};

#[tokio::test]
async fn each_server_of_a_run_has_its_own_log_and_its_own_end() {
    let (harness, _node) = RunHarness::new().await;
    let second = Sshd::start().unwrap();
    let other = harness.register(&second, second.port()).await;
    let servers =
        [(&harness.server, &harness.sshd, "0", "succeeded"), (&other, &second, "3", "failed")];
    for (_, sshd, code, _) in servers {
        std::fs::write(sshd.home().join("code"), code).unwrap();
    }
    let command = "cat ~/code; exit $(cat ~/code)";
    let run = harness.request(json!({ "command": command, "server_ids": [harness.server, other] }));
    let run = run.await;

    for (server, _, code, state) in servers {
        let path = harness.path(&format!("{run}/servers/{server}/log"));
        let watch = harness.ada.call("GET".parse().unwrap(), &path);
        let events = Events::open(watch).await.rest().await;
        let end = events.last().unwrap();
        assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!(state)), "{server}");
        let lines: Vec<_> = events.iter().filter(|event| event.name == "line").collect();
        assert_eq!(lines.len(), 1, "{server}");
        assert_eq!(lines[0].data["text"], code, "{server}");
        let read = harness.ada.get(&path).await.expect(200);
        assert_eq!(read.header("lethe-run-state"), Some(state), "{server}");
    }
}

#[tokio::test]
async fn a_server_that_a_run_is_not_for_is_not_there_whatever_else_is_wrong() {
    let (harness, _node) = RunHarness::new().await;
    let other = harness.register(&harness.sshd, harness.sshd.port()).await;
    let run = harness.start("true").await;

    for (server, with, without) in [(&harness.server, 400, 200), (&other, 404, 404)] {
        let path = format!("{run}/servers/{server}/log");
        harness.get(&path).await.expect(without);
        harness.get(&format!("{path}?limit=all")).await.expect(with);
    }
}
