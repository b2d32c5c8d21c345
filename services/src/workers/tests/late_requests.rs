//! Requests of an erasure that were held up while others went on.

use domain::account::AccountError;
use domain::{Refused, SubjectId};
use infra::keyring::{ErasureEntry, ErasureState, SubjectKind};

use super::*;
use crate::operations::request_erasure::{
    ErasureToRequest, RequestErasureError, RequestedErasure, find_earlier, hash_code,
};

fn week(app: &App) -> DateTime<Utc> {
    app.clock.now() + TimeDelta::days(7)
}

/// Requests an erasure, as a caller that has found no earlier request of this command and no open one.
async fn request(
    app: &App,
    account: AccountId,
    request: &Request,
    version: Option<i64>,
) -> Result<RequestedErasure, RequestErasureError> {
    let (now, due) = (app.clock.now(), week(app));
    let step = |due| {
        let step = Step::new::<Account>(account.0, AccountCommand::RequestErasure { now, due });
        match version {
            Some(version) => step.expecting(version),
            None => step,
        }
    };
    let (kind, subject) = (SubjectKind::Account, account.into());
    ErasureToRequest { kind, subject, due, step }.execute(app, request).await
}

fn command(app: &App, account: AccountId) -> Request {
    Request::new(account.into(), CommandId(app.ids.uuid()))
}

async fn entries(app: &App, account: AccountId) -> Vec<ErasureEntry> {
    app.keyring.ledger.entries_of(SubjectId(account.0)).await.unwrap()
}

async fn entry(app: &App, account: AccountId) -> ErasureEntry {
    app.keyring.ledger.entry(account.into()).await.unwrap().unwrap()
}

fn hash_of(requested: &RequestedErasure) -> [u8; 32] {
    hash_code(requested.claim_code.as_ref().unwrap())
}

async fn change_entries(app: &App, change: &str, hash: [u8; 32]) {
    let keyring = app.keyring_pool.get().await.unwrap();
    let change = format!("update keyring.erasures set {change} where claim_code_hash = $1");
    assert_eq!(keyring.execute(&change, &[&hash.as_slice()]).await.unwrap(), 1);
}

const TAKEN_BACK: &str = "state = 'cancelled', cancelled_at = now(), append_pending = true";
const REQUESTED: &str = "state = 'requested', cancelled_at = null, append_pending = true";

#[tokio::test]
async fn a_late_request_does_not_cancel_the_confirmed_entry_of_another() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let accepted = request(&app, ada, &command(&app, ada), None).await.unwrap();
    harness.clock.advance(TimeDelta::seconds(61));

    let late = request(&app, ada, &command(&app, ada), None).await;

    let error = late.err().unwrap();
    let expected = Refused::Account(AccountError::ErasureRequested);
    assert!(
        matches!(&error, RequestErasureError::Execute(ExecuteError::Refused(refused)) if *refused == expected),
        "{error}"
    );
    let [entry] = &entries(&app, ada).await[..] else { panic!("another entry") };
    assert_eq!(entry.state, ErasureState::Requested);
    assert_eq!(entry.claim_code_hash, hash_of(&accepted));
}

#[tokio::test]
async fn an_entry_whose_erasure_is_cancelled_in_the_log_gives_way_to_a_new_request() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    request(&app, ada, &command(&app, ada), None).await.unwrap();
    let now = app.clock.now();
    ask(&app, ada, None, AccountCommand::CancelErasure { now }).await.unwrap();
    harness.clock.advance(TimeDelta::seconds(61));

    let next = request(&app, ada, &command(&app, ada), None).await.unwrap();

    let entry = entry(&app, ada).await;
    assert_eq!((entry.state, entry.append_pending), (ErasureState::Requested, false));
    assert_eq!(entry.claim_code_hash, hash_of(&next));
}

#[tokio::test]
async fn a_repeated_call_keeps_its_entry_when_the_first_call_has_appended() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    let first = request(&app, ada, &asks, None).await.unwrap();
    // As if the first call had been paused before its append, and its entry taken back.
    change_entries(&app, TAKEN_BACK, hash_of(&first)).await;
    harness.clock.advance(TimeDelta::seconds(61));

    let repeated = request(&app, ada, &asks, None).await.unwrap();

    assert!(repeated.receipt.replayed());
    assert_eq!(repeated.due, first.due);
    let entry = entry(&app, ada).await;
    assert_eq!((entry.state, entry.append_pending), (ErasureState::Requested, false));
    assert_eq!((entry.due, entry.claim_code_hash), (first.due, hash_of(&repeated)));
}

#[tokio::test]
async fn a_repeated_call_takes_its_entry_back_when_the_erasure_is_cancelled() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    let first = request(&app, ada, &asks, None).await.unwrap();
    let now = app.clock.now();
    ask(&app, ada, None, AccountCommand::CancelErasure { now }).await.unwrap();
    change_entries(&app, TAKEN_BACK, hash_of(&first)).await;
    harness.clock.advance(TimeDelta::seconds(61));

    let repeated = request(&app, ada, &asks, None).await.unwrap();

    assert!(repeated.receipt.replayed());
    assert_eq!(entry(&app, ada).await.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn the_claim_code_of_a_command_is_that_of_its_open_entry() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    let first = request(&app, ada, &asks, None).await.unwrap();
    change_entries(&app, TAKEN_BACK, hash_of(&first)).await;
    harness.clock.advance(TimeDelta::seconds(61));
    let second = request(&app, ada, &asks, None).await.unwrap();
    change_entries(&app, TAKEN_BACK, hash_of(&second)).await;
    change_entries(&app, REQUESTED, hash_of(&first)).await;

    let earlier = find_earlier(&app, ada.into(), &asks).await.unwrap().unwrap();

    assert_eq!(earlier.claim_code, first.claim_code);
}

#[tokio::test]
async fn a_request_that_goes_on_with_the_entry_of_an_earlier_call_keeps_its_due_time() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    // As if the first call had died before its append.
    assert!(request(&app, ada, &asks, Some(99)).await.is_err());
    let entered = entry(&app, ada).await;
    change_entries(&app, REQUESTED, entered.claim_code_hash).await;
    harness.clock.advance(TimeDelta::seconds(20));

    let requested = request(&app, ada, &asks, None).await.unwrap();

    assert_eq!(requested.due, entered.due);
    let loaded = app.executor.load::<Account>(ada.into(), ada.0).await.unwrap();
    let Account::Live(live) = &*loaded.state else { panic!("not live") };
    assert_eq!(live.erasure.unwrap().due, entered.due);
    let entry = entry(&app, ada).await;
    assert_eq!((entry.due, entry.append_pending), (entered.due, false));
}

#[tokio::test]
async fn a_request_whose_entry_was_due_meanwhile_has_a_due_time_of_its_own() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    assert!(request(&app, ada, &asks, Some(99)).await.is_err());
    let entered = entry(&app, ada).await;
    change_entries(&app, REQUESTED, entered.claim_code_hash).await;
    harness.clock.advance(TimeDelta::days(7) + TimeDelta::seconds(1));

    let requested = request(&app, ada, &asks, None).await.unwrap();

    assert_eq!(requested.due, week(&app));
    let entry = entry(&app, ada).await;
    assert_eq!((entry.due, entry.append_pending), (requested.due, false));
}
