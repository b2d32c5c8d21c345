//! A start on a log that lacks an event that was known.

use domain::run::TaskLease;
use domain::{RunId, ServerId, WorkspaceId};
use infra::log::watermark::Known;
use infra::run_queue::{ClaimRound, FreeSlots, NewTask, RunLimits};
use test_support::until;

use super::super::mailer::{Mailer, send_due};
use super::super::prepare;
use super::lost_fences::{FENCES, erase_keys};
use super::*;

/// Ada stands in a log that goes back to a time before her last events: she is signed in there, has a mail
/// that is not sent, and a task of a run waits.
struct Drill {
    harness: Harness,
    before: Databases,
    ada: Person,
    token: String,
}

impl Drill {
    async fn new() -> Self {
        let harness = Harness::new().await;
        let app = harness.node().await;
        let ada = register(&app, "ada@example.org").await;
        sign_in(&app, ada.account).await;
        sign_in(&app, ada.account).await;
        app.watermark.load().await.unwrap();
        app.watermark.begin_keeping().await.unwrap();
        let before = databases().await.unwrap();
        let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
        register_as(&restored, ada.account, "ada@example.org").await;
        let (_, token) = sign_in(&restored, ada.account).await;
        react(&restored, &Mailer::new(&restored, &Arc::default())).await.unwrap();
        let drill = Self { harness, before, ada, token };
        drill.put_task(&restored).await;
        drill
    }

    /// A start of the programme.
    async fn start(&self) -> App {
        let mail = Transport::folder(self.harness.dir.path().join("mail")).await.unwrap();
        self.harness.node_with(mail, &self.before.log_url).await
    }

    async fn prepare(&self, app: &App) -> Result<(), String> {
        prepare(app, &self.harness.databases.keyring_url.parse().unwrap()).await
    }

