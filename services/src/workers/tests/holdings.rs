//! What ends sessions and API tokens by the table of the account is what the workers follow, and a late
//! worker ends no more than the event did.

use std::collections::BTreeSet;

use domain::account::{AccountEvent, Holding};
use domain::privacy::{Label, Sealed};
use domain::workspace::{Right, Role, Workspace, WorkspaceCommand};
use domain::{ApiTokenId, Event, SealedId, WorkspaceId};
use infra::api_tokens::{ApiTokens, NewApiToken};
use infra::log::Reader;

use super::super::session_closer::SessionCloser;
use super::super::sweeps::sweep_ended_tokens;
use super::super::token_closer::TokenCloser;
use super::super::{NAMES, Workers};
use super::*;
use crate::operations::end_tokens::EndTokens;

const ENDS: AccountCommand = AccountCommand::EndSessions { keep_api_tokens: false };

/// One event of each type, as the log keeps it.
fn events() -> Vec<AccountEvent> {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../domain/src/account/golden");
    let files = std::fs::read_dir(golden).unwrap().map(|file| file.unwrap().path());
    let events = files.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (event_type, version) = name.rsplit_once('.').unwrap();
        let data = std::fs::read_to_string(&path).unwrap();
        AccountEvent::decode(event_type, version.parse().unwrap(), data.trim_end()).unwrap()
    });
    events.collect()
}

fn that_end(holding: Holding) -> BTreeSet<&'static str> {
    let ends = events().into_iter().filter(|event| event.ends().contains(&holding));
    ends.map(|event| event.type_and_version().0).collect()
}

#[test]
fn the_workers_follow_every_event_that_ends_sessions_or_api_tokens_and_no_other() {
    let known: BTreeSet<_> = events().iter().map(|event| event.type_and_version().0).collect();
    assert_eq!(known, AccountEvent::TYPES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>());

    let of_sessions = SessionCloser::EVENT_TYPES.iter().copied();
    // It names the hash of a registration, and takes note of what is closed.
    let besides = ["account.registered", "session.closed"];
    let of_sessions = of_sessions.filter(|name| !besides.contains(name)).collect::<BTreeSet<_>>();
    assert_eq!(that_end(Holding::Sessions), of_sessions);
    assert_eq!(
        that_end(Holding::ApiTokens),
        EndTokens::CAUSES.iter().copied().collect::<BTreeSet<_>>()
    );
}

async fn order(app: &App, workspace: WorkspaceId, command: WorkspaceCommand) {
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &[Step::new::<Workspace>(workspace.0, command)]).await.unwrap();
}

/// As a request does it: on the account's version of now, in the log and then as a row.
pub(crate) async fn issue(
    app: &App,
    account: AccountId,
    workspace: WorkspaceId,
) -> (ApiTokenId, String) {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let (token, now) = (ApiTokenId(app.ids.uuid()), app.clock.now());
    let expires_at = now + TimeDelta::days(30);
    let rights = vec![Right::ReadRuns];
    let by = account;
    let issues = WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at };
    order(app, workspace, issues).await;
    let drawn = ApiTokens::draw_token().unwrap();
    let name = Sealed { id: SealedId(app.ids.uuid()), envelope: vec![1] };
    let account_version = loaded.version;
    let row = NewApiToken { token, workspace, account, account_version, name, expires_at };
    app.api_tokens.insert(&row, drawn.hash).await.unwrap();
    (token, drawn.secret.expose_secret().to_owned())
}

/// In a workspace of `by`'s: a service account, and a token of it.
pub(super) async fn issue_for_service_account(
    app: &App,
    by: AccountId,
    workspace: WorkspaceId,
) -> String {
    let (account, now) = (AccountId(app.ids.uuid()), app.clock.now());
    let name = Personal::Clear(Label::parse("deploys").unwrap());
    let role = Role::Viewer;
    order(app, workspace, WorkspaceCommand::CreateServiceAccount { by, account, name, role }).await;
    let (token, expires_at) = (ApiTokenId(app.ids.uuid()), now + TimeDelta::days(30));
    let rights = vec![Right::ReadRuns];
    let issues = WorkspaceCommand::IssueApiToken { by, account, token, rights, now, expires_at };
    order(app, workspace, issues).await;
    let drawn = ApiTokens::draw_token().unwrap();
    let name = Sealed { id: SealedId(app.ids.uuid()), envelope: vec![1] };
    let row = NewApiToken { token, workspace, account, account_version: 0, name, expires_at };
    app.api_tokens.insert(&row, drawn.hash).await.unwrap();
    drawn.secret.expose_secret().to_owned()
}

async fn works(app: &App, secret: &str) -> bool {
    app.api_tokens.find(secret).await.unwrap().is_some()
}

async fn listed(app: &App, workspace: WorkspaceId) -> Vec<ApiTokenId> {
    let loaded = app.executor.load::<Workspace>(workspace.into(), workspace.0).await.unwrap();
    loaded.state.live().unwrap().tokens.keys().copied().collect()
}

