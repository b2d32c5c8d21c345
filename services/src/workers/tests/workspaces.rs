//! Workspaces: their deletion, after a restore too, and the end of their invitations.

use domain::privacy::{InvitationEmail, Label};
use domain::workspace::{Role, Workspace, WorkspaceCommand};
use domain::{InvitationId, RunId, ServerId, WorkspaceId};
use infra::keyring::{ErasureState, OpenError, RunLeft, RunsLeft};

use super::super::after_restore::replay_ledger;
use super::super::eraser::runs::{ENDED_WITHIN, TRIED_FOR};
use super::super::eraser::{Eraser, erase_due};
use super::super::runner::resume_forgotten;
use super::super::sweeps;
use super::super::workspace_rows::{WorkspaceRows, expire_due};
use super::preparing::known;
use super::*;
use crate::operations::erase_account::{LeftWorkspaces, request_of_account};
use crate::operations::owners::OwnersError;
use crate::operations::request_erasure::RequestErasureError;

async fn order(
    app: &App,
    workspace: WorkspaceId,
    command: WorkspaceCommand,
) -> Result<Receipt, ExecuteError> {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &[Step::new::<Workspace>(workspace.0, command)]).await
}

async fn found(app: &App, workspace: WorkspaceId, owner: AccountId) {
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    order(app, workspace, WorkspaceCommand::Create { name, owner }).await.unwrap();
}

async fn delete(app: &App, workspace: WorkspaceId, by: AccountId, grace: TimeDelta) {
    let now = app.clock.now();
    let asks =
        WorkspaceCommand::RequestDeletion { by, now, due: now + grace, requested_before: vec![] };
    order(app, workspace, asks).await.unwrap();
    react(app, &Eraser::new(app, &Arc::default())).await.unwrap();
}

async fn state(app: &App, workspace: WorkspaceId) -> Workspace {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    (*loaded.state).clone()
}

#[tokio::test]
async fn a_restore_brings_back_no_workspace_that_was_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    let ada = AccountId(app.ids.uuid());
    let (gone, going) = (WorkspaceId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    for workspace in [gone, going] {
        found(&app, workspace, ada).await;
        found(&restored, workspace, ada).await;
    }
    delete(&app, gone, ada, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();
    assert_eq!(state(&app, gone).await, Workspace::Ended);
    delete(&app, going, ada, TimeDelta::days(7)).await;
    harness.clock.advance(TimeDelta::days(2));

    assert_eq!(replay_ledger(&restored).await.unwrap(), 2);

    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
    assert_eq!(replay_ledger(&app).await.unwrap(), 0);
    assert_eq!(state(&restored, gone).await, Workspace::Ended);
    assert!(state(&restored, going).await.live().unwrap().deletion.is_some());
    harness.clock.advance(TimeDelta::days(6));
    take_over(&restored).await;
    erase_due(restored.clone()).await.unwrap();
    assert_eq!(state(&restored, going).await, Workspace::Ended);
    for workspace in [gone, going] {
        let entry = app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
        assert_eq!(entry.state, ErasureState::Completed);
    }
}

#[tokio::test]
async fn a_deletion_that_the_ledger_lost_is_entered_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    found(&app, workspace, ada).await;
    delete(&app, workspace, ada, TimeDelta::days(7)).await;
    app.keyring.ledger.cancel(workspace.into()).await.unwrap();
    harness.clock.advance(TimeDelta::days(8));
    project(&app).await;

    sweeps::sweep_erasures(app.clone()).await.unwrap();
    erase_due(app.clone()).await.unwrap();

    assert_eq!(state(&app, workspace).await, Workspace::Ended);
    let entry = app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    assert_eq!(entry.state, ErasureState::Completed);
}

#[tokio::test]
async fn a_deletion_that_was_taken_back_never_comes() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    found(&app, workspace, ada).await;
    delete(&app, workspace, ada, TimeDelta::days(7)).await;
    harness.clock.advance(TimeDelta::days(6));
    let cancels = WorkspaceCommand::CancelDeletion { by: ada, now: app.clock.now() };
    order(&app, workspace, cancels).await.unwrap();

    harness.clock.advance(TimeDelta::days(2));
    erase_due(app.clone()).await.unwrap();

    assert!(state(&app, workspace).await.live().unwrap().deletion.is_none());
    let entry = app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    assert_eq!(entry.state, ErasureState::Cancelled);
}

