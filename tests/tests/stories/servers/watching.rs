//! Watching: samples arrive, and a server is unreachable only after several failures over time.

use std::os::unix::fs::PermissionsExt;

use chrono::TimeDelta;
use infra::clock::Clock;
use infra::log::status;
use infra::postgres::{ConnectOptions, connect};
use serde_json::{Value, json};
use tests::{BlindSshd, Harness, Proxy, Sshd, SshdOptions, StallWatch, until};

use super::{count, set_up_with, until_event};

/// A server that a loaded machine makes slow is not unreachable: to connect may take long.
pub(super) const SETTINGS: [(&str, &str); 3] =
    [("monitor_seconds", "1"), ("unreachable_seconds", "2"), ("ssh_connect_seconds", "20")];

async fn watched() -> (Harness, Sshd, String) {
    watched_with(&SETTINGS).await
}

async fn watched_with(settings: &[(&str, &str)]) -> (Harness, Sshd, String) {
    let (harness, sshd) = (set_up_with(settings).await, Sshd::start().unwrap());
    let server = harness.usable_server(&sshd).await;
    (harness, sshd, server)
}

pub(super) async fn reach(harness: &Harness, server: &str, expected: &str) -> Value {
    until(&format!("the server is {expected}"), async || {
        let shown = harness.ada.get(server).await.expect(200).json();
        (shown["reach"]["state"] == expected).then(|| shown["reach"].clone())
    })
    .await
}

/// What was measured in the last minutes, in one point or two.
async fn points(harness: &Harness, server: &str) -> Vec<Value> {
    let now = infra::clock::Clock::system().now();
    let (from, to) = (now - chrono::TimeDelta::hours(1), now + chrono::TimeDelta::hours(1));
    let moment = |at: chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let path = format!("{server}/metrics?from={}&to={}&step=7200", moment(from), moment(to));
    let shown = harness.ada.get(&path).await.expect(200).json();
    shown["items"].as_array().unwrap().clone()
}

async fn samples(harness: &Harness, server: &str) -> i64 {
    let points = points(harness, server).await;
    points.iter().map(|point| point["samples"].as_i64().unwrap()).sum()
}

/// Waits for so many more samples.
pub(super) async fn more_samples(harness: &Harness, server: &str, more: i64) {
    let before = samples(harness, server).await;
    until("more samples", async || {
        let now = samples(harness, server).await;
        if now >= before + more { Ok(()) } else { Err((before, now)) }
    })
    .await;
}

/// Waits until the watch knows of the last change of the server: it begins anew with each.
pub(super) async fn watch_is_settled(harness: &Harness, server: &str) {
    let url = harness.installation.log_url();
    let pool = connect(&url, &ConnectOptions::default()).await.unwrap();
    until("the worker has read everything", async || {
        let readers = status(&pool).await.unwrap();
        let worker = readers.iter().find(|reader| reader.name == "server_monitor").unwrap();
        if worker.lag_events == 0 { Ok(()) } else { Err(worker.lag_events) }
    })
    .await;
    more_samples(harness, server, 3).await;
}

#[tokio::test]
async fn samples_arrive_over_one_connection_and_none_is_an_event() {
    let (harness, sshd, server) = watched().await;
    let point = until("samples", async || {
        let points = points(&harness, &server).await;
        points
            .into_iter()
            .find(|point| point["samples"].as_i64() >= Some(3) && !point["cpu_share"].is_null())
    })
    .await;
    let share = point["cpu_share"]["max"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&share), "{point}");
    assert!(point["memory_used"]["avg"].as_f64() < point["memory_total"].as_f64(), "{point}");
    assert!(point["disk_total"].as_i64() > Some(0) && point["uptime_seconds"].as_i64() > Some(0));
    watch_is_settled(&harness, &server).await;
    let logins = || sshd.log().matches("Accepted publickey").count();
    let before = logins();
    more_samples(&harness, &server, 3).await;
    assert_eq!(logins(), before, "{}", sshd.log());
    reach(&harness, &server, "reachable").await;
    assert_eq!(count(&harness, "server.reachable").await, 1);
}