#[tokio::test]
async fn after_a_crash_the_tokens_are_ended_in_every_workspace_and_newer_ones_stay() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    let workspaces = [WorkspaceId(app.ids.uuid()), WorkspaceId(app.ids.uuid())];
    let mut ended = Vec::new();
    for workspace in workspaces {
        let name = Personal::Clear(Label::parse("Engines").unwrap());
        order(&app, workspace, WorkspaceCommand::Create { name, owner: ada }).await;
        ended.push(issue(&app, ada, workspace).await.1);
    }
    let others = WorkspaceId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Looms").unwrap());
    order(&app, others, WorkspaceCommand::Create { name, owner: bob }).await;
    let (_, of_bob) = issue(&app, bob, others).await;
    // The request is cut short right after its append.
    ask(&app, ada, None, ENDS).await.unwrap();
    let (newer, newer_secret) = issue(&app, ada, workspaces[0]).await;

    for _ in 0..2 {
        react(&app, &TokenCloser::new(&app)).await.unwrap();
    }

    for secret in &ended {
        assert!(!works(&app, secret).await);
    }
    assert!(works(&app, &newer_secret).await && works(&app, &of_bob).await);
    assert_eq!(listed(&app, workspaces[0]).await, [newer]);
    assert!(listed(&app, workspaces[1]).await.is_empty());
    assert_eq!(listed(&app, others).await.len(), 1);
    let left = "select count(*) from working.api_tokens where ended_by is not null";
    assert_eq!(count(&app, left).await, 0);
    let revoked = log(&app).await;
    let revoked = revoked.iter().filter(|e| e.event_type() == "workspace.api_token_revoked");
    assert_eq!(revoked.count(), 2);
}

/// The type of the first event of a stream.
async fn set_first_type(harness: &Harness, stream: Uuid, event_type: &str) {
    let log = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    log.batch_execute("set session_replication_role = replica").await.unwrap();
    let set = "update event_log.events set event_type = $2 where stream_id = $1 and version = 1";
    assert_eq!(log.execute(set, &[&stream, &event_type]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_workspace_that_cannot_be_read_keeps_no_other_from_revoking_and_is_tried_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = register(&app, "bob@example.org").await.account;
    // In the order in which they are revoked.
    let mut workspaces = [1, 2, 3].map(|_| WorkspaceId(app.ids.uuid()));
    workspaces.sort_unstable();
    let [damaged, adas, bobs] = workspaces;
    for (workspace, owner) in [(damaged, ada), (adas, ada), (bobs, bob)] {
        let name = Personal::Clear(Label::parse("Engines").unwrap());
        order(&app, workspace, WorkspaceCommand::Create { name, owner }).await;
        issue(&app, owner, workspace).await;
    }
    for account in [ada, bob] {
        ask(&app, account, None, ENDS).await.unwrap();
    }
    damage(&harness.databases, damaged.0).await;
    let other = harness.node().await;

    react(&other, &TokenCloser::new(&other)).await.unwrap();

    assert!(listed(&app, adas).await.is_empty() && listed(&app, bobs).await.is_empty());
    assert_eq!(other.metrics.token_revocations_failed.get(), 1);
    let left = "select count(*) from working.api_tokens where ended_by is not null";
    assert_eq!(count(&app, left).await, 1);
    sweep_ended_tokens(other.clone()).await.unwrap();
    assert_eq!(other.metrics.token_revocations_failed.get(), 2);
    assert_eq!(count(&app, left).await, 1);
    set_first_type(&harness, damaged.0, "workspace.created").await;
    sweep_ended_tokens(other.clone()).await.unwrap();
    assert_eq!(count(&app, left).await, 0);
    assert!(listed(&app, damaged).await.is_empty());
}

/// Whose checkpoint is older than any log, or whose events are not older than itself.
const FROM_THE_FIRST_EVENT: &[&str] = &[
    "eraser",
    "mailer",
    "run_dispatcher",
    "seat_leases",
    "server_monitor",
    "session_closer",
    "workspace_rows",
];

#[tokio::test]
async fn a_worker_that_came_after_the_events_that_it_reads_begins_where_its_migration_says() {
    let app = Harness::new().await.node().await;
    let workers = Workers::start(&app);
    let mut names: Vec<_> = workers.readers().iter().map(Reader::name).collect();
    workers.stop().await;
    names.sort_unstable();
    assert_eq!(names, NAMES, "the metrics of others are not shown");
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/log");
    let files = std::fs::read_dir(migrations).unwrap().map(|file| file.unwrap().path());
    let sql: Vec<_> = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for name in names.iter().filter(|name| !FROM_THE_FIRST_EVENT.contains(name)) {
        let begins = format!(
            "insert into readers.checkpoints (name, version, kind, position)\nselect '{name}', 1, 'worker', max(position)"
        );
        assert!(sql.iter().any(|sql| sql.contains(&begins)), "{name}");
    }
    assert!(names.contains(&"token_closer"));
}
