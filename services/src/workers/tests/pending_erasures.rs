//! Erasures that are in the ledger before they are in the log, and requests that are repeated.

use domain::WorkspaceId;
use domain::account::LiveAccount;
use domain::privacy::Label;
use domain::workspace::{Hastening, Workspace, WorkspaceCommand};
use infra::keyring::{ErasureEntry, ErasureState, NewErasure, SubjectKind};

use super::super::after_restore::replay_ledger;
use super::super::eraser::{Eraser, erase_due};
use super::*;
use crate::operations::erase_account::{LeftWorkspaces, request_of_account};
use crate::operations::request_erasure::{
    ErasureToRequest, RequestErasureError, RequestedErasure, hash_code,
};

async fn entry(app: &App, account: AccountId) -> ErasureEntry {
    app.keyring.ledger.entry(account.into()).await.unwrap().unwrap()
}

/// In the ledger, as by a request that is about to append; due in a week.
async fn enter(app: &App, account: AccountId, code: u8) -> NewErasure {
    let requested_at = app.clock.now();
    let (subject, due) = (account.into(), requested_at + TimeDelta::days(7));
    let (kind, claim_code_hash) = (SubjectKind::Account, [code; 32]);
    let new = NewErasure { kind, subject, requested_at, due, claim_code_hash };
    app.keyring.ledger.enter(&new).await.unwrap();
    new
}

async fn append(app: &App, account: AccountId, due: DateTime<Utc>) {
    let now = app.clock.now();
    ask(app, account, None, AccountCommand::RequestErasure { now, due }).await.unwrap();
}

async fn live(app: &App, account: AccountId) -> LiveAccount {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let Account::Live(live) = &*loaded.state else { panic!("not live") };
    (**live).clone()
}

fn of_days(days: i64) -> (TimeDelta, LeftWorkspaces) {
    (TimeDelta::days(days), LeftWorkspaces::HaveOwners)
}

async fn request(app: &App, account: AccountId, request: &Request) -> RequestedErasure {
    project(app).await;
    let live = live(app, account).await;
    let requested = request_of_account(app, account, &live, of_days(7), request).await;
    requested.unwrap().0
}

#[tokio::test]
async fn a_request_that_is_not_in_the_log_is_taken_back_whenever_it_is_due() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    enter(&app, ada.account, 7).await;

    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);
    harness.clock.advance(TimeDelta::minutes(2));
    assert_eq!(replay_ledger(&app).await.unwrap(), 0, "nothing is lost");
    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
    assert_eq!(event_types(&app, ada.account.0).await, ["account.registered"]);
}

#[tokio::test]
async fn a_cancellation_that_the_api_did_not_record_is_recorded_at_once() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let asks = Request::new(ada.account.into(), CommandId(app.ids.uuid()));
    request(&app, ada.account, &asks).await;
    let now = app.clock.now();
    // As if the node had died between the log and the ledger.
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);

    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn a_request_that_is_refused_is_taken_back_at_once() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let now = app.clock.now();
    let due = now + TimeDelta::days(7);
    let command = |due| AccountCommand::RequestErasure { now, due };
    let step = |due| Step::new::<Account>(ada.account.0, command(due)).expecting(99);
    let (kind, subject) = (SubjectKind::Account, ada.account.into());
    let request = Request::new(ada.account.into(), CommandId(app.ids.uuid()));

    let refused = ErasureToRequest { kind, subject, due, step }.execute(&app, &request).await;

    let stale = RequestErasureError::Execute(ExecuteError::Stale { version: 1 }).to_string();
    assert_eq!(refused.err().unwrap().to_string(), stale);
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn a_refused_repetition_leaves_the_entry_of_the_first_call() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let request = Request::new(ada.account.into(), CommandId(app.ids.uuid()));
    let refused = async || {
        let now = app.clock.now();
        let due = now + TimeDelta::days(7);
        let command = |due| AccountCommand::RequestErasure { now, due };
        let step = |due| Step::new::<Account>(ada.account.0, command(due)).expecting(99);
        let (kind, subject) = (SubjectKind::Account, ada.account.into());
        let refused = ErasureToRequest { kind, subject, due, step }.execute(&app, &request).await;
        assert!(refused.is_err());
    };
    refused().await;
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
    // As if the first call were still appending.
    let open = "update keyring.erasures set state = 'requested', cancelled_at = null";
    let keyring = app.keyring_pool.get().await.unwrap();
    assert_eq!(keyring.execute(open, &[]).await.unwrap(), 1);

    refused().await;

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);
}

