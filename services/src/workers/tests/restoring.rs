//! Older events under the ledger of today.

use infra::keyring::{ErasureState, SubjectKind};

use super::super::after_restore::replay_ledger;
use super::super::eraser::{Eraser, erase_due, raise_fence};
use super::super::mailer::Mailer;
use super::email_index::rotate;
use super::*;

/// As a start does that finds this log in the place of the one that is known.
pub(super) async fn take_over(restored: &App) {
    restored.watermark.load().await.unwrap();
    restored.watermark.begin_restore().await.unwrap();
    restored.watermark.finish_restore().await.unwrap();
}

async fn erasure(app: &App, account: AccountId, grace: TimeDelta) {
    let now = app.clock.now();
    ask(app, account, None, AccountCommand::RequestErasure { now, due: now + grace })
        .await
        .unwrap();
    react(app, &Eraser::new(app, &Arc::default())).await.unwrap();
}

#[tokio::test]
async fn who_was_erased_is_fenced_again_before_anything_is_served() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    // What the events' database was before the erasures: the same people in another database.
    let before = databases().await.unwrap();
    let mail = app.transport.clone();
    let restored = harness.node_with(mail, &before.log_url).await;
    register_as(&restored, ada.account, "ada@example.org").await;
    register_as(&restored, bob.account, "bob@example.org").await;
    let (_, token) = sign_in(&restored, ada.account).await;
    erasure(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    erasure(&app, bob.account, TimeDelta::days(7)).await;
    harness.clock.advance(TimeDelta::days(2));

    assert_eq!(replay_ledger(&restored).await.unwrap(), 2);

    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
    assert_eq!(replay_ledger(&app).await.unwrap(), 0);
    assert_eq!(restored.sessions.find(&token).await.unwrap(), None);
    let hashes = "select count(*) from working.credentials";
    assert_eq!(count(&restored, hashes).await, 1);
    assert_eq!(
        count(&restored, "select count(distinct owner) from event_log.reservations").await,
        1
    );
    let late = AccountCommand::RequestPasswordReset { proof: proof(&restored) };
    let late = ask(&restored, ada.account, None, late).await;
    assert!(matches!(late, Err(ExecuteError::Fenced)), "{late:?}");
    let steps = event_types(&restored, bob.account.0).await;
    assert_eq!(steps.last().unwrap(), "account.erasure_requested");
    harness.clock.advance(TimeDelta::days(6));
    take_over(&restored).await;
    erase_due(restored.clone()).await.unwrap();
    let entry = restored.keyring.ledger.entry(bob.account.into()).await.unwrap().unwrap();
    assert_eq!(entry.state, ErasureState::Completed);
}