/// As where the file system of `/` does not answer.
#[tokio::test]
async fn a_df_that_does_not_end_makes_no_server_unreachable_and_hides_no_other_metric() {
    let programmes = tempfile::tempdir().unwrap();
    let df = programmes.path().join("df");
    std::fs::write(&df, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&df, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", programmes.path().display());
    let environment = vec![("PATH".to_owned(), path)];
    let sshd = Sshd::start_with(&SshdOptions { environment, ..SshdOptions::default() }).unwrap();
    let harness = set_up_with(&SETTINGS).await;
    let server = harness.usable_server(&sshd).await;

    watch_is_settled(&harness, &server).await;
    let logins = || sshd.log().matches("Accepted publickey").count();
    let before = logins();

    more_samples(&harness, &server, 2).await;

    assert_eq!(logins(), before, "{}", sshd.log());
    reach(&harness, &server, "reachable").await;
    let points = points(&harness, &server).await;
    let point = points.iter().find(|point| point["samples"].as_i64() > Some(0)).unwrap();
    assert_eq!((&point["disk_used"], &point["disk_total"]), (&Value::Null, &Value::Null));
    for metric in ["memory_used", "memory_total", "load", "uptime_seconds"] {
        assert!(!point[metric].is_null(), "{metric} is missing: {point}");
    }
    assert_eq!(count(&harness, "server.unreachable").await, 0);
}

#[tokio::test]
async fn a_server_is_unreachable_after_several_failures_and_reachable_at_once_again() {
    let (harness, sshd, server) = watched().await;
    reach(&harness, &server, "reachable").await;
    // A connection that breaks is no failure: a fresh one is made.
    sshd.kill_sessions().unwrap();
    until("a fresh connection", async || {
        (sshd.log().matches("Accepted publickey").count() >= 2).then_some(())
    })
    .await;
    assert_eq!(count(&harness, "server.unreachable").await, 0);

    sshd.stop().unwrap();
    let unreachable = reach(&harness, &server, "unreachable").await;
    assert_eq!(unreachable["cause"], json!("tcp"));
    sshd.restart().unwrap();
    reach(&harness, &server, "reachable").await;
    assert_eq!(count(&harness, "server.unreachable").await, 1);
    assert_eq!(count(&harness, "server.reachable").await, 2);
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_any_more_says_so() {
    let (harness, sshd, server) = watched().await;
    reach(&harness, &server, "reachable").await;
    sshd.deauthorize().unwrap();
    sshd.kill_sessions().unwrap();
    let unreachable = reach(&harness, &server, "unreachable").await;
    assert_eq!(unreachable["cause"], json!("authentication"));
}

#[tokio::test]
async fn a_network_that_drops_silently_makes_a_server_unreachable_in_time() {
    let [every, unreachable, _] = SETTINGS;
    let settings = [every, unreachable, ("ssh_connect_seconds", "10")];
    let (harness, sshd) = (set_up_with(&settings).await, Sshd::start().unwrap());
    let proxy = Proxy::to(sshd.port()).await;
    let server = harness.usable_server_at(&sshd, proxy.port()).await;
    reach(&harness, &server, "reachable").await;
    proxy.go_silent();
    let unreachable = reach(&harness, &server, "unreachable").await;
    assert_eq!(unreachable["cause"], json!("identification"));
    proxy.speak();
    reach(&harness, &server, "reachable").await;
}

#[tokio::test]
async fn another_host_key_stops_the_watch_too_and_is_told_once() {
    let [every, _, patience] = SETTINGS;
    // So long that a slow machine never makes it unreachable.
    let settings = [every, ("unreachable_seconds", "3600"), patience];
    let (harness, sshd, server) = watched_with(&settings).await;
    reach(&harness, &server, "reachable").await;
    sshd.change_host_key().unwrap();
    until_event(&harness, "server.host_key_mismatched").await;
    let rows = "select count(*) from working.server_monitors";
    let client = harness.installation.log().await;
    until("nobody watches it", async || {
        let left: i64 = client.query_one(rows, &[]).await.unwrap().get(0);
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(count(&harness, "server.host_key_mismatched").await, 1);
    assert_eq!(count(&harness, "server.unreachable").await, 0);
}

#[tokio::test]
async fn a_node_that_dies_is_replaced() {
    let _alone = tests::alone().await;
    let (harness, _sshd, server) = watched().await;
    reach(&harness, &server, "reachable").await;
    let Harness { installation, node, ada, path } = harness;
    let second = installation.node().await;
    node.kill();
    let ada = second.client().bearing(ada.token().unwrap());
    let harness = Harness { installation, node: second, ada, path };
    let node = harness.node.client();
    let stalls = StallWatch::start(&harness.installation, move || vec![node.clone()]).await;
    let clock = Clock::system();
    let since = clock.now();
    more_samples(&harness, &server, 2).await;
    let (took, stall) = (clock.now() - since, stalls.longest_between(since, clock.now()));
    assert!(took - stall < TimeDelta::seconds(20), "{took}, of which {stall} of the machine");
}

/// As one whose home is so slow that a sweep never comes to its end.
#[tokio::test]
async fn a_server_that_cannot_be_swept_is_not_swept_with_each_sample() {
    let (harness, far) = (set_up_with(&SETTINGS).await, BlindSshd::start());
    far.hang_up_on_sweeps();
    let server = harness.usable_server(&far.sshd).await;
    watch_is_settled(&harness, &server).await;
    let swept = || {
        let sweeps = std::fs::read_to_string(far.sshd.home().join("swept"));
        sweeps.unwrap_or_default().lines().count()
    };
    until("it is swept", async || swept() > 0).await;
    let before = swept();

    more_samples(&harness, &server, 4).await;

    assert!(swept() <= before + 1, "{before}, and then {}", swept());
}