/// The states and codes of all entries, the latest first.
async fn entries(app: &App, account: AccountId) -> Vec<(ErasureState, [u8; 32])> {
    let entries = app.keyring.ledger.entries_of(account.into()).await.unwrap();
    entries.iter().map(|entry| (entry.state, entry.claim_code_hash)).collect()
}

async fn try_request(app: &App, account: AccountId) -> Result<[u8; 32], RequestErasureError> {
    project(app).await;
    let live = live(app, account).await;
    let request = Request::new(account.into(), CommandId(app.ids.uuid()));
    let (requested, _) = request_of_account(app, account, &live, of_days(7), &request).await?;
    Ok(hash_code(&requested.claim_code.unwrap()))
}

#[tokio::test]
async fn a_request_waits_for_another_and_replaces_it_after_a_minute() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    enter(&app, ada.account, 7).await;

    let refused = try_request(&app, ada.account).await.unwrap_err();
    assert!(matches!(refused, RequestErasureError::InProgress { .. }), "{refused}");
    assert_eq!(entries(&app, ada.account).await, [(ErasureState::Requested, [7; 32])]);
    assert!(entry(&app, ada.account).await.append_pending);
    assert_eq!(event_types(&app, ada.account.0).await, ["account.registered"]);

    harness.clock.advance(TimeDelta::minutes(2));
    let own = try_request(&app, ada.account).await.unwrap();
    let expected = [(ErasureState::Requested, own), (ErasureState::Cancelled, [7; 32])];
    assert_eq!(entries(&app, ada.account).await, expected);
}

#[tokio::test]
async fn a_request_replaces_a_confirmed_entry_that_the_log_does_not_have() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let due = app.clock.now() + TimeDelta::days(7);
    let (kind, ledger) = (SubjectKind::Account, &app.keyring.ledger);
    ledger.request(kind, ada.account.into(), due, [7; 32]).await.unwrap();

    let refused = try_request(&app, ada.account).await.unwrap_err();
    assert!(matches!(refused, RequestErasureError::InProgress { .. }), "{refused}");

    harness.clock.advance(TimeDelta::minutes(2));
    let own = try_request(&app, ada.account).await.unwrap();
    let expected = [(ErasureState::Requested, own), (ErasureState::Cancelled, [7; 32])];
    assert_eq!(entries(&app, ada.account).await, expected);
}

#[tokio::test]
async fn a_request_that_is_appended_late_opens_its_entry_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let new = enter(&app, ada.account, 7).await;
    harness.clock.advance(TimeDelta::minutes(2));
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);

    append(&app, ada.account, new.due).await;
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();

    let entry = entry(&app, ada.account).await;
    assert_eq!((entry.state, entry.claim_code_hash), (ErasureState::Requested, [7; 32]));
    assert!(!entry.append_pending);
}

#[tokio::test]
async fn of_two_requests_that_were_taken_back_the_one_that_is_appended_opens_its_entry() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let first = enter(&app, ada.account, 7).await;
    harness.clock.advance(TimeDelta::minutes(2));
    erase_due(app.clone()).await.unwrap();
    enter(&app, ada.account, 8).await;
    harness.clock.advance(TimeDelta::minutes(2));
    erase_due(app.clone()).await.unwrap();
    let cancelled = [(ErasureState::Cancelled, [8; 32]), (ErasureState::Cancelled, [7; 32])];
    assert_eq!(entries(&app, ada.account).await, cancelled);

    append(&app, ada.account, first.due).await;
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();

    let expected = [(ErasureState::Cancelled, [8; 32]), (ErasureState::Requested, [7; 32])];
    assert_eq!(entries(&app, ada.account).await, expected);
}

