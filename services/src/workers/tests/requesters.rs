//! For which account the queue counts what is requested.

use domain::privacy::CommandLine;
use domain::run::{Run, RunCommand, Work};
use domain::{ActorId, RunId, ServerId, WorkspaceId};

use super::super::runner::RunDispatcher;
use super::*;

async fn request_run(app: &App, workspace: WorkspaceId, actor: Option<ActorId>) -> RunId {
    let run = RunId(app.ids.uuid());
    let command = Personal::Clear(CommandLine::parse("true").unwrap());
    let (work, servers) = (Work::Command { command }, vec![ServerId(app.ids.uuid())]);
    let requests = RunCommand::Request {
        work,
        servers,
        timeout_seconds: 60,
        secrets: None,
        secret_names: None,
        environment: None,
    };
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    let request = Request { actor, ..request };
    app.executor.execute(&request, &[Step::new::<Run>(run.0, requests)]).await.unwrap();
    run
}

#[tokio::test]
async fn what_a_token_requests_counts_for_its_account() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (token, _) = issue(&app, ada, workspace).await;
    let in_person = request_run(&app, workspace, Some(ada.into())).await;
    let by_token = request_run(&app, workspace, Some(token.into())).await;
    let by_nobody = request_run(&app, workspace, None).await;

    react(&app, &RunDispatcher::new(&app, &Arc::default())).await.unwrap();

    let client = app.pool.get().await.unwrap();
    for (run, requester) in [(in_person, Some(ada.0)), (by_token, Some(ada.0)), (by_nobody, None)] {
        let counts_for = "select requester_id from working.run_tasks where run_id = $1";
        let row = client.query_one(counts_for, &[&run.0]).await.unwrap();
        assert_eq!(row.get::<_, Option<Uuid>>(0), requester);
    }
}
