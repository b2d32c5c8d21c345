//! What `lethe doctor` says of clocks that have jumped together, as those of one machine do.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tests::Installation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::command_line::printed;

/// As a node appends whose clock is three days ahead.
const APPEND: &str = "
    insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id, event_type,
      schema_version, data, subjects, recorded_at)
    select coalesce(max(position), 0) + 1, gen_random_uuid(), 'operator', gen_random_uuid(), 1, gen_random_uuid(),
      'operator.token_revoked', 1, '{}', '{}', now() + interval '3 days'
    from event_log.events";

#[tokio::test]
async fn the_doctor_says_when_the_newest_event_is_of_the_future() {
    let installation = Installation::new().await;
    assert!(installation.run(&["migrate"]).await.status.success());
    let said = async || printed(&installation.run(&["doctor"]).await).1;
    let before = said().await;
    let agree = "ok     the clocks of this machine and of the database agree";
    assert!(before.contains(agree) && !before.contains("the newest event"), "{before}");

    installation.log().await.execute(APPEND, &[]).await.unwrap();

    let after = said().await;
    // The three days are nearly over.
    assert!(after.contains("WRONG  the newest event is of a time 25"), "{after}");
    assert!(after.contains(agree), "the clocks themselves show nothing: {after}");
}

/// Answers one request as a node does that says this.
async fn node_that_says(readiness: Value) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /readyz "));
        let body = readiness.to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    at
}

#[tokio::test]
async fn the_doctor_says_what_the_node_that_runs_says_of_its_clock() {
    let installation = Installation::new().await;
    let lethe = installation.node().await;
    let said = async |at: &str| {
        printed(&installation.run_with(&["doctor"], &[("metrics_listen", at)]).await).1
    };

    let at = lethe.metrics().trim_start_matches("http://").trim_end_matches("/metrics");
    let well = said(at).await;
    assert!(well.contains(&format!("ok     the node at {at} believes the clocks")), "{well}");

    let mut readiness = lethe.readiness().await;
    let jumped = "the clock of this machine is 259200 s ahead of the time that is used";
    readiness["clock"] = json!(jumped);
    let at = node_that_says(readiness).await.to_string();
    let wrong = said(&at).await;
    assert!(wrong.contains(&format!("WRONG  the node at {at}: {jumped}")), "{wrong}");

    assert!(lethe.stop().await.success());
    let away = said(&at).await;
    assert!(away.contains(&format!("note   no node at {at}")), "{away}");
}