#[tokio::test]
async fn an_erasure_waits_until_it_is_known_what_another_node_has_appended_last() {
    let harness = Harness::new().await;
    let (here, there) = (harness.node().await, harness.node().await);
    let ada = register(&here, "ada@example.org").await.account;
    project(&here).await;
    found(&there, WorkspaceId(here.ids.uuid()), ada).await;
    let account = here.executor.load::<Account>(ada.into(), ada.0).await.unwrap();
    let Account::Live(live) = &*account.state else { panic!("not live") };
    let asks = Request::new(ada.into(), CommandId(here.ids.uuid()));
    let with = (TimeDelta::days(7), LeftWorkspaces::HaveOwners);
    let request = || request_of_account(&here, ada, live, with, &asks);

    let behind = request().await.map(drop);
    let Err(RequestErasureError::Owners(OwnersError::ReadModelBehind)) = behind else {
        panic!("{behind:?}")
    };
    project(&here).await;

    assert!(!request().await.unwrap().0.receipt.replayed(), "nobody else is in her workspace");
}

const BEGUN: &str = "insert into working.run_tasks
    (run_id, server_id, attempt, workspace_id, state, launched, queued_at)
    values ($1, $2, 1, $3, 'running', true, clock_timestamp())";

fn one(left: RunLeft) -> RunsLeft {
    RunsLeft { listed: vec![left], count: 1 }
}

#[tokio::test]
async fn a_workspace_keeps_its_keys_until_its_runs_are_ended_or_an_hour_is_over() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, away, ended) =
        (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    let left = RunLeft { run: RunId(app.ids.uuid()), server: ServerId(app.ids.uuid()) };
    let client = app.pool.get().await.unwrap();
    for (workspace, run) in [(away, left.run), (ended, RunId(app.ids.uuid()))] {
        found(&app, workspace, ada).await;
        delete(&app, workspace, ada, TimeDelta::zero()).await;
        client.execute(BEGUN, &[&run.0, &left.server.0, &workspace.0]).await.unwrap();
    }
    let entry = async |of: WorkspaceId| app.keyring.ledger.entry(of.into()).await.unwrap().unwrap();

    erase_due(app.clone()).await.unwrap();

    let (state, keys) = (entry(away).await.state, "select from keyring.keys where subject = $1");
    assert_eq!(state, ErasureState::Fenced);
    let keyring = app.keyring_pool.get().await.unwrap();
    assert!(!keyring.query(keys, &[&away.0]).await.unwrap().is_empty());
    assert_eq!(count(&app, "select count(*) from working.run_tasks where cancel").await, 2);
    // As the node does that has killed it.
    let finish = "delete from working.run_tasks where workspace_id = $1";
    client.execute(finish, &[&ended.0]).await.unwrap();
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(ended).await.state, ErasureState::Completed);
    assert_eq!(entry(ended).await.runs_left, Some(RunsLeft::default()));
    assert_eq!(entry(away).await.state, ErasureState::Fenced);
    harness.clock.advance(ENDED_WITHIN);
    // As after a restart: nobody may have tried it in this hour.
    app.stuck_erasures.went_on(away.into());
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(away).await.state, ErasureState::Fenced);
    harness.clock.advance(TRIED_FOR);
    erase_due(app.clone()).await.unwrap();
    assert_eq!(entry(away).await.state, ErasureState::Completed);
    assert_eq!(entry(away).await.runs_left, Some(one(left)));
}

#[tokio::test]
async fn the_runs_that_were_not_ended_are_recorded_once() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    let left = RunLeft { run: RunId(app.ids.uuid()), server: ServerId(app.ids.uuid()) };
    let client = app.pool.get().await.unwrap();
    found(&app, workspace, ada).await;
    delete(&app, workspace, ada, TimeDelta::zero()).await;
    client.execute(BEGUN, &[&left.run.0, &left.server.0, &workspace.0]).await.unwrap();
    erase_due(app.clone()).await.unwrap();
    // A node that has recorded it, and stops before the keys are erased.
    app.keyring.ledger.note_runs_left(workspace.into(), &one(left)).await.unwrap();
    client.execute("delete from working.run_tasks", &[]).await.unwrap();

    app.keyring.ledger.note_runs_left(workspace.into(), &RunsLeft::default()).await.unwrap();
    erase_due(app.clone()).await.unwrap();

    let entry = app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.runs_left), (ErasureState::Completed, Some(one(left))));
}

