//! Accounts whose address nobody verifies: a notice, a week, the erasure. The times are moved in the database: what the
//! harness calls now is when the test runs.

use domain::SubjectId;
use domain::log::{LOG, Log, LogCommand};
use domain::workspace::WorkspaceCommand;
use infra::keyring::{ErasureState, SubjectKind};

use super::super::eraser::erase_due;
use super::super::mailer::{Mailer, send_due};
use super::super::unverified::{AT_A_TURN, UNVERIFIED_ACCOUNTS, UnverifiedSweep};
use super::erased_members::{order, shared};
use super::*;
use crate::operations::erase_account::request_of_unverified;
use crate::operations::request_erasure::RequestErasureError;
use crate::operations::set_password::hash_queue_of;
use crate::operations::system_command::SystemCommand;

pub(super) const NOTICES: &str =
    "select count(*) from working.outbox where kind = 'account_unverified'";
const REQUESTS: &str =
    "select count(*) from event_log.events where event_type = 'account.erasure_requested'";

pub(super) async fn given() -> (Harness, App) {
    let harness = Harness::new().await;
    harness.clock.advance(Clock::system().now() - harness.clock.now());
    let app = harness.node().await;
    (harness, app)
}

pub(super) async fn execute_as_owner(harness: &Harness, sql: &str) {
    let owner = connect_one(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute(sql).await.unwrap();
}

/// So many days pass: for accounts, their tokens, their mails, and restores of the log.
pub(super) async fn pass(harness: &Harness, days: u8) {
    let passes = format!(
        "set session_replication_role = replica;
        update read_models.accounts_v4 set registered_at = registered_at - interval '{days} days',
          unverified_used_at = unverified_used_at - interval '{days} days';
        update working.api_tokens set last_used_at = last_used_at - interval '{days} days';
        update working.outbox set created_at = created_at - interval '{days} days',
          finished_at = finished_at - interval '{days} days', until = until - interval '{days} days';
        update event_log.events set recorded_at = recorded_at - interval '{days} days'
        where event_type = 'log.restored'"
    );
    execute_as_owner(harness, &passes).await;
}

/// A turn of the timer, and the mails. Answers how many notices and requests there are.
pub(super) async fn turn(app: &App) -> (i64, i64) {
    UnverifiedSweep::default().run(app.clone()).await.unwrap();
    send_due(app.clone()).await.unwrap();
    (count(app, NOTICES).await, count(app, REQUESTS).await)
}

/// The same node with other settings.
pub(super) fn with(app: &App, set: impl FnOnce(&mut Config)) -> App {
    let mut config = (*app.config).clone();
    set(&mut config);
    App { config: Arc::new(config), ..app.clone() }
}

/// As a start does after a restore of the log.
pub(super) async fn record_restore(app: &App) {
    let restored = LogCommand::RecordRestore { restore: 1, head: 1, known: 1 };
    let command = SystemCommand::new(domain::TenantId(LOG), &[b"test"]);
    command.step::<Log>(LOG, restored).execute(&app.executor, |_| false).await.unwrap();
}

async fn verify(app: &App, person: &Person) {
    let verifies =
        AccountCommand::VerifyEmail { proof: person.verification.id, now: app.clock.now() };
    ask(app, person.account, None, verifies).await.unwrap();
}

/// Without a password, and without the reservation of the address.
pub(super) async fn register_somebody(app: &App) {
    let account = AccountId(app.ids.uuid());
    let registers = AccountCommand::Register {
        email: Personal::Clear(address("nobody@example.org")),
        name: Personal::Clear(PersonName::parse("Nobody").unwrap()),
        username: None,
        credential: CredentialId(app.ids.uuid()),
        verification: proof(app),
    };
    ask(app, account, None, registers).await.unwrap();
}

pub(super) async fn execute(app: &App, sql: &str) {
    app.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
}

#[tokio::test]
async fn an_account_that_nobody_verifies_gets_one_notice_and_is_erased_a_week_later() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    verify(&app, &bob).await;
    project(&app).await;
    pass(&harness, 29).await;
    assert_eq!(turn(&app).await, (0, 0), "not yet");

    pass(&harness, 2).await;
    assert_eq!(turn(&app).await, (1, 0));
    let mails = harness.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("\r\nTo: ada@example.org\r\n"), "{}", mails[0]);
    assert!(mails[0].contains("\r\nhttps://lethe.test/verify-email\r\n"), "{}", mails[0]);
    pass(&harness, 6).await;
    assert_eq!(turn(&app).await, (1, 0), "the notice lasts a week");
    pass(&harness, 2).await;
    assert_eq!(turn(&app).await, (1, 1));

    let log = log(&app).await;
    let request = log.iter().find(|it| it.event_type() == "account.erasure_requested").unwrap();
    assert_eq!(request.stream_id(), ada.account.0);
    assert_eq!(request.actor(), Some(UNVERIFIED_ACCOUNTS));
    react(&app, &Mailer::new(&app, &Arc::default())).await.unwrap();
    let mailed = "select count(*) from working.outbox where kind = 'erasure_requested'";
    assert_eq!(count(&app, mailed).await, 0, "one mail about it");
    project(&app).await;
    assert_eq!(turn(&app).await, (1, 1), "it is requested once");
    erase_due(app.clone()).await.unwrap();
    let entry = app.keyring.ledger.entry(ada.account.into()).await.unwrap().unwrap();
    assert!(entry.state >= ErasureState::Completed);
    assert!(app.keyring.ledger.entry(bob.account.into()).await.unwrap().is_none());
}