    async fn put_task(&self, app: &App) {
        let id = Uuid::from_u128;
        let task = NewTask {
            run: RunId(id(1)),
            server: ServerId(id(2)),
            attempt: 1,
            workspace: WorkspaceId(id(3)),
            requester: None,
            queued_at: app.clock.now(),
            deployment: None,
            secrets: None,
            timeout_seconds: 60,
        };
        let mut client = app.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        app.run_queue.put(&tx, &task).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The newest position that all nodes know.
pub(super) async fn known(app: &App) -> i64 {
    let keyring = app.keyring_pool.get().await.unwrap();
    keyring.query_one("select position from keyring.watermark", &[]).await.unwrap().get(0)
}

async fn restores(app: &App) -> i64 {
    count(app, "select count(*) from event_log.events where event_type = 'log.restored'").await
}

#[tokio::test]
async fn a_start_after_a_restore_ends_sessions_and_repeats_no_act() {
    let drill = Drill::new().await;
    let app = drill.start().await;

    drill.prepare(&app).await.unwrap();

    assert_eq!(app.sessions.find(&drill.token).await.unwrap(), None);
    assert!(!send_due(app.clone()).await.unwrap(), "a mail is sent");
    let unknown = "select count(*) from working.outbox where state = 'unknown'";
    assert_eq!(count(&app, unknown).await, 1);
    let limits = RunLimits { per_server: 9, per_workspace: 9, per_account: 9, per_node: 9 };
    let slots = FreeSlots { most: 9, are_kept: false };
    let claimed =
        app.run_queue.claim(app.node, slots, limits, &mut ClaimRound::default()).await.unwrap();
    assert!(claimed.iter().all(|task| task.lost.is_some() && task.launched));
    assert_eq!(
        claimed[0].lease,
        TaskLease { server: ServerId(Uuid::from_u128(2)), attempt: 1, fence: 2 }
    );
    assert_eq!(restores(&app).await, 1);
    assert_eq!(app.watermark.restores(), 1);

    // The next start finds the log that it knows.
    sign_in(&app, drill.ada.account).await;
    let next = drill.start().await;
    drill.prepare(&next).await.unwrap();
    assert_eq!(count(&next, "select count(*) from working.sessions").await, 1);
    assert_eq!(restores(&next).await, 1);
}

#[tokio::test]
async fn what_a_worker_reads_again_after_a_restore_is_not_done_again() {
    let drill = Drill::new().await;
    let app = drill.start().await;
    drill.prepare(&app).await.unwrap();
    let owner = connect_one(&drill.before.log_url, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute("delete from working.outbox").await.unwrap();

    // Its checkpoint went back, too.
    react(&app, &Mailer::new(&app, &Arc::default())).await.unwrap();
    assert!(!send_due(app.clone()).await.unwrap(), "a mail is sent");
    let proof = proof(&app);
    let later = AccountCommand::RequestPasswordReset { proof };
    ask(&app, drill.ada.account, None, later).await.unwrap();
    react(&app, &Mailer::new(&app, &Arc::default())).await.unwrap();

    assert!(send_due(app.clone()).await.unwrap(), "what came after the restore is sent");
    assert_eq!(drill.harness.mails().len(), 1);
}

#[tokio::test]
async fn a_start_that_ends_between_two_steps_is_followed_by_one_that_does_the_rest() {
    let drill = Drill::new().await;
    let owner = connect_one(&drill.before.log_url, &ConnectOptions::default()).await.unwrap();
    for step in ["working.sessions", "working.outbox", "event_log.snapshots"] {
        let refuse = format!("revoke delete, update on {step} from lethe_app");
        owner.batch_execute(&refuse).await.unwrap();
        let app = drill.start().await;

        drill.prepare(&app).await.unwrap_err();

        assert_eq!((restores(&app).await, app.watermark.restores()), (0, 0), "{step}");
        owner.batch_execute(&format!("grant delete, update on {step} to lethe_app")).await.unwrap();
    }
    let app = drill.start().await;

    drill.prepare(&app).await.unwrap();

    assert_eq!((restores(&app).await, app.watermark.restores()), (1, 1));
    assert_eq!(app.sessions.find(&drill.token).await.unwrap(), None);
}

#[tokio::test]
async fn a_start_that_ends_before_its_last_step_is_followed_by_one_that_records_nothing_twice() {
    let drill = Drill::new().await;
    let keyring_url = &drill.harness.databases.keyring_url;
    let keyring = connect_one(keyring_url, &ConnectOptions::default()).await.unwrap();
    let refuse = "create function keyring.refuse() returns trigger language plpgsql as \
            $$ begin raise exception 'the database has gone'; end $$; \
        create trigger refuse before update on keyring.watermark \
            for each row when (new.restores > old.restores) execute function keyring.refuse()";
    keyring.batch_execute(refuse).await.unwrap();
    let app = drill.start().await;
    drill.prepare(&app).await.unwrap_err();
    assert_eq!((restores(&app).await, app.watermark.restores()), (1, 0));

    keyring.batch_execute("drop trigger refuse on keyring.watermark").await.unwrap();
    let app = drill.start().await;
    drill.prepare(&app).await.unwrap();

    assert_eq!((restores(&app).await, app.watermark.restores()), (1, 1));
}

#[tokio::test]
async fn while_a_start_deals_with_a_restore_another_waits() {
    let drill = Drill::new().await;
    let (one, other) = (drill.start().await, drill.start().await);
    let url = drill.harness.databases.keyring_url.clone();
    let holder = connect_one(&drill.before.log_url, &ConnectOptions::unlimited()).await.unwrap();
    let log = connect_one(&drill.before.log_url, &ConnectOptions::default()).await.unwrap();
    let keyring = connect_one(&url, &ConnectOptions::default()).await.unwrap();
    let waits = "select exists (select from pg_locks where not granted and database =
        (select oid from pg_database where datname = current_database()))";
    let lock = "begin; lock table working.outbox in access exclusive mode";
    holder.batch_execute(lock).await.unwrap();
    let begin = |app: App| {
        let url = url.parse().unwrap();
        tokio::spawn(async move { prepare(&app, &url).await })
    };

    let first = begin(one.clone());
    until("the first is in the middle", async || {
        log.query_one(waits, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;
    let second = begin(other);
    until("the second waits for its turn", async || {
        keyring.query_one(waits, &[]).await.unwrap().get::<_, bool>(0)
    })
    .await;
    holder.batch_execute("commit").await.unwrap();

    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(restores(&one).await, 1);
}

#[tokio::test]
async fn the_last_event_of_a_restored_log_sends_no_mail_either() {
    let drill = Drill::new().await;
    let early = drill.start().await;
    let resets = AccountCommand::RequestPasswordReset { proof: proof(&early) };
    ask(&early, drill.ada.account, None, resets).await.unwrap();
    let app = drill.start().await;
    drill.prepare(&app).await.unwrap();
    let events = log(&app).await;
    let last = events.iter().find(|event| event.position() == app.watermark.restored_through());
    assert_eq!(last.unwrap().event_type(), "account.password_reset_requested");

    react(&app, &Mailer::new(&app, &Arc::default())).await.unwrap();

    assert!(!send_due(app.clone()).await.unwrap(), "a mail is sent");
}

#[tokio::test]
async fn the_first_start_writes_down_the_newest_event_once_it_is_done() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    register_as(&restored, ada.account, "ada@example.org").await;
    erase_keys(&app, ada.account).await;
    super::super::eraser::erase_due(app.clone()).await.unwrap();
    let keyring = harness.databases.keyring_url.parse().unwrap();
    let options = ConnectOptions::default();
    let keys = connect_one(&harness.databases.keyring_url, &options).await.unwrap();
    keys.batch_execute("delete from keyring.watermark").await.unwrap();
    let owner = connect_one(&before.log_url, &ConnectOptions::default()).await.unwrap();
    owner.batch_execute("revoke delete on working.credentials from lethe_app").await.unwrap();
    let start = async || harness.node_with(app.transport.clone(), &before.log_url).await;

    let killed = start().await;
    prepare(&killed, &keyring).await.unwrap_err();
    // As of an act on its way.
    killed.watermark.secure().await.unwrap();
    assert_eq!(start().await.watermark.load().await.unwrap(), Known::Nothing);

    owner.batch_execute("grant delete on working.credentials to lethe_app").await.unwrap();
    let next = start().await;
    prepare(&next, &keyring).await.unwrap();
    assert_eq!(count(&next, FENCES).await, 1);
    assert_eq!(known(&next).await, log(&next).await.last().unwrap().position());
}
