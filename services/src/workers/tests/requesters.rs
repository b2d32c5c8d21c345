//! Whose what is requested is: for which account the queue counts it, and that it begins only for whoever may start runs.

use domain::privacy::CommandLine;
use domain::run::{Run, RunCommand, RunEvent, StartCause, Work};
use domain::workspace::{Right, Role};
use domain::{ActorId, ApiTokenId, InvitationId, RunId, ServerId};
use test_support::until;

use super::super::runner::{Attempts, RunDispatcher};
use super::*;

/// As `actor`.
async fn execute<A>(
    app: &App,
    workspace: WorkspaceId,
    actor: Option<ActorId>,
    (stream, command): (Uuid, A::Command),
) where
    A: infra::event_store::Stored,
{
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let request = Request { actor, ..request };
    app.executor.execute(&request, &[Step::new::<A>(stream, command)]).await.unwrap();
}

async fn order(app: &App, workspace: WorkspaceId, command: WorkspaceCommand) {
    execute::<Workspace>(app, workspace, None, (workspace.0, command)).await;
}

/// A command that does nothing, on one server.
pub(super) fn requests_on(server: ServerId) -> RunCommand {
    let command = Personal::Clear(CommandLine::parse("true").unwrap());
    RunCommand::Request {
        work: Work::Command { command },
        servers: vec![server],
        timeout_seconds: 60,
        secrets: None,
        secret_names: None,
        environment: None,
    }
}

/// On a server that nobody has registered.
pub(super) async fn request_run(
    app: &App,
    workspace: WorkspaceId,
    actor: Option<ActorId>,
) -> RunId {
    let (run, server) = (RunId(app.ids.uuid()), ServerId(app.ids.uuid()));
    execute::<Run>(app, workspace, actor, (run.0, requests_on(server))).await;
    run
}

/// Somebody who has joined as an operator.
async fn operator(app: &App, by: AccountId, workspace: WorkspaceId) -> AccountId {
    let (account, now) = (AccountId(app.ids.uuid()), app.clock.now());
    let (invitation, until) = (InvitationId(app.ids.uuid()), now + TimeDelta::days(7));
    let email = Personal::Clear(address("bob@example.org"));
    let (role, replaces) = (Role::Operator, None);
    let invites = WorkspaceCommand::Invite { by, invitation, email, role, now, until, replaces };
    order(app, workspace, invites).await;
    let accepts = WorkspaceCommand::AcceptInvitation { by: account, invitation, now };
    order(app, workspace, accepts).await;
    account
}

/// A service account that starts runs, and a token of it.
async fn robot(app: &App, by: AccountId, workspace: WorkspaceId) -> (AccountId, ApiTokenId) {
    let (account, token) = (AccountId(app.ids.uuid()), ApiTokenId(app.ids.uuid()));
    let (role, name) = (Role::Operator, Personal::Clear(Label::parse("deploys").unwrap()));
    order(app, workspace, WorkspaceCommand::CreateServiceAccount { by, account, name, role }).await;
    let (rights, now) = (vec![Right::StartRuns], app.clock.now());
    let expires_at = now + TimeDelta::days(30);
    let issues = WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at };
    order(app, workspace, issues).await;
    (account, token)
}

/// For which account the queue counts a run, and of which attempt.
async fn counts_for(app: &App, run: RunId) -> (Option<Uuid>, i32) {
    let client = app.pool.get().await.unwrap();
    let of_run = "select requester_id, attempt from working.run_tasks where run_id = $1";
    let row = client.query_one(of_run, &[&run.0]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Why it was not started.
async fn not_started(app: &App, run: RunId) -> Option<StartCause> {
    let log = log(app).await;
    let mut of_run = log.iter().filter(|event| event.stream_id() == run.0);
    of_run.find_map(|event| {
        if let RunEvent::NotStarted { cause, .. } = event.decode().unwrap() {
            Some(cause)
        } else {
            None
        }
    })
}

#[tokio::test]
async fn what_a_token_requests_counts_for_its_account() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (token, _) = issue(&app, ada, workspace).await;
    let (revoked, _) = issue(&app, ada, workspace).await;
    let in_person = request_run(&app, workspace, Some(ada.into())).await;
    let by_token = request_run(&app, workspace, Some(token.into())).await;
    let by_revoked = request_run(&app, workspace, Some(revoked.into())).await;
    let by_nobody = request_run(&app, workspace, None).await;
    let revocation = WorkspaceCommand::RevokeApiToken { by: ada, token: revoked };
    order(&app, workspace, revocation).await;

    react(&app, &RunDispatcher::new(&app, &Arc::default())).await.unwrap();

    for run in [in_person, by_token, by_revoked] {
        assert_eq!(counts_for(&app, run).await, (Some(ada.0), 1));
    }
    assert_eq!(counts_for(&app, by_nobody).await, (None, 1));
}

#[tokio::test]
async fn another_attempt_is_of_whoever_has_requested_it_however_late_the_first_one_is_read() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = AccountId(app.ids.uuid());
    let workspace = create_workspace(&app, ada).await;
    let bob = operator(&app, ada, workspace).await;
    let run = request_run(&app, workspace, Some(ada.into())).await;
    let cancels = RunCommand::RequestCancel { by: ada };
    execute::<Run>(&app, workspace, Some(ada.into()), (run.0, cancels)).await;
    let retries = RunCommand::Retry { servers: vec![], secrets: None };
    execute::<Run>(&app, workspace, Some(bob.into()), (run.0, retries)).await;

    react(&app, &RunDispatcher::new(&app, &Arc::default())).await.unwrap();

    assert_eq!(counts_for(&app, run).await, (Some(bob.0), 2));
}

#[tokio::test]
async fn what_waits_ends_before_it_begins_if_its_requester_may_not_start_runs_any_more() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = AccountId(app.ids.uuid());
    let workspace = create_workspace(&app, ada).await;
    let (bob, eve) = (operator(&app, ada, workspace).await, operator(&app, ada, workspace).await);
    let (robot, token) = robot(&app, ada, workspace).await;
    let actors: [ActorId; 4] = [ada.into(), bob.into(), eve.into(), token.into()];
    let mut runs = vec![];
    for actor in actors {
        runs.push(request_run(&app, workspace, Some(actor)).await);
    }
    react(&app, &RunDispatcher::new(&app, &Arc::default())).await.unwrap();
    let now = app.clock.now();
    for command in [
        WorkspaceCommand::RemoveMember { by: ada, member: bob, now },
        WorkspaceCommand::ChangeRole { by: ada, member: eve, role: Role::Viewer },
        WorkspaceCommand::RemoveMember { by: ada, member: robot, now },
    ] {
        order(&app, workspace, command).await;
    }

    let attempts = Attempts::new(&app, &Arc::default(), &Arc::default());
    until("no task is left", async || {
        attempts.claim().await.unwrap();
        count(&app, "select count(*) from working.run_tasks").await == 0
    })
    .await;

    let mut causes = vec![];
    for run in runs {
        causes.push(not_started(&app, run).await.unwrap());
        let ended = ["run.requested", "run.dispatched", "run.not_started"];
        assert_eq!(event_types(&app, run.0).await, ended);
    }
    // The first began: there is no such server.
    let not_allowed = StartCause::RequesterNotAllowed;
    assert_eq!(causes, [StartCause::NotReady, not_allowed, not_allowed, not_allowed]);
}