#[tokio::test]
async fn who_verifies_the_address_after_the_notice_stays() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await;
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 8).await;

    verify(&app, &ada).await;

    assert_eq!(turn(&app).await, (1, 0), "the projection does not know it yet");
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (1, 0));
}

#[tokio::test]
async fn who_signs_in_gets_another_notice_before_anything_is_requested() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await.account;
    sign_in(&app, ada).await;
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (0, 0), "somebody is signed in");
    let sign_out = "delete from working.sessions";
    execute(&app, sign_out).await;
    assert_eq!(turn(&app).await, (0, 0), "the session may have been used until a moment ago");
    pass(&harness, 30).await;
    assert_eq!(turn(&app).await, (1, 0));

    sign_in(&app, ada).await;
    execute(&app, sign_out).await;
    project(&app).await;
    pass(&harness, 8).await;
    assert_eq!(turn(&app).await, (1, 0), "the notice does not count any more");
    pass(&harness, 23).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 30).await;
    assert_eq!(turn(&app).await, (2, 0));
    pass(&harness, 8).await;
    assert_eq!(turn(&app).await, (2, 1));
}

#[tokio::test]
async fn what_happens_to_the_account_before_the_append_keeps_it() {
    let (_harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await.account;
    let before = app.executor.load::<Account>(ada.into(), ada.0).await.unwrap();
    let Account::Live(live) = &*before.state else { panic!("not live") };
    sign_in(&app, ada).await;
    project(&app).await;
    let request = Request::new(ada.into(), CommandId(app.ids.uuid()));
    let of = (&**live, before.version);

    let refused = request_of_unverified(&app, ada, of, TimeDelta::zero(), &request).await;

    let refused = refused.err().unwrap();
    let stale = ExecuteError::Stale { version: before.version + 1 };
    assert_eq!(refused.to_string(), RequestErasureError::Execute(stale).to_string());
}

/// The log lost what came after the backup: ada may have verified the address.
#[tokio::test]
async fn after_a_restore_of_the_log_the_notice_is_given_again() {
    let (harness, app) = given().await;
    register(&app, "ada@example.org").await;
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 8).await;

    record_restore(&app).await;
    harness.clock.advance(TimeDelta::minutes(10));
    project(&app).await;

    assert_eq!(turn(&app).await, (2, 0));
    pass(&harness, 6).await;
    assert_eq!(turn(&app).await, (2, 0));
    pass(&harness, 2).await;
    assert_eq!(turn(&app).await, (2, 1));
}

#[tokio::test]
async fn a_turn_takes_a_few_and_none_while_as_many_erasures_have_become_due() {
    let (harness, app) = given().await;
    for _ in 0..AT_A_TURN + 2 {
        register_somebody(&app).await;
    }
    project(&app).await;
    pass(&harness, 31).await;
    let (ledger, due) = (&app.keyring.ledger, app.clock.now());
    for code in 1..=AT_A_TURN {
        let subject = SubjectId(app.ids.uuid());
        let code = [u8::try_from(code).unwrap(); 32];
        ledger.request(SubjectKind::Account, subject, due, code).await.unwrap();
    }
    assert_eq!(turn(&app).await, (0, 0));

    let due_at = async |due: DateTime<Utc>| {
        let keyring = app.keyring_pool.get().await.unwrap();
        keyring.execute("update keyring.erasures set due = $1", &[&due]).await.unwrap();
    };
    due_at(due + TimeDelta::days(1)).await;
    assert_eq!(turn(&app).await, (AT_A_TURN, 0));
    due_at(due - TimeDelta::minutes(61)).await;
    assert_eq!(turn(&app).await, (AT_A_TURN + 2, 0), "those cannot go on");
}

#[tokio::test]
async fn an_account_on_which_others_depend_stays_until_they_do_not() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await.account;
    let bob = AccountId(app.ids.uuid());
    let workspace = shared(&app, ada, bob).await;
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (0, 0));

    let removes = WorkspaceCommand::RemoveMember { by: ada, member: bob, now: app.clock.now() };
    order(&app, workspace, removes).await;
    project(&app).await;

    assert_eq!(turn(&app).await, (1, 0));
}

#[tokio::test]
async fn nothing_is_erased_where_the_setting_is_zero() {
    let (harness, app) = given().await;
    register(&app, "ada@example.org").await;
    project(&app).await;
    pass(&harness, 31).await;
    let off = with(&app, |config| config.unverified_accounts_days = 0);

    assert_eq!(turn(&off).await, (0, 0));

    assert_eq!(turn(&app).await, (1, 0), "the control");
}

#[tokio::test]
async fn whoever_has_only_registered_waits_among_strangers_for_a_hash() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let queue = async || {
        let loaded = app.executor.load::<Account>(ada.account.into(), ada.account.0).await.unwrap();
        let Account::Live(live) = &*loaded.state else { panic!("not live") };
        hash_queue_of(live)
    };
    assert_eq!(queue().await, HashQueue::Strangers);

    verify(&app, &ada).await;

    assert_eq!(queue().await, HashQueue::Known);
}
