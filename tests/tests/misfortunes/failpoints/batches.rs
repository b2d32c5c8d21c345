//! A kill between two answers of one batch.

use std::collections::BTreeSet;
use std::sync::Mutex;

use futures_util::future::join_all;
use serde_json::json;
use tests::{Installation, Person, until};
use uuid::Uuid;

use super::checks::{count, settled};
use super::crash::Report;
use super::requests::Request;
use super::sent::{Sent, are_in_log, send_again};

/// Requests that are on their way at once: enough for a batch of several.
const AT_ONCE: usize = 32;
/// The events of a batch are written by one transaction.
const LIST_CREATED: &str = "select xmin::text, request from event_log.events \
    where event_type = 'workspace.created'";

/// Whether somebody of a batch has an answer, and somebody else has none. `answered` are requests.
async fn is_partly_answered(log: &tokio_postgres::Client, answered: &BTreeSet<Uuid>) -> bool {
    let rows = log.query(LIST_CREATED, &[]).await.unwrap();
    let has_answer = |request: Uuid| answered.contains(&request);
    let batches = rows.iter().map(|row| (row.get::<_, String>(0), has_answer(row.get(1))));
    let batches: BTreeSet<(String, bool)> = batches.collect();
    batches.iter().any(|(batch, answer)| !answer && batches.contains(&(batch.clone(), true)))
}

pub async fn crash() -> Report {
    let failpoint = "batch.partly_answered";
    let mut report = Report::default();
    let installation = Installation::new().await.with_failpoints();
    let node = installation.node().await;
    let ada = Person::named("ada").settle(&node.client(), &installation).await;
    assert!(node.stop().await.success());
    let hold = installation.folder().join("go-on");
    let settings = [("failpoint", failpoint), ("failpoint_hold_until", hold.to_str().unwrap())];
    let mut armed = installation.node_with(&settings).await;
    let base = armed.api().to_owned();

    let answered = Mutex::new(BTreeSet::new());
    let sending = (0..AT_ONCE).map(async |number| {
        let request = Request::create_workspace(&ada, &format!("Engines {number}"));
        let sent = Sent::by(request, &base).await;
        if let Some(answer) = &sent.answer {
            answered.lock().unwrap().insert(answer.request());
        }
        sent
    });
    let log = installation.log().await;
    let killing = async {
        until("one of a batch has an answer, and another one has none", async || {
            let answered = answered.lock().unwrap().clone();
            is_partly_answered(&log, &answered).await
        })
        .await;
        std::fs::write(&hold, "").unwrap();
        armed.ended().await
    };
    let (sent, status) = tokio::join!(join_all(sending), killing);
    report.read(failpoint, status, &armed.log_text());
    let answers = sent.iter().filter(|sent| sent.answer.is_some()).count();
    assert!((1..AT_ONCE).contains(&answers), "{answers} of {AT_ONCE} were answered");

    are_in_log(&installation, failpoint, &sent).await;
    let node = installation.node().await;
    send_again(&node, failpoint, &sent).await;
    settled(&installation, failpoint).await;
    let created = count(&installation, &[("workspace.created", 0)]).await;
    assert_eq!(created, [i64::try_from(AT_ONCE).unwrap()]);
    ada.at(node.api()).post_once("/v1/workspaces", json!({ "name": "One more" })).await.expect(201);
    assert!(node.stop().await.success());
    report
}
