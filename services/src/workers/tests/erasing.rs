//! An erasure, interrupted between any two stages, by two nodes, and against late events.

use std::time::Instant;

use domain::SubjectId;
use domain::privacy::AccountEmail;
use infra::keyring::{
    ErasureEntry, ErasureStage, ErasureState, NewErasure, OpenError, SubjectKind,
};
use tokio::time::timeout;

use super::super::eraser::{Eraser, Next, due_at, erase_due, next_stage, raise_fence_at};
use super::super::mailer::{Mailer, send_due};
use super::super::sweeps;
use super::*;

fn eraser(app: &App) -> Eraser {
    Eraser::new(app, &Arc::default())
}

pub(super) async fn request(app: &App, account: AccountId, grace: TimeDelta) {
    let now = app.clock.now();
    ask(app, account, None, AccountCommand::RequestErasure { now, due: now + grace })
        .await
        .unwrap();
    react(app, &eraser(app)).await.unwrap();
}

pub(super) async fn entry(app: &App, account: AccountId) -> ErasureEntry {
    app.keyring.ledger.entry(account.into()).await.unwrap().unwrap()
}

/// A person with something in every place that an erasure reaches.
pub(super) async fn somebody(app: &App) -> Person {
    let ada = register(app, "ada@example.org").await;
    sign_in(app, ada.account).await;
    react(app, &Mailer::new(app, &Arc::default())).await.unwrap();
    send_due(app.clone()).await.unwrap();
    let snapshot = "insert into event_log.snapshots values ($1, 1, 0, '{}')";
    app.pool.get().await.unwrap().execute(snapshot, &[&ada.account.0]).await.unwrap();
    ada
}

async fn assert_erased(harness: &Harness, app: &App, ada: &Person) {
    let steps = event_types(app, ada.account.0).await;
    let completed = steps.iter().filter(|step| *step == "account.erasure_completed").count();
    assert_eq!(completed, 1, "{steps:?}");
    for table in ["credentials", "sessions", "outbox"] {
        assert_eq!(count(app, &format!("select count(*) from working.{table}")).await, 0);
    }
    assert_eq!(count(app, "select count(*) from event_log.reservations").await, 0);
    assert_eq!(count(app, "select count(*) from event_log.snapshots").await, 0);
    assert!(harness.mails().is_empty());
    let log = log(app).await;
    let registered = log[0].decode().unwrap();
    let domain::account::AccountEvent::Registered { email, .. } = registered else { panic!() };
    let opened = app.keyring.sealer.open::<AccountEmail>(
        ada.account.into(),
        ada.account.into(),
        email.sealed().unwrap(),
    );
    assert!(matches!(opened.await, Err(OpenError::Erased)));
    let late =
        ask(app, ada.account, None, AccountCommand::RequestPasswordReset { proof: proof(app) });
    assert!(late.await.is_err());
    assert!(entry(app, ada.account).await.state >= ErasureState::Completed);
}

#[tokio::test]
async fn an_erasure_interrupted_between_any_two_stages_goes_on() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    request(&app, ada.account, TimeDelta::zero()).await;

    let mut states = vec![];
    loop {
        let standing = entry(&app, ada.account).await;
        states.push(standing.state);
        // Taken and not entered: the crash comes before the ledger knows.
        let crashed = harness.node().await;
        let Next::Stage(_) = next_stage(&crashed, &standing).await.unwrap() else { break };
        let again = harness.node().await;
        let stage = next_stage(&again, &standing).await.unwrap().stage().unwrap();
        again.keyring.ledger.advance(standing.subject, stage).await.unwrap();
        // Entered twice: the crash comes before the answer is known.
        again.keyring.ledger.advance(standing.subject, stage).await.unwrap();
    }

    assert_eq!(
        states,
        [
            ErasureState::Requested,
            ErasureState::Fenced,
            ErasureState::KeysErased,
            ErasureState::Completed
        ],
    );
    assert_erased(&harness, &harness.node().await, &ada).await;
}

