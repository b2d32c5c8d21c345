//! An erasure that takes long, or cannot be done, keeps no other waiting.

use domain::privacy::Label;
use domain::workspace::{Workspace, WorkspaceCommand};
use domain::{SubjectId, WorkspaceId};
use futures_util::FutureExt;
use infra::keyring::ErasureState;

use super::super::due::Due;
use super::super::eraser::workspace::BATCHES_A_TURN;
use super::super::eraser::{Eraser, erase_due};
use super::*;

const FILL_COMMANDS: &str = include_str!("fill_commands.sql");

async fn deleted_workspace(app: &App) -> WorkspaceId {
    let (workspace, owner) = (WorkspaceId(app.ids.uuid()), AccountId(app.ids.uuid()));
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let now = app.clock.now();
    for command in [
        WorkspaceCommand::Create { name, owner },
        WorkspaceCommand::RequestDeletion { by: owner, now, due: now, requested_before: vec![] },
    ] {
        let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
        let steps = [Step::new::<Workspace>(workspace.0, command)];
        app.executor.execute(&request, &steps).await.unwrap();
    }
    workspace
}

async fn state(app: &App, subject: SubjectId) -> ErasureState {
    app.keyring.ledger.entry(subject).await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_workspace_with_more_rows_than_a_turn_deletes_goes_on_after_the_others() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (large, small) = (deleted_workspace(&app).await, deleted_workspace(&app).await);
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();
    // Two turns are not enough for them: one comes before the keys are known to be erased.
    let fill = "insert into working.run_tasks \
        (run_id, server_id, attempt, workspace_id, state, queued_at) \
        select gen_random_uuid(), gen_random_uuid(), 1, $1, 'queued', now() \
        from generate_series(1, 2500 * $2::int)";
    let turn = i32::try_from(BATCHES_A_TURN).unwrap();
    app.pool.get().await.unwrap().execute(fill, &[&large.0, &turn]).await.unwrap();

    assert!(erase_due(app.clone()).await.unwrap(), "the large one is not finished");

    assert_eq!(state(&app, small.into()).await, ErasureState::Completed);
    assert_eq!(state(&app, large.into()).await, ErasureState::KeysErased);
    assert_eq!(app.metrics.erasures_unfinished.get(), 1);
    assert!(!erase_due(app.clone()).await.unwrap());
    assert_eq!(state(&app, large.into()).await, ErasureState::Completed);
    assert_eq!(count(&app, "select count(*) from working.run_tasks").await, 0);
    assert_eq!(app.metrics.erasures_unfinished.get(), 0);
}

#[tokio::test]
async fn a_workspace_with_more_commands_than_a_turn_reads_is_erased_in_several_turns() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let large = deleted_workspace(&app).await;
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();
    let owner = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    let commands = (1000 * BATCHES_A_TURN + 500).to_string();
    let fill = FILL_COMMANDS.replace("$1", &format!("'{large}'")).replace("$2", &commands);
    owner.batch_execute(&fill).await.unwrap();

    assert!(erase_due(app.clone()).await.unwrap(), "one turn reads them all");
    assert!(!erase_due(app.clone()).await.unwrap(), "the second turn does not end it");

    assert_eq!(state(&app, large.into()).await, ErasureState::Completed);
    assert_eq!(count(&app, "select count(*) from event_log.snapshots").await, 0);
}

#[tokio::test]
async fn erasures_that_cannot_be_done_keep_no_later_one_waiting() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let now = app.clock.now();
    let keyring = app.keyring_pool.get().await.unwrap();
    // Of people whom the log does not know yet.
    let stuck = "insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state) \
        select gen_random_uuid(), $1, $1, sha256(n::text::bytea), 'requested' \
        from generate_series(1, 600) n";
    keyring.execute(stuck, &[&(now - TimeDelta::minutes(5))]).await.unwrap();
    let small = deleted_workspace(&app).await;
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();

    erase_due(app.clone()).await.unwrap();

    assert_eq!(state(&app, small.into()).await, ErasureState::Completed);
}

/// They are looked at seldom, and wake nobody meanwhile.
#[tokio::test]
async fn erasures_that_are_stuck_for_long_wait_for_their_next_turn() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let keyring = app.keyring_pool.get().await.unwrap();
    let stuck = "insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state) \
        values ($1, $2, $2, sha256('1'), 'requested')";
    let at = app.clock.now() - TimeDelta::minutes(5);
    // Somebody who lives, and of whose request the log does not know.
    let subject = SubjectId(register(&app, "ada@example.org").await.account.0);
    keyring.execute(stuck, &[&subject.0, &at]).await.unwrap();
    let is_waiting = || app.stuck_erasures.is_waiting(subject, app.clock.now());
    let due = Due::default();
    let wakes = async || {
        due.look_for_erasures(&app).await.unwrap();
        due.erasures.notified().now_or_never().is_some()
    };

    erase_due(app.clone()).await.unwrap();
    assert!(!is_waiting() && wakes().await);
    harness.clock.advance(TimeDelta::minutes(2));
    erase_due(app.clone()).await.unwrap();

    assert!(is_waiting() && !wakes().await);
    let healthy = deleted_workspace(&app).await;
    react(&app, &Eraser::new(&app, &Arc::default())).await.unwrap();
    assert!(wakes().await);
    erase_due(app.clone()).await.unwrap();
    assert_eq!(state(&app, healthy.into()).await, ErasureState::Completed);
    harness.clock.advance(TimeDelta::minutes(1));
    assert!(!is_waiting() && wakes().await);
}