#[tokio::test]
async fn of_many_runs_that_were_not_ended_the_first_thousand_are_listed_and_all_counted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    found(&app, workspace, ada).await;
    delete(&app, workspace, ada, TimeDelta::zero()).await;
    // 500 that were never launched come first.
    let begun = "insert into working.run_tasks
          (run_id, server_id, attempt, workspace_id, state, launched, queued_at)
        select format('00000000-0000-0000-%s-%s', lpad(n::text, 4, '0'), repeat('7', 12))::uuid, $1, 1, $2,
          'running', n > 500, clock_timestamp()
        from generate_series(1, 2700) n";
    let client = app.pool.get().await.unwrap();
    client.execute(begun, &[&Uuid::from_u128(7), &workspace.0]).await.unwrap();
    erase_due(app.clone()).await.unwrap();
    harness.clock.advance(ENDED_WITHIN + TRIED_FOR);

    erase_due(app.clone()).await.unwrap();

    let entry = app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    let left = entry.runs_left.unwrap();
    assert_eq!((left.count, left.listed.len()), (2200, 1000));
    let first = "00000000-0000-0000-0501-777777777777".parse().unwrap();
    assert_eq!(left.listed[0], RunLeft { run: RunId(first), server: ServerId(Uuid::from_u128(7)) });
}

#[tokio::test]
async fn after_a_restore_of_the_log_the_runs_of_a_fenced_workspace_are_ended_as_well() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    let left = RunLeft { run: RunId(app.ids.uuid()), server: ServerId(app.ids.uuid()) };
    for of in [&app, &restored] {
        found(of, workspace, ada).await;
        let client = of.pool.get().await.unwrap();
        client.execute(BEGUN, &[&left.run.0, &left.server.0, &workspace.0]).await.unwrap();
    }
    delete(&app, workspace, ada, TimeDelta::zero()).await;
    erase_due(app.clone()).await.unwrap();

    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    let entry = async || app.keyring.ledger.entry(workspace.into()).await.unwrap().unwrap();
    assert_eq!(state(&restored, workspace).await, Workspace::Ended);
    assert_eq!(replay_ledger(&restored).await.unwrap(), 0);
    take_over(&restored).await;
    erase_due(restored.clone()).await.unwrap();
    assert_eq!(entry().await.state, ErasureState::Fenced);
    let ends = "select count(*) from working.run_tasks where cancel";
    assert_eq!(count(&restored, ends).await, 1);
    harness.clock.advance(ENDED_WITHIN);
    erase_due(restored.clone()).await.unwrap();
    assert_eq!(entry().await.runs_left, Some(one(left)));
    assert_eq!(count(&restored, "select count(*) from working.run_tasks").await, 0);
}

#[tokio::test]
async fn what_was_set_aside_is_resumed_unless_a_deletion_is_requested() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, deleting, living) =
        (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    let client = app.pool.get().await.unwrap();
    for workspace in [deleting, living] {
        found(&app, workspace, ada).await;
        let (run, server) = (app.ids.uuid(), app.ids.uuid());
        client.execute(BEGUN, &[&run, &server, &workspace.0]).await.unwrap();
    }
    delete(&app, deleting, ada, TimeDelta::days(7)).await;
    client.execute("update working.run_tasks set state = 'paused'", &[]).await.unwrap();

    resume_forgotten(app.clone()).await.unwrap();

    assert_eq!(app.run_queue.paused(None, 9).await.unwrap(), [deleting]);
    let queued = "select count(*) from working.run_tasks where state = 'queued'";
    assert_eq!(count(&app, queued).await, 1);
}

#[tokio::test]
async fn an_invitation_ends_with_its_time_and_its_address_is_erased() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, workspace) = (AccountId(app.ids.uuid()), WorkspaceId(app.ids.uuid()));
    let invitation = InvitationId(app.ids.uuid());
    found(&app, workspace, ada).await;
    let now = app.clock.now();
    let invites = WorkspaceCommand::Invite {
        by: ada,
        invitation,
        email: Personal::Clear(address("bob@example.org")),
        role: Role::Viewer,
        now,
        until: now + TimeDelta::days(7),
        replaces: None,
    };
    order(&app, workspace, invites).await.unwrap();
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    let sealed = {
        let state = state(&app, workspace).await;
        state.live().unwrap().invitations[&invitation].email.sealed().unwrap().clone()
    };
    let open = async || {
        let of = (workspace.into(), invitation.into());
        app.keyring.sealer.open::<InvitationEmail>(of.0, of.1, &sealed).await
    };

    app.watermark.begin_keeping().await.unwrap();
    expire_due(app.clone()).await.unwrap();
    assert_eq!(open().await.unwrap(), address("bob@example.org"));
    harness.clock.advance(TimeDelta::days(7));
    expire_due(app.clone()).await.unwrap();

    assert!(state(&app, workspace).await.live().unwrap().invitations.is_empty());
    assert!(matches!(open().await, Err(OpenError::Erased)));
    assert_eq!(count(&app, "select count(*) from working.invitations").await, 0);
    assert_eq!(known(&app).await, log(&app).await.last().unwrap().position());
}
