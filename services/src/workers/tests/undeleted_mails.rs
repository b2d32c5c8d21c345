//! No row of a mail is deleted before its file is, and nothing is completed before.

use domain::privacy::{AccountEmail, Label, Sealed};
use domain::workspace::{Role, Workspace, WorkspaceCommand};
use domain::{InvitationId, WorkspaceId};
use infra::keyring::{ErasureState, OpenError};
use infra::outbox::MarkOutcome;

use super::super::eraser::{Eraser, erase_due};
use super::super::mailer::{self, Mailer, send_due};
use super::super::sweeps;
use super::super::workspace_rows::{WorkspaceRows, expire_due};
use super::*;
use crate::operations::waiting_erasures::WaitingErasures;

impl Harness {
    /// As a disk that is not mounted: the letters are elsewhere, and nothing can be deleted.
    fn hide_mails(&self) {
        let dir = self.dir.path();
        std::fs::rename(dir.join("mail"), dir.join("hidden")).unwrap();
    }

    fn show_mails(&self) {
        let dir = self.dir.path();
        std::fs::rename(dir.join("hidden"), dir.join("mail")).unwrap();
    }

    fn hidden_mails(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("hidden")).unwrap().count()
    }
}

async fn mail(app: &App) {
    react(app, &Mailer::new(app, &Arc::default())).await.unwrap();
}

async fn state(app: &App, account: AccountId) -> ErasureState {
    app.keyring.ledger.entry(account.into()).await.unwrap().unwrap().state
}

async fn waiting(app: &App) -> (i64, i64) {
    let now = app.clock.now();
    let waiting = WaitingErasures::count(&app.keyring.ledger, &app.outbox, now).await.unwrap();
    (waiting.mails, waiting.other)
}

/// Somebody who was mailed, and is to be erased at once.
async fn leaving(app: &App, sent: bool) -> AccountId {
    let ada = register(app, "ada@example.org").await.account;
    mail(app).await;
    if sent {
        send_due(app.clone()).await.unwrap();
    }
    let now = app.clock.now();
    ask(app, ada, None, AccountCommand::RequestErasure { now, due: now }).await.unwrap();
    react(app, &Eraser::new(app, &Arc::default())).await.unwrap();
    ada
}

#[tokio::test]
async fn an_erasure_is_not_completed_while_a_letter_may_be_read() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = leaving(&app, true).await;
    harness.hide_mails();

    for _ in 0..3 {
        erase_due(app.clone()).await.unwrap();
        assert!(state(&app, ada).await < ErasureState::Completed);
    }
    assert_eq!(harness.hidden_mails(), 1);
    let (email, of) = (email_of(&app).await, ada.into());
    let opened = app.keyring.sealer.open::<AccountEmail>(ada.into(), of, &email).await;
    assert!(matches!(opened, Err(OpenError::Erased)), "its keys wait for nothing");
    assert_eq!(waiting(&app).await, (0, 0), "a minute is usual");
    harness.clock.advance(TimeDelta::minutes(1));
    assert_eq!(waiting(&app).await, (1, 0));

    harness.show_mails();
    erase_due(app.clone()).await.unwrap();
    assert_eq!(state(&app, ada).await, ErasureState::Completed);
    assert!(harness.mails().is_empty());
    assert_eq!(waiting(&app).await, (0, 0));
}

async fn email_of(app: &App) -> Sealed {
    let registered = log(app).await[0].decode().unwrap();
    let domain::account::AccountEvent::Registered { email, .. } = registered else { panic!() };
    email.sealed().unwrap().clone()
}

#[tokio::test]
async fn an_erasure_waits_for_a_mail_that_is_being_sent() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = leaving(&app, false).await;
    let sending = app.outbox.claim(app.node, app.transport.via(), 9).await.unwrap().mails;
    let longer = "update working.outbox set lease_until = clock_timestamp() + interval '1 hour'";
    let client = app.pool.get().await.unwrap();
    assert_eq!(client.execute(longer, &[]).await.unwrap(), 1);
    drop(client);

    erase_due(app.clone()).await.unwrap();
    assert!(state(&app, ada).await < ErasureState::Completed);
    let accepted = infra::mail::SendOutcome::Accepted;
    assert_eq!(app.outbox.mark(&sending[0], &accepted).await.unwrap(), MarkOutcome::Sent);
    erase_due(app.clone()).await.unwrap();

    assert_eq!(state(&app, ada).await, ErasureState::Completed);
}

