//! What waited while nobody owned its workspace, once somebody does.

use domain::InvitationId;
use domain::workspace::Role;

use super::super::runner::RunDispatcher;
use super::requesters::request_run;
use super::*;

async fn order(app: &App, workspace: WorkspaceId, command: WorkspaceCommand) {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let steps = [Step::new::<Workspace>(workspace.0, command)];
    app.executor.execute(&request, &steps).await.unwrap();
}

#[tokio::test]
async fn what_was_requested_more_than_a_day_before_somebody_owns_it_is_cancelled() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (ada, bob) = (AccountId(app.ids.uuid()), AccountId(app.ids.uuid()));
    let workspace = WorkspaceId(app.ids.uuid());
    let (invitation, now) = (InvitationId(app.ids.uuid()), app.clock.now());
    for command in [
        WorkspaceCommand::Create {
            name: Personal::Clear(Label::parse("Engines").unwrap()),
            owner: ada,
        },
        WorkspaceCommand::Invite {
            by: ada,
            invitation,
            email: Personal::Clear(address("bob@example.org")),
            role: Role::Viewer,
            now,
            until: now + TimeDelta::days(7),
            replaces: None,
        },
        WorkspaceCommand::AcceptInvitation { by: bob, invitation, now },
    ] {
        order(&app, workspace, command).await;
    }
    let (old, young) =
        (request_run(&app, workspace, None).await, request_run(&app, workspace, None).await);
    let dispatcher = RunDispatcher::new(&app, &Arc::default());
    react(&app, &dispatcher).await.unwrap();
    let client = app.pool.get().await.unwrap();
    let waited = "update working.run_tasks set state = 'paused',
        queued_at = queued_at - case when run_id = $1 then interval '2 days' else interval '0' end";
    assert_eq!(client.execute(waited, &[&old.0]).await.unwrap(), 2);
    let erased = WorkspaceCommand::RemoveErasedMember { member: ada, heir: None };
    order(&app, workspace, erased).await;
    let appoints = WorkspaceCommand::AppointOwner { member: bob };
    order(&app, workspace, appoints).await;

    for _ in 0..2 {
        react(&app, &dispatcher).await.unwrap();
    }

    let cancelled = ["run.requested", "run.cancel_requested", "run.cancelled"];
    assert_eq!(event_types(&app, old.0).await, cancelled);
    assert_eq!(event_types(&app, young.0).await, ["run.requested"]);
    let tasks = client.query("select run_id, state from working.run_tasks", &[]).await.unwrap();
    let tasks: Vec<(Uuid, String)> = tasks.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(tasks, [(young.0, "queued".to_owned())]);
}
