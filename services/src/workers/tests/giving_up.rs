//! What becomes of an attempt that is given up.

use domain::run::{Ending, LossCause, Run, RunCommand, TaskLease};
use domain::{RunId, ServerId};

use test_support::until;

use super::super::runner::{Attempts, RunDispatcher};
use super::requesters::requests_on;
use super::*;

struct LostRun {
    _harness: Harness,
    app: App,
    ada: AccountId,
    workspace: WorkspaceId,
    run: RunId,
    server: ServerId,
}

impl LostRun {
    async fn order(&self, command: RunCommand) {
        let request = Request::new(self.workspace.into(), CommandId(self.app.ids.uuid()));
        let steps = [Step::new::<Run>(self.run.0, command)];
        self.app.executor.execute(&request, &steps).await.unwrap();
    }

    async fn dispatch(&self) {
        react(&self.app, &RunDispatcher::new(&self.app, &Arc::default())).await.unwrap();
    }

    async fn give_up(&self) {
        self.order(RunCommand::GiveUp { server: self.server, by: Some(self.ada) }).await;
        for _ in 0..2 {
            self.dispatch().await;
        }
    }

    /// The attempts that have a row, and its state.
    async fn tasks(&self) -> Vec<(i32, String)> {
        let client = self.app.pool.get().await.unwrap();
        let tasks = "select attempt, state from working.run_tasks order by attempt";
        let rows = client.query(tasks, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    async fn events(&self) -> Vec<String> {
        event_types(&self.app, self.run.0).await
    }
}

/// The server of a run is not reached any more, and its log is open.
async fn given_lost() -> LostRun {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (run, server) = (RunId(app.ids.uuid()), ServerId(app.ids.uuid()));
    let given = LostRun { _harness: harness, app, ada, workspace, run, server };
    given.order(requests_on(server)).await;
    given.dispatch().await;
    let lease = TaskLease { server, attempt: 1, fence: 1 };
    given.order(RunCommand::Dispatch { lease }).await;
    given.order(RunCommand::Start { lease }).await;
    let ending = Ending::Lost { why: LossCause::Unreachable };
    given.order(RunCommand::End { lease, ending, left: None }).await;
    let lost = "update working.run_tasks
        set state = 'lost', launched = true, fence = 1, lost_at = clock_timestamp()";
    let client = given.app.pool.get().await.unwrap();
    assert_eq!(client.execute(lost, &[]).await.unwrap(), 1);
    drop(client);
    given
}

#[tokio::test]
async fn what_is_given_up_has_no_task_and_its_log_ends_once_with_what_is_stored() {
    let given = given_lost().await;

    given.give_up().await;

    assert!(given.tasks().await.is_empty());
    let sealed = ["run.lost", "run.given_up", "run.log_sealed"];
    assert_eq!(given.events().await[3..], sealed);
    let loaded = given.app.executor.load::<Run>(given.workspace.into(), given.run.0).await.unwrap();
    let log = loaded.state.requested().unwrap().targets[&given.server].log.unwrap();
    assert!(log.truncated);
}

#[tokio::test]
async fn what_is_given_up_has_no_task_once_its_log_is_sealed_also_where_its_reader_fails() {
    let given = given_lost().await;
    given.order(RunCommand::GiveUp { server: given.server, by: Some(given.ada) }).await;
    let mut events = log(&given.app).await.into_iter();
    let given_up = events.find(|event| event.event_type() == "run.given_up").unwrap();
    let mut client = given.app.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    RunDispatcher::new(&given.app, &Arc::default()).react(&given_up, &tx).await.unwrap();
    drop(tx);
    drop(client);

    assert_eq!(given.events().await[4..], ["run.given_up", "run.log_sealed"]);
    assert!(given.tasks().await.is_empty());
    given.dispatch().await;
    assert_eq!(given.events().await[4..], ["run.given_up", "run.log_sealed"]);
}

#[tokio::test]
async fn what_may_be_left_is_looked_for_at_once_when_it_is_cancelled_also_of_an_earlier_attempt() {
    let given = given_lost().await;
    given.order(RunCommand::Retry { servers: vec![], secrets: None }).await;
    given.dispatch().await;

    given.order(RunCommand::RequestCancel { by: given.ada }).await;
    given.dispatch().await;

    let client = given.app.pool.get().await.unwrap();
    let sought = "select attempt from working.run_tasks
        where state = 'lost' and cancel and next_at is null";
    let rows = client.query(sought, &[]).await.unwrap();
    let attempts: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(attempts, [1]);
}

#[tokio::test]
async fn an_attempt_that_another_one_followed_is_given_up_alone() {
    let given = given_lost().await;
    given.order(RunCommand::Retry { servers: vec![], secrets: None }).await;
    given.dispatch().await;
    assert_eq!(given.tasks().await, [(1, "lost".to_owned()), (2, "queued".to_owned())]);

    given.give_up().await;

    assert_eq!(given.tasks().await, [(2, "queued".to_owned())]);
    assert_eq!(given.events().await[4..], ["run.retried", "run.given_up"]);
}

/// Its node has died after it appended that the attempt is lost, before it wrote so into the row; and somebody has
/// requested another attempt, which no row says yet.
#[tokio::test]
async fn an_attempt_that_may_run_keeps_its_row_though_that_does_not_say_that_it_is_lost() {
    let given = given_lost().await;
    given.order(RunCommand::Retry { servers: vec![], secrets: None }).await;
    let client = given.app.pool.get().await.unwrap();
    let running = "update working.run_tasks set state = 'running', lost_at = null";
    assert_eq!(client.execute(running, &[]).await.unwrap(), 1);
    drop(client);

    let attempts = Attempts::new(&given.app, &Arc::default(), &Arc::default());
    attempts.claim().await.unwrap();

    let at_work = [(1, "running".to_owned())];
    until("a node has looked for it", async || given.tasks().await != at_work).await;
    assert_eq!(given.tasks().await, [(1, "lost".to_owned())]);
    given.dispatch().await;
    let both = [(1, "lost".to_owned()), (2, "queued".to_owned())];
    assert_eq!(given.tasks().await, both, "the second attempt ends the first before it begins");
}
