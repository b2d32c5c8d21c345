//! One item that cannot be handled keeps no other from being swept.

use domain::WorkspaceId;
use domain::privacy::{CommandLine, Label};
use domain::run::{RequestedRun, Work};
use domain::workspace::{Workspace, WorkspaceCommand};
use infra::keyring::ErasureState;

use super::super::runner::RunInputs;
use super::super::workspace_rows::expire_due;
use super::super::{Workers, mailer, sweeps};
use super::*;
use crate::operations::system_command::SystemCommand;

/// More than a sweep reads at once.
const MANY: i64 = 300;

/// Runs it for one id, and returns the number of rows.
async fn execute(app: &App, sql: &str, id: Uuid) -> u64 {
    app.pool.get().await.unwrap().execute(sql, &[&id]).await.unwrap()
}

#[tokio::test]
async fn hashes_of_an_account_that_cannot_be_read_keep_no_other_hash() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let copies = format!(
        "insert into working.credentials (credential_id, account_id, hash, created_at)
        select gen_random_uuid(), account_id, hash, created_at from working.credentials, generate_series(1, {MANY})
        where account_id = $1"
    );
    assert_eq!(execute(&app, &copies, ada.0).await, MANY.unsigned_abs());
    damage(&harness.databases, ada.0).await;
    harness.clock.advance(TimeDelta::minutes(5));
    hash(&app, bob).await;
    harness.clock.advance(TimeDelta::minutes(15));
    let app = harness.node().await;

    sweeps::sweep_credentials(app.clone()).await.unwrap();

    let of = |account: AccountId| {
        format!("select count(*) from working.credentials where account_id = '{account}'")
    };
    assert_eq!(count(&app, &of(bob)).await, 1);
    assert_eq!(count(&app, &of(ada)).await, MANY + 1);
}

#[tokio::test]
async fn invitations_of_a_workspace_that_cannot_be_read_keep_no_other_invitation() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let workspace = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let creates = WorkspaceCommand::Create { name, owner: AccountId(app.ids.uuid()) };
    SystemCommand::new(workspace.into(), &[b"test"])
        .step::<Workspace>(workspace.0, creates)
        .execute(&app.executor, |_| false)
        .await
        .unwrap();
    let put = format!(
        "insert into working.invitations (invitation_id, workspace_id, until)
        select gen_random_uuid(), $1, timestamptz '2026-11-01' from generate_series(1, {MANY})"
    );
    execute(&app, &put, workspace.0).await;
    let other = "insert into working.invitations (invitation_id, workspace_id, until)
        values (gen_random_uuid(), $1, timestamptz '2026-11-02')";
    execute(&app, other, app.ids.uuid()).await;
    damage(&harness.databases, workspace.0).await;
    let app = harness.node().await;

    expire_due(app.clone()).await.unwrap();

    assert_eq!(count(&app, "select count(*) from working.invitations").await, MANY);
}

#[tokio::test]
async fn an_overdue_account_that_cannot_be_read_keeps_no_other_erasure() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let now = app.clock.now();
    for (account, days) in [(ada, 1), (bob, 2)] {
        let due = now + TimeDelta::days(days);
        ask(&app, account, None, AccountCommand::RequestErasure { now, due }).await.unwrap();
    }
    project(&app).await;
    damage(&harness.databases, ada.0).await;
    harness.clock.advance(TimeDelta::days(3));
    let app = harness.node().await;

    sweeps::sweep_erasures(app.clone()).await.unwrap();

    let entry = app.keyring.ledger.entry(bob.into()).await.unwrap().unwrap();
    assert_eq!(entry.state, ErasureState::Requested);
    assert_eq!(app.keyring.ledger.entry(ada.into()).await.unwrap(), None);
}

#[tokio::test]
async fn a_mail_that_another_node_has_sent_keeps_its_file() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    register(&app, "ada@example.org").await;
    react(&app, &mailer::Mailer::new(&app, &Arc::default())).await.unwrap();
    let late = app.outbox.claim(app.node, app.transport.via(), 9).await.unwrap().mails;
    let end = "update working.outbox set lease_until = clock_timestamp() where state = 'sending'";
    app.pool.get().await.unwrap().execute(end, &[]).await.unwrap();
    app.outbox.expire_leases().await.unwrap();
    mailer::send_due(harness.node().await).await.unwrap();
    assert_eq!(harness.mails().len(), 1);

    mailer::send(&app, &late[0]).await.unwrap();

    assert_eq!(harness.mails().len(), 1);
    assert_eq!(app.metrics.mails_handled.with_label_values(&["lease_lost"]).get(), 1);
}

#[tokio::test]
async fn a_run_whose_inputs_are_damaged_has_none_as_one_whose_inputs_are_erased() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let sealed_elsewhere = Personal::Clear(CommandLine::parse("true").unwrap());
    let run = RequestedRun {
        work: Work::Command { command: sealed_elsewhere },
        timeout_seconds: 60,
        secrets: None,
        needs_secrets: false,
        secret_names: None,
        environment: None,
        targets: [].into(),
    };

    let inputs = RunInputs::open(&app, WorkspaceId(app.ids.uuid()), &run, None).await;

    assert!(matches!(inputs, Ok(None)));
}

/// Makes the first event of a stream one that this build does not know.
pub(super) async fn damage(databases: &Databases, stream: Uuid) {
    let owner = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    let unknown = "update event_log.events set event_type = 'account.of_tomorrow' \
        where stream_id = $1 and version = 1";
    assert_eq!(owner.execute(unknown, &[&stream]).await.unwrap(), 1);
}

#[tokio::test]
async fn the_table_of_a_generation_that_nobody_writes_is_deleted_by_a_timer() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let client = app.pool.get().await.unwrap();
    client.batch_execute("create table read_models.accounts_v1_g9 ()").await.unwrap();
    drop(client);

    let workers = Workers::start(&app);

    let left = "select count(*) from pg_class where relname = 'accounts_v1_g9'";
    test_support::until("it is gone", async || count(&app, left).await == 0).await;
    workers.stop().await;
}