#[tokio::test]
async fn an_erasure_is_completed_no_sooner_than_a_second_after_its_keys_are_erased() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    request(&app, ada.account, TimeDelta::zero()).await;
    let mut standing = entry(&app, ada.account).await;
    while standing.state < ErasureState::KeysErased {
        let stage = next_stage(&app, &standing).await.unwrap().stage().unwrap();
        standing = app.keyring.ledger.advance(standing.subject, stage).await.unwrap();
    }

    // Until then another node may open what it has in memory.
    let early = timeout(Duration::from_millis(900), next_stage(&app, &standing)).await;
    assert!(early.is_err(), "{early:?}");
    let closed = "account.erasure_completed";
    assert!(!event_types(&app, ada.account.0).await.iter().any(|event| event == closed));

    let since = Instant::now();
    let stage = next_stage(&app, &standing).await.unwrap();
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(stage, Next::Stage(ErasureStage::Completed));
    assert!(event_types(&app, ada.account.0).await.iter().any(|event| event == closed));
}

#[tokio::test]
async fn two_nodes_at_once_erase_once() {
    let harness = Harness::new().await;
    let (one, other) = (harness.node().await, harness.node().await);
    let ada = somebody(&one).await;
    request(&one, ada.account, TimeDelta::zero()).await;

    let (a, b) = tokio::join!(erase_due(one.clone()), erase_due(other.clone()));

    a.unwrap();
    b.unwrap();
    assert_erased(&harness, &one, &ada).await;
}

#[tokio::test]
async fn nothing_is_erased_before_it_is_due_and_a_cancelled_erasure_never() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    request(&app, ada.account, TimeDelta::days(7)).await;
    request(&app, bob.account, TimeDelta::days(7)).await;

    harness.clock.advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);
    let now = app.clock.now();
    // The ledger has not heard of it.
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();
    harness.clock.advance(TimeDelta::seconds(3));
    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, bob.account).await.state, ErasureState::Completed);
    assert!(entry(&app, ada.account).await.state <= ErasureState::Cancelled);
    let now = app.clock.now();
    let again = AccountCommand::RequestErasure { now, due: now };
    assert!(ask(&app, ada.account, None, again).await.is_ok());
}

#[tokio::test]
async fn an_erasure_waits_two_seconds_for_a_cancellation_that_is_late() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    request(&app, ada.account, TimeDelta::days(7)).await;

    harness.clock.advance(TimeDelta::days(7) + TimeDelta::seconds(1));
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);

    harness.clock.advance(TimeDelta::seconds(1));
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Completed);
}

#[tokio::test]
async fn rows_that_were_written_while_keys_were_erased_are_deleted_at_the_end() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = somebody(&app).await;
    request(&app, ada.account, TimeDelta::zero()).await;
    let mut reached = entry(&app, ada.account).await;
    while reached.state < ErasureState::KeysErased {
        let stage = next_stage(&app, &reached).await.unwrap().stage().unwrap();
        reached = app.keyring.ledger.advance(reached.subject, stage).await.unwrap();
    }
    // By a transaction that began before the fence.
    let late = "insert into working.credentials (credential_id, account_id, hash, created_at)
        values (gen_random_uuid(), $1, '$argon2id$', now())";
    app.pool.get().await.unwrap().execute(late, &[&ada.account.0]).await.unwrap();

    let stage = next_stage(&app, &reached).await.unwrap().stage().unwrap();
    app.keyring.ledger.advance(reached.subject, stage).await.unwrap();

    assert_erased(&harness, &app, &ada).await;
}

#[tokio::test]
async fn a_request_that_never_came_into_the_log_is_taken_out_of_the_ledger() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let subject = SubjectId(ada.account.0);
    app.keyring
        .ledger
        .request(SubjectKind::Account, subject, app.clock.now(), [7; 32])
        .await
        .unwrap();

    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Requested);
    harness.clock.advance(TimeDelta::minutes(10));
    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn a_request_that_the_ledger_lost_is_entered_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    request(&app, ada.account, TimeDelta::days(7)).await;
    // A cancellation that crashed between the ledger and the log.
    app.keyring.ledger.cancel(ada.account.into()).await.unwrap();
    harness.clock.advance(TimeDelta::days(8));
    project(&app).await;

    sweeps::sweep_erasures(app.clone()).await.unwrap();
    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Completed);
}

