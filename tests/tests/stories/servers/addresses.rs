//! Addresses: what the egress policy refuses, and what a check tells of a place.

use std::net::TcpListener;

use serde_json::json;
use tests::{ClosedPort, Installation, Person, results};

use super::{set_up, set_up_with};

#[tokio::test]
async fn without_an_allowance_this_machine_is_no_server() {
    let harness = set_up_with(&[("egress_allow", ""), ("monitor_seconds", "0")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = harness.register_server(listener.local_addr().unwrap().port(), "deploy").await;
    let checked = harness.try_check_server(&server).await;
    assert_eq!(results(&checked)[..2], ["failed", "not_tried"]);
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nobody came");
    assert!(harness.node.places()["egress"].contains("public addresses"));
    assert!(!harness.node.places()["egress"].contains("127.0.0.1"));
}

#[tokio::test]
async fn an_allowance_is_printed_at_the_start_and_a_wrong_one_refused() {
    let harness = set_up().await;
    assert!(harness.node.places()["egress"].contains("127.0.0.1/32:*"));
    let installation = Installation::with(&[("egress_allow", "anywhere")]).await;
    let refused = installation.run(&["config"]).await;
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("egress_allow"));
}

#[tokio::test]
async fn a_closed_port_and_a_silent_one_look_the_same() {
    let harness = set_up_with(&[("ssh_connect_seconds", "1"), ("monitor_seconds", "0")]).await;
    let (silent, closed) = (TcpListener::bind("127.0.0.1:0").unwrap(), ClosedPort::new());
    let mut answers = Vec::new();
    for port in [silent.local_addr().unwrap().port(), closed.address().port()] {
        let server = harness.register_server(port, "deploy").await;
        answers.push(harness.try_check_server(&server).await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(results(&answers[0])[..2], ["ok", "failed"]);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_a_pointer() {
    let harness = set_up().await;
    for host in ["", "-x.example", "2130706433", "0x7f000001", "a b"] {
        let body = json!({ "name": "web", "host": host, "user": "deploy" });
        let refused = harness.try_register_server(body).await.expect(422);
        assert_eq!(refused.field("/errors/0/pointer"), "/host", "{host}");
    }
}

#[tokio::test]
async fn checks_are_counted_by_account() {
    let harness = set_up_with(&[("checks_per_minute", "1"), ("monitor_seconds", "0")]).await;
    let server = harness.register_server(9, "deploy").await;
    harness.ada.post(&format!("{server}/check"), json!({})).await.expect(200);
    let refused = harness.ada.post(&format!("{server}/check"), json!({})).await.expect(429);
    assert!(refused.header("retry-after").is_some());
    let eve = Person::named("eve").settle(&harness.node.client(), &harness.installation).await;
    eve.post(&format!("{server}/check"), json!({})).await.expect(404);
}
