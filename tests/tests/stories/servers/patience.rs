//! A server whose credential is refused: that is noticed, it is tried ever more seldom, and at last no more.

use serde_json::{Value, json};
use tests::{Harness, Person, Sshd, SshdOptions, results, until};
use tokio_postgres::Client;

use super::watching::{SETTINGS, more_samples, reach, watch_is_settled};
use super::{count, set_up_with, until_event};

/// sshd says of each login that it was refused.
fn options() -> SshdOptions {
    SshdOptions { config: "LogLevel VERBOSE".to_owned(), ..SshdOptions::default() }
}

/// With a key of which the test has the line for `authorized_keys`.
async fn watched(settings: &[(&str, &str)]) -> (Harness, Sshd, String, String) {
    let harness = set_up_with(&[&SETTINGS[..], settings].concat()).await;
    let sshd = Sshd::start_with(&options()).unwrap();
    let server = harness.usable_server(&sshd).await;
    let line = harness.generate_credential(&server).await;
    sshd.authorize(&line).unwrap();
    watch_is_settled(&harness, &server).await;
    (harness, sshd, server, line)
}

fn refused(sshd: &Sshd) -> usize {
    sshd.log().matches("Failed publickey").count()
}

fn accepted(sshd: &Sshd) -> usize {
    sshd.log().matches("Accepted publickey").count()
}

/// How often the server has refused the credential in a row, once nobody tries it for a while.
async fn pause(log: &Client) -> Result<i32, String> {
    let row = "select refused, coalesce(next_at > clock_timestamp() + interval '5 seconds', false)
        from working.server_monitors";
    let row = log.query_one(row, &[]).await.unwrap();
    let (refused, is_paused): (i32, bool) = (row.get(0), row.get(1));
    if is_paused { Ok(refused) } else { Err(format!("{refused} refusals, no pause")) }
}

/// The pause is over, and the first refusal was so long ago.
async fn end_pause(log: &Client, hours: i32) {
    let end = "update working.server_monitors set next_at = clock_timestamp(),
        failing_since = failing_since - make_interval(hours => $1)";
    assert_eq!(log.execute(end, &[&hours]).await.unwrap(), 1);
}

/// How often it has refused the credential, after one more refusal and at the next pause.
async fn next_pause(log: &Client, before: i32) -> i32 {
    until("it is tried once more, and left alone", async || {
        let refused = pause(log).await?;
        if refused > before { Ok(refused) } else { Err(format!("still {refused}")) }
    })
    .await
}

#[tokio::test]
async fn a_key_that_was_taken_away_is_noticed_though_the_old_connection_lives() {
    let (harness, sshd, server, _) = watched(&[("watch_fresh_seconds", "2")]).await;
    reach(&harness, &server, "reachable").await;
    let before = accepted(&sshd);
    until("another connection", async || accepted(&sshd) >= before + 2).await;
    assert_eq!(count(&harness, "server.unreachable").await, 0, "each of them replaced one");

    sshd.deauthorize().unwrap();

    let unreachable = reach(&harness, &server, "unreachable").await;
    assert_eq!(unreachable["cause"], json!("authentication"));
}

#[tokio::test]
async fn a_server_that_refuses_its_key_is_tried_ten_times_and_its_team_is_told() {
    let (harness, sshd, server, line) = watched(&[("watch_fresh_seconds", "1")]).await;
    let log = harness.installation.log().await;
    let asked = refused(&sshd);
    sshd.deauthorize().unwrap();

    let mut refusals = next_pause(&log, 0).await;
    assert!((3..=5).contains(&refusals), "{refusals}");
    until_event(&harness, "server.unreachable").await;
    while refusals < 9 {
        end_pause(&log, 0).await;
        assert_eq!(next_pause(&log, refusals).await, refusals + 1);
        refusals += 1;
    }
    assert_eq!(count(&harness, "server.watch_stopped").await, 0);
    end_pause(&log, 2).await;
    until_event(&harness, "server.watch_stopped").await;

    let events = harness.events("server.watch_stopped").await;
    let stopped = &events[0];
    assert_eq!(stopped["cause"], json!("authentication"));
    assert!(stopped["failures"].as_i64() >= Some(10), "{stopped}");
    until("nobody watches it", async || is_stopped(&log).await).await;
    until("it shows why", async || {
        let shown = harness.ada.get(&server).await.expect(200).json();
        let is_shown = shown["watch_stopped"]["cause"] == "authentication";
        if is_shown { Ok(()) } else { Err(shown) }
    })
    .await;
    let mails = || harness.installation.mails(&Person::named("ada").email);
    let mail = until("a mail", async || {
        mails().into_iter().find(|mail| mail.subject == "A server lets us in no more")
    });
    let mail = mail.await;
    assert!(mail.text.contains(server.rsplit('/').next().unwrap()), "{}", mail.text);
    let metrics =
        async || reqwest::get(harness.node.metrics()).await.unwrap().text().await.unwrap();
    until("it is counted", async || metrics().await.contains("\nlethe_watches_stopped 1\n")).await;
    let tries = refused(&sshd) - asked;
    assert!((10..=14).contains(&tries), "{tries}: {}", sshd.log());

    it_begins_again(&harness, &sshd, &server, &line).await;
}

async fn is_stopped(log: &Client) -> bool {
    let stopped = "select stopped_at is not null and node is null from working.server_monitors";
    log.query_one(stopped, &[]).await.unwrap().get(0)
}

/// A check that works does it, and one that does not changes nothing.
async fn it_begins_again(harness: &Harness, sshd: &Sshd, server: &str, line: &str) {
    let log = harness.installation.log().await;
    let checked = harness.check_server(server).await;
    assert_eq!(results(&checked), ["ok", "ok", "ok", "failed", "not_tried"]);
    assert!(is_stopped(&log).await);
    let before = count(harness, "server.reachable").await;
    sshd.authorize(line).unwrap();

    let checked = harness.ada.post(&format!("{server}/check"), json!({})).await.expect(200);

    assert_eq!(results(&checked.json()), ["ok"; 5]);
    assert_eq!(count(harness, "server.reachable").await, before + 1);
    let shown = harness.ada.get_at(server, &checked.position()).await.expect(200).json();
    assert_eq!(
        (&shown["watch_stopped"], &shown["reach"]["state"]),
        (&Value::Null, &json!("reachable"))
    );
    more_samples(harness, server, 2).await;
    assert_eq!(count(harness, "server.reachable").await, before + 1);
}

#[tokio::test]
async fn a_check_that_works_ends_a_pause() {
    let (harness, sshd, server, line) = watched(&[]).await;
    let log = harness.installation.log().await;
    sshd.deauthorize().unwrap();
    sshd.kill_sessions().unwrap();
    let refusals = next_pause(&log, 0).await;
    end_pause(&log, 0).await;
    // This pause is longer than the test waits.
    next_pause(&log, refusals).await;
    sshd.authorize(&line).unwrap();

    assert_eq!(results(&harness.check_server(&server).await), ["ok"; 5]);

    more_samples(&harness, &server, 1).await;
    reach(&harness, &server, "reachable").await;
    let state = "select refused, failures from working.server_monitors";
    until("its row is as of a new one", async || {
        let row = log.query_one(state, &[]).await.unwrap();
        (row.get::<_, i32>(0), row.get::<_, i32>(1)) == (0, 0)
    })
    .await;
}
