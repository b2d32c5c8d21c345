//! The log of a run: by line, by byte, and as it comes.

use serde_json::json;
use tests::{Events, RunHarness, until};

#[tokio::test]
async fn a_run_is_watched_line_by_line_to_its_end() {
    let (harness, _node) = RunHarness::new().await;
    let go = harness.sshd.home().join("go");
    let run = harness
        .start("echo one; echo two >&2; while ! [ -e ~/go ]; do sleep 0.05; done; printf 'no end'")
        .await;
    let path = harness.path(&harness.log_of(&run));
    let watch = || harness.ada.call("GET".parse().unwrap(), &path);

    let mut events = Events::open(watch()).await;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = events.next().await.unwrap();
        if event.name == "line" {
            seen.push((event.id.unwrap(), event.data["text"].as_str().unwrap().to_owned()));
        }
    }
    seen.sort_by_key(|line| line.1.clone());
    assert_eq!(seen.iter().map(|line| line.1.as_str()).collect::<Vec<_>>(), ["one\n", "two\n"]);
    std::fs::write(go, "").unwrap();
    let rest = events.rest().await;

    let end = rest.last().unwrap();
    assert_eq!((end.name.as_str(), &end.data["state"]), ("end", &json!("succeeded")));
    assert_eq!(end.data["log"]["lines"], 3);
    let last = rest.iter().rfind(|event| event.name == "line").unwrap();
    assert_eq!((last.id, &last.data["text"]), (Some(3), &json!("no end")));

    let resumed = Events::open(watch().header("Last-Event-ID", "2")).await.rest().await;
    let lines: Vec<_> = resumed.iter().filter(|event| event.name == "line").collect();
    assert_eq!((lines.len(), lines[0].id), (1, Some(3)));
    assert_eq!(resumed.last().unwrap().data, end.data);
    watch()
        .header("Accept", "text/event-stream")
        .header("Last-Event-ID", "x")
        .send()
        .await
        .expect(400);
}

#[tokio::test]
async fn a_log_is_read_by_byte_and_by_line() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("seq 1 5000; printf '\\377\\n' >&2").await;
    let shown = harness.in_state(&run, "succeeded").await;
    let numbers: Vec<String> = (1..=5000).map(|n| n.to_string()).collect();
    let whole = numbers.join("\n") + "\n";

    assert_eq!(harness.bytes(&run, "out").await, whole.as_bytes());
    let path = harness.path(&harness.log_of(&run));
    let plain = |range: &'static str| {
        let call = harness.ada.call("GET".parse().unwrap(), &format!("{path}?stream=out"));
        call.header("Accept", "text/plain").header("Range", range).send()
    };
    let part = plain("bytes=10-19").await.expect(206);
    assert_eq!(part.body, &whole.as_bytes()[10..20]);
    let length = whole.len();
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 10-19/{length}"));
    assert_eq!(plain("bytes=-5").await.expect(206).text(), "5000\n");
    plain("bytes=999999-").await.expect(416);

    let lines = harness.lines(&run).await;
    assert_eq!(lines.len(), 5001);
    assert!(lines.iter().enumerate().all(|(at, line)| line["n"] == at + 1));
    let err: Vec<_> = lines.iter().filter(|line| line["stream"] == "err").collect();
    assert_eq!((err.len(), &err[0]["base64"]), (1, &json!("/wo=")));
    let log = &shown["servers"][0]["log"];
    assert_eq!((&log["lines"], &log["out"]["bytes"]), (&json!(5001), &json!(length)));
    assert_eq!(log["truncated"], false);
}

#[tokio::test]
async fn an_account_follows_ten_logs_at_once_and_no_more() {
    let (harness, _node) = RunHarness::new().await;
    let run = harness.start("while :; do sleep 0.1; done").await;
    let path = harness.path(&harness.log_of(&run));
    let watch = || harness.ada.call("GET".parse().unwrap(), &path);
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Events::open(watch()).await);
    }

    let refused = watch().header("Accept", "text/event-stream").send().await.expect(429);

    assert_eq!(refused.field("/type"), "/problems/too-many-streams");
    drop(open);
    until("the streams are given back", async || {
        let again = watch().header("Accept", "text/event-stream").begin().await;
        (again.status().as_u16() == 200).then_some(())
    })
    .await;
    harness.post(&format!("{run}/cancel"), json!({})).await.expect(202);
    harness.in_state(&run, "cancelled").await;
}