#[tokio::test]
async fn a_cancellation_that_is_read_late_leaves_the_next_request_with_its_code() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let now = app.clock.now();
    let asks = AccountCommand::RequestErasure { now, due: now + TimeDelta::days(7) };
    ask(&app, ada.account, None, asks.clone()).await.unwrap();
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();
    let (kind, subject, claim_code_hash) = (SubjectKind::Account, ada.account.into(), [7; 32]);
    let next = NewErasure { kind, subject, requested_at: now, due: now, claim_code_hash };
    app.keyring.ledger.enter(&next).await.unwrap();

    react(&app, &eraser(&app)).await.unwrap();
    ask(&app, ada.account, None, asks).await.unwrap();
    harness.clock.advance(TimeDelta::minutes(2));
    react(&app, &eraser(&app)).await.unwrap();

    let entry = entry(&app, ada.account).await;
    let expected = (ErasureState::Requested, claim_code_hash);
    assert_eq!((entry.state, entry.claim_code_hash), expected);
}

#[tokio::test]
async fn a_cancellation_that_the_api_did_not_finish_is_struck_out() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    request(&app, ada.account, TimeDelta::days(7)).await;
    harness.clock.advance(TimeDelta::days(1));
    let now = app.clock.now();
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();

    react(&app, &eraser(&app)).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn backups_are_proven_once_the_last_root_is_gone() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    request(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Completed);

    harness.clock.advance(TimeDelta::days(1));
    app.keyring.root_rotation.rotate().await.unwrap();
    erase_due(app.clone()).await.unwrap();

    assert_eq!(entry(&app, ada.account).await.state, ErasureState::BackupProven);
    let steps = event_types(&app, ada.account.0).await;
    assert_eq!(steps.last().unwrap(), "account.erasure_backup_proven");
    let stage = ErasureStage::BackupProven;
    app.keyring.ledger.advance(ada.account.into(), stage).await.unwrap();
}

/// A server that failed has made root 1 and its standby has no row of it; what it wrapped may be in a backup.
#[tokio::test]
async fn backups_are_not_proven_while_a_root_that_may_have_wrapped_a_lost_key_is_there() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let kept = harness.dir.path().join("kept");
    std::fs::copy(harness.root_file(), &kept).unwrap();
    request(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    erase_due(app.clone()).await.unwrap();
    harness.clock.advance(TimeDelta::days(1));
    app.keyring.root_rotation.rotate().await.unwrap();
    std::fs::copy(&kept, harness.root_file()).unwrap();
    let url = &harness.databases.keyring_url;
    let admin = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let lost = "delete from keyring.roots where root_id = 1;
        update keyring.shard_history set newest_root = 1";
    admin.batch_execute(lost).await.unwrap();

    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::Completed);

    std::fs::remove_file(harness.root_file()).unwrap();
    app.stuck_erasures.went_on(ada.account.into());
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(&app, ada.account).await.state, ErasureState::BackupProven);
}

#[tokio::test]
async fn a_cancellation_that_is_appended_before_the_fence_is_kept() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    request(&app, ada.account, TimeDelta::days(1)).await;
    let entry = entry(&app, ada.account).await;
    harness.clock.advance(TimeDelta::days(1));
    let version = due_at(&app, &entry).await.unwrap().unwrap();
    // It was accepted a moment before, on a node whose clock is behind.
    let now = entry.due - TimeDelta::seconds(1);
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();

    assert_eq!(raise_fence_at(&app, &entry, version).await.unwrap(), None);

    assert_eq!(due_at(&app, &entry).await.unwrap(), None);
    assert_eq!(next_stage(&app, &entry).await.unwrap(), Next::Nothing);
    assert_eq!(count(&app, "select count(*) from event_log.fences").await, 0);
}