#[tokio::test]
async fn a_restore_loses_only_what_the_log_had() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    register_as(&restored, ada.account, "ada@example.org").await;
    register_as(&restored, bob.account, "bob@example.org").await;
    let of_ada = enter(&app, ada.account, 7).await;
    append(&app, ada.account, of_ada.due).await;
    enter(&app, bob.account, 8).await;
    harness.clock.advance(TimeDelta::minutes(2));
    // The answer to Ada's append was lost; nothing of Bob's was appended.
    erase_due(app.clone()).await.unwrap();
    assert!(!entry(&app, ada.account).await.append_pending);
    enter(&app, bob.account, 9).await;
    harness.clock.advance(TimeDelta::minutes(2));

    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    let requested = "account.erasure_requested";
    let steps = event_types(&restored, ada.account.0).await;
    assert_eq!(steps.last().unwrap(), requested);
    assert!(!event_types(&restored, bob.account.0).await.contains(&requested.to_owned()));
}

#[tokio::test]
async fn after_a_crash_the_same_request_goes_on_with_its_entry_and_has_its_code() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let asks = Request::new(ada.account.into(), CommandId(app.ids.uuid()));
    let first = request(&app, ada.account, &asks).await;
    let (session, _) = sign_in(&app, ada.account).await;
    // As if the node had died before it confirmed the entry.
    let keyring = app.keyring_pool.get().await.unwrap();
    let pending = "update keyring.erasures set append_pending = true";
    keyring.execute(pending, &[]).await.unwrap();

    let again = request(&app, ada.account, &asks).await;

    assert!(again.receipt.replayed());
    assert!(first.claim_code.is_some());
    assert_eq!((first.claim_code, first.due), (again.claim_code, again.due));
    assert_eq!(event_types(&app, session.0).await, ["session.opened"], "nobody is signed out");
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();
    assert!(!entry(&app, ada.account).await.append_pending);
}

#[tokio::test]
async fn a_deletion_whose_new_end_the_api_did_not_record_comes_as_early_as_the_log_says() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = WorkspaceId(app.ids.uuid());
    let order = async |command| {
        let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
        let steps = [Step::new::<Workspace>(workspace.0, command)];
        app.executor.execute(&request, &steps).await.unwrap();
    };
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(WorkspaceCommand::Create { name, owner: ada }).await;
    let (now, eraser) = (app.clock.now(), Eraser::new(&app, &Arc::default()));
    let due = now + TimeDelta::days(7);
    order(WorkspaceCommand::RequestDeletion { by: ada, now, due, requested_before: vec![] }).await;
    react(&app, &eraser).await.unwrap();
    let in_ledger = async || app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    assert_eq!(in_ledger().await.due, due);
    let sooner = now + TimeDelta::days(1);
    // As if the node had died between the log and the ledger.
    order(WorkspaceCommand::HastenDeletion { by: Hastening::Operator, now, due: sooner }).await;

    react(&app, &eraser).await.unwrap();

    assert_eq!(in_ledger().await.due, sooner);
    harness.clock.advance(TimeDelta::days(1) + TimeDelta::minutes(1));
    erase_due(app.clone()).await.unwrap();
    assert!(in_ledger().await.state >= ErasureState::Fenced);
}

/// The backup from which the log was restored has the request, and was made before it was hastened.
#[tokio::test]
async fn a_restored_deletion_is_hastened_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let now = app.clock.now();
    let (due, sooner) = (now + TimeDelta::days(7), now + TimeDelta::days(1));
    for command in [
        WorkspaceCommand::Create { name, owner: ada },
        WorkspaceCommand::RequestDeletion { by: ada, now, due, requested_before: vec![] },
    ] {
        let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
        let steps = [Step::new::<Workspace>(workspace.0, command)];
        app.executor.execute(&request, &steps).await.unwrap();
    }
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();
    app.keyring.ledger.hasten(workspace.into(), sooner, now).await.unwrap();
    harness.clock.advance(TimeDelta::minutes(2));

    assert_eq!(replay_ledger(&app).await.unwrap(), 1);

    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    assert_eq!(loaded.state.live().unwrap().deletion.unwrap().due, sooner);
    assert_eq!(replay_ledger(&app).await.unwrap(), 0);
}