/// Ada's erasure is completed, and the events are restored to a time before it; she has a session and
/// a mail then.
async fn restored_before_an_erasure(
    harness: &Harness,
    mail: Transport,
) -> (App, Person, Databases) {
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(mail, &before.log_url).await;
    register_as(&restored, ada.account, "ada@example.org").await;
    sign_in(&restored, ada.account).await;
    react(&restored, &Mailer::new(&restored, &Arc::default())).await.unwrap();
    erasure(&app, ada.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    (restored, ada, before)
}

async fn assert_no_rows(app: &App) {
    for table in ["credentials", "sessions", "outbox"] {
        let rows = format!("select count(*) from working.{table}");
        assert_eq!(count(app, &rows).await, 0, "{table}");
    }
}

#[tokio::test]
async fn rows_that_are_left_behind_a_fence_are_deleted_at_the_next_start() {
    let harness = Harness::new().await;
    let mail = Transport::folder(harness.dir.path().join("mail")).await.unwrap();
    let (restored, ada, _databases) = restored_before_an_erasure(&harness, mail).await;
    raise_fence(&restored, SubjectKind::Account, ada.account.into()).await.unwrap();

    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    assert_no_rows(&restored).await;
    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
}

#[tokio::test]
async fn an_erasure_that_is_interrupted_after_a_restore_is_applied_at_the_next_start() {
    let harness = Harness::new().await;
    let folder = harness.dir.path().join("other");
    let mail = Transport::folder(&folder).await.unwrap();
    let (restored, ada, _databases) = restored_before_an_erasure(&harness, mail).await;
    // No file can be deleted below a file.
    std::fs::remove_dir(&folder).unwrap();
    std::fs::write(&folder, "").unwrap();

    replay_ledger(&restored).await.unwrap_err();
    std::fs::remove_file(&folder).unwrap();
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    assert_no_rows(&restored).await;
    let late = AccountCommand::RequestPasswordReset { proof: proof(&restored) };
    let late = ask(&restored, ada.account, None, late).await;
    assert!(matches!(late, Err(ExecuteError::Fenced)), "{late:?}");
    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
}

#[tokio::test]
async fn a_stream_that_cannot_be_read_keeps_no_node_from_starting() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let mut people = vec![];
    for email in ["ada@example.org", "bob@example.org", "eve@example.org", "joe@example.org"] {
        people.push(register(&app, email).await);
    }
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    for person in &people {
        register_as(&restored, person.account, person.email).await;
    }
    let [ada, bob, eve, joe] = people.try_into().ok().unwrap();
    erasure(&app, eve.account, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    for person in [&ada, &bob] {
        erasure(&app, person.account, TimeDelta::days(7)).await;
    }
    harness.clock.advance(TimeDelta::days(2));
    rotate(&app).await;
    for person in [&ada, &eve] {
        damage(&before, person.account.0).await;
    }
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;

    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    let last = async |account: AccountId| event_types(&restored, account.0).await.pop().unwrap();
    assert_eq!(last(bob.account).await, "account.erasure_requested");
    assert_eq!(last(ada.account).await, "account.of_tomorrow");
    let hashes =
        format!("select count(*) from working.credentials where account_id = '{}'", eve.account);
    assert_eq!(count(&restored, &hashes).await, 0);
    let fenced = format!("select count(*) from event_log.fences where subject = '{}'", eve.account);
    assert_eq!(count(&restored, &fenced).await, 1);
    let open = app.keyring.ledger.entry(ada.account.into()).await.unwrap().unwrap();
    assert_eq!(open.state, ErasureState::Requested);
    let indexes = restored.keyring.email_index.indexes(&address(joe.email)).await.unwrap();
    let reserved = restored.reservations.of_owner(joe.account.0).await.unwrap();
    assert!(indexes.iter().all(|index| reserved.contains(index)), "{reserved:?}");
    assert_eq!(restored.reservations.of_owner(ada.account.0).await.unwrap().len(), 1);

    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
    let kept = restored.reservations.of_owner(ada.account.0).await.unwrap();
    assert_eq!(kept.len(), 1, "the next start leaves the mark of an address that is missing");
}

#[tokio::test]
async fn a_lost_fence_is_raised_again_however_many_erasures_come_before_it() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let completed = "insert into keyring.erasures (subject, requested_at, due, claim_code_hash,
          state, fenced_at, destroyed_at, keys, completed_at)
        select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, $1,
          sha256(n::text::bytea), 'completed', $1, $1, 0, $1 from generate_series(1, 600) n";
    let keyring = app.keyring_pool.get().await.unwrap();
    keyring.execute(completed, &[&app.clock.now()]).await.unwrap();
    drop(keyring);
    let owner = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let all_but_the_last = "insert into event_log.fences
        select ('00000000-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, '{}', 0
        from generate_series(1, 599) n";
    owner.execute(all_but_the_last, &[]).await.unwrap();

    assert_eq!(replay_ledger(&app).await.unwrap(), 1);

    assert_eq!(count(&app, "select count(*) from event_log.fences").await, 600);
}

#[tokio::test]
async fn a_request_that_may_still_be_appending_is_not_requested_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let due = app.clock.now() + TimeDelta::days(7);
    let (kind, subject) = (SubjectKind::Account, ada.account.into());
    app.keyring.ledger.request(kind, subject, due, [7; 32]).await.unwrap();

    assert_eq!(replay_ledger(&app).await.unwrap(), 0);
    assert_eq!(event_types(&app, ada.account.0).await, ["account.registered"]);

    harness.clock.advance(TimeDelta::minutes(2));
    assert_eq!(replay_ledger(&app).await.unwrap(), 1);
    let expected = ["account.registered", "account.erasure_requested"];
    assert_eq!(event_types(&app, ada.account.0).await, expected);
}
