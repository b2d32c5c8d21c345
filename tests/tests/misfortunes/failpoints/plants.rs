//! What the checks after a kill look for is planted, and found.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use serde_json::json;
use tests::{Answer, Client, Harness, Installation, Person};
use tokio_postgres::Client as Database;
use uuid::Uuid;

use super::checks::{faults, settled};
use super::requests::Request;
use super::sent::{Sent, are_in_log};

/// Events are not deleted otherwise.
const WITHOUT_TRIGGERS: &str = "set local session_replication_role = replica;";

/// What is planted in the log's database, and what is said about it.
const IN_LOG: [(&str, &str); 18] = [
    ("update working.outbox set state = 'queued'", "mails that are not sent"),
    (
        "insert into working.closings select session_id, account_id, 'idle', null, now()
            from working.sessions",
        "sessions without their closing",
    ),
    (
        "insert into working.run_tasks (run_id, server_id, attempt, workspace_id, state, queued_at)
            values (gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'lost', now())",
        "tasks of runs",
    ),
    (
        "insert into working.run_secrets (secrets_id, run_id, workspace_id, sealed)
            values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '')",
        "secrets of runs",
    ),
    ("delete from working.seat_leases", "leases of seats that differ"),
    (
        "insert into working.seat_leases
            values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 9, now(), now())",
        "leases of seats that differ",
    ),
    ("delete from working.sessions", "sessions that differ"),
    ("update working.sessions set session_id = gen_random_uuid()", "sessions that differ"),
    ("delete from working.credentials", "passwords that differ"),
    (
        "insert into working.credentials select gen_random_uuid(), account_id, hash, created_at
            from working.credentials limit 1",
        "passwords that differ",
    ),
    ("update working.credentials set named = false", "passwords that differ"),
    (
        "insert into working.server_credentials
            values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', '', now(), true)",
        "server keys that differ",
    ),
    (
        "insert into working.api_tokens
            (token_id, workspace_id, account_id, name, issued_at, expires_at, account_version)
            values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', now(), now(), 1)",
        "API tokens that the log does not have",
    ),
    // It has no secret.
    (
        "insert into working.api_tokens
            (token_id, workspace_id, account_id, name, issued_at, expires_at, account_version)
            values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), '', now(), now(), 1)",
        "secrets of API tokens that differ",
    ),
    (
        "insert into working.api_token_secrets
            values (gen_random_uuid(), gen_random_uuid(), sha256(''), now())",
        "secrets of API tokens that differ",
    ),
    ("delete from event_log.events where position = 1", "positions that are missing"),
    (
        "delete from event_log.events
            where position = (select max(position) from event_log.events)",
        "positions that are missing",
    ),
    (
        "delete from event_log.events where (stream_id, version) in (
            select stream_id, 1 from event_log.events where version = 2)",
        "streams with a gap",
    ),
];

/// The subject of an erasure that the log knows nothing of, and whose grace ends then.
fn erasure(due: &str) -> String {
    format!(
        "insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state)
            values (gen_random_uuid(), now() - interval '1 day', {due}, '\\x00', 'requested')"
    )
}

/// The faults of the two databases while the plant is in one of them.
async fn planted(place: &Database, plant: &str, databases: (&Database, &Database)) -> Vec<String> {
    place.batch_execute(&format!("begin; {WITHOUT_TRIGGERS} {plant}")).await.unwrap();
    let faults = faults(databases.0, databases.1).await;
    place.batch_execute("rollback").await.unwrap();
    faults
}

#[tokio::test]
async fn what_the_checks_look_for_is_found_where_it_is_planted() {
    let harness = Harness::new().await;
    harness.take_seat(&harness.ada).await.expect(201);
    let change =
        json!({ "current": Person::named("ada").password, "new": "quite another password" });
    harness.ada.put("/v1/me/password", "*", change).await.expect(204);
    let eve = harness.person("eve").await;
    let subject = eve.account().await;
    let request = json!({ "password": Person::named("eve").password, "grace_days": 3 });
    eve.ask_for_erasure(request).await.expect(202);
    settled(&harness.installation, "the beginning").await;
    let Harness { installation, node, .. } = harness;
    assert!(node.stop().await.success());
    let (log, keyring) = (installation.log().await, installation.keyring().await);
    assert_eq!(faults(&log, &keyring).await, Vec::<String>::new());

    for (plant, name) in IN_LOG {
        let found = planted(&log, plant, (&log, &keyring)).await;
        assert!(found.iter().any(|fault| fault.contains(name)), "{plant}: {found:?}");
    }
    for (due, count) in [("now() + interval '1 day'", 1), ("now()", 2)] {
        let found = planted(&keyring, &erasure(due), (&log, &keyring)).await;
        assert_eq!(found.len(), count, "{due}: {found:?}");
        let said = format!("erasures by the log [{subject}], by the ledger [");
        assert!(found[0].starts_with(&said), "{found:?}");
    }
    let lost = "update keyring.erasures set state = 'cancelled'";
    let found = planted(&keyring, lost, (&log, &keyring)).await;
    assert_eq!(found, [format!("erasures by the log [{subject}], by the ledger []")]);
}

/// Whether the check of what was answered lets this answer through.
async fn is_in_log(installation: &Installation, event: &'static str, answer: &Answer) -> bool {
    let request = Request::post(&Client::new(""), "", json!({})).appends(event);
    let sent = [Sent::new(request, Some(answer.clone()))];
    let checked = are_in_log(installation, "a control", &sent);
    AssertUnwindSafe(checked).catch_unwind().await.is_ok()
}

#[tokio::test]
async fn an_answer_that_the_log_does_not_bear_out_is_found() {
    let harness = Harness::new().await;
    let Harness { installation, ada, .. } = &harness;
    let taken = harness.take_seat(ada).await.expect(201);

    assert!(is_in_log(installation, "seat.lease_acquired", &taken).await);
    assert!(!is_in_log(installation, "seat.lease_released", &taken).await, "another event");
    let mut lost = taken.clone();
    let nobodys = Uuid::nil().to_string().parse().unwrap();
    lost.headers.insert("x-request-id", nobodys);
    assert!(!is_in_log(installation, "seat.lease_acquired", &lost).await, "no such request");
    let mut nowhere = taken.clone();
    nowhere.headers.remove("lethe-position");
    assert!(!is_in_log(installation, "seat.lease_acquired", &nowhere).await, "no position");
    let refused = Answer { status: 409, ..taken.clone() };
    assert!(!is_in_log(installation, "seat.lease_acquired", &refused).await, "a refusal");
}