#[tokio::test]
async fn a_letter_of_the_time_before_smtp_is_deleted_too() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = leaving(&app, true).await;
    let smtp = Transport::Smtp("smtp://127.0.0.1:1".parse().unwrap());
    let app = App { transport: smtp, ..app };

    erase_due(app.clone()).await.unwrap();

    assert_eq!(state(&app, ada).await, ErasureState::Completed);
    assert!(harness.mails().is_empty());
}

#[tokio::test]
async fn a_mail_that_is_too_old_keeps_its_row_until_its_file_is_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    register(&app, "ada@example.org").await;
    mail(&app).await;
    send_due(app.clone()).await.unwrap();
    harness.clock.advance(TimeDelta::days(31));
    harness.hide_mails();

    assert!(sweeps::sweep_outbox(app.clone()).await.is_err());
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 1);

    harness.show_mails();
    sweeps::sweep_outbox(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 0);
    assert!(harness.mails().is_empty());
}

#[tokio::test]
async fn a_mail_to_an_erased_person_keeps_its_row_until_its_file_is_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    mail(&app).await;
    let first = app.outbox.claim(app.node, app.transport.via(), 9).await.unwrap().mails;
    mailer::send(&app, &first[0]).await.unwrap();
    // The outcome of that attempt was lost, and the person erased since.
    let again =
        "update working.outbox set state = 'queued', finished_at = null, next_at = created_at";
    app.pool.get().await.unwrap().execute(again, &[]).await.unwrap();
    app.keyring.eraser.erase_subject(ada.into()).await.unwrap();
    harness.hide_mails();

    send_due(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 1);

    harness.show_mails();
    let end = "update working.outbox set lease_until = clock_timestamp() where state = 'sending'";
    app.pool.get().await.unwrap().execute(end, &[]).await.unwrap();
    sweeps::sweep_outbox(app.clone()).await.unwrap();
    send_due(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 0);
    assert!(harness.mails().is_empty());
}

#[tokio::test]
async fn an_invitation_that_has_ended_keeps_its_row_until_its_mail_is_deleted() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (workspace, owner) = (WorkspaceId(app.ids.uuid()), AccountId(app.ids.uuid()));
    let invitation = InvitationId(app.ids.uuid());
    let name = Personal::Clear(Label::parse("Engines").unwrap());
    let now = app.clock.now();
    let until = now + TimeDelta::days(7);
    let email = Personal::Clear(address("bob@example.org"));
    let invite = WorkspaceCommand::Invite {
        by: owner,
        invitation,
        email,
        role: Role::Viewer,
        until,
        now,
        replaces: None,
    };
    for command in [WorkspaceCommand::Create { name, owner }, invite] {
        let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
        let steps = [Step::new::<Workspace>(workspace.0, command)];
        app.executor.execute(&request, &steps).await.unwrap();
    }
    mail(&app).await;
    send_due(app.clone()).await.unwrap();
    let revoke = WorkspaceCommand::RevokeInvitation { by: owner, invitation };
    let request = Request::new(workspace.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &[Step::new::<Workspace>(workspace.0, revoke)]).await.unwrap();
    harness.hide_mails();

    // The reader goes on, and the timer tries again after a while.
    react(&app, &WorkspaceRows::new(&app)).await.unwrap();
    expire_due(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.invitations").await, 1);
    assert_eq!(app.invitations.due(app.clock.now(), 9, 0).await.unwrap(), []);

    harness.show_mails();
    harness.clock.advance(TimeDelta::minutes(1));
    expire_due(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.invitations").await, 0);
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 0);
    assert!(harness.mails().is_empty());
}
