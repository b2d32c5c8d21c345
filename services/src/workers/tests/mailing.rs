//! One mail a cause, to the right address, with a link that works.

use domain::EventId;
use infra::keyring::{LinkPurpose, ReadLink};
use infra::log::watermark::NewestEvent;

use super::super::mailer::{Mailer, send_due};
use super::super::sweeps;
use super::preparing::known;
use super::*;

fn mailer(app: &App) -> Mailer {
    Mailer::new(app, &Arc::default())
}

/// The token of the only link, put together again where the mail wrapped it.
fn token(mail: &str) -> String {
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, link) = text.split_once("?token=").unwrap();
    link.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_registration_is_mailed_once_with_a_link_that_proves_it() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;

    for _ in 0..2 {
        react(&app, &mailer(&app)).await.unwrap();
        send_due(app.clone()).await.unwrap();
    }

    let mails = harness.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains("\r\nTo: ada@example.org\r\n"), "{}", mails[0]);
    assert!(mails[0].contains("https://lethe.test/verify-email?token="));
    let read =
        app.keyring.link_tokens.read(LinkPurpose::VerifyEmail, &token(&mails[0])).await.unwrap();
    let made = ReadLink::Made { of: ada.account.into(), id: ada.verification.id.into() };
    assert_eq!(read, made);
}

#[tokio::test]
async fn a_changed_address_is_confirmed_at_the_new_one_and_told_to_the_old_one() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let verification = proof(&app);
    let email = Personal::Clear(address("ada@new.example.org"));
    let change = AccountCommand::RequestEmailChange { email, verification };
    ask(&app, ada.account, None, change).await.unwrap();
    let now = app.clock.now();
    let confirm = AccountCommand::ConfirmEmailChange { proof: verification.id, now };
    ask(&app, ada.account, None, confirm).await.unwrap();
    ask(&app, ada.account, None, AccountCommand::RequestPasswordReset { proof: proof(&app) })
        .await
        .unwrap();

    react(&app, &mailer(&app)).await.unwrap();
    send_due(app.clone()).await.unwrap();

    let mails = harness.mails();
    let to = |address: &str, subject: &str| {
        let head = [format!("\r\nTo: {address}\r\n"), format!("\r\nSubject: {subject}\r\n")];
        mails.iter().filter(|mail| head.iter().all(|line| mail.contains(line))).count()
    };
    assert_eq!(mails.len(), 5);
    assert_eq!(to("ada@example.org", "Confirm your e-mail address"), 1);
    assert_eq!(to("ada@example.org", "Another e-mail address was asked for"), 1);
    assert_eq!(to("ada@new.example.org", "Confirm your new e-mail address"), 1);
    assert_eq!(to("ada@example.org", "Your e-mail address was changed"), 1);
    assert_eq!(to("ada@new.example.org", "Choose a new password"), 1);
}

#[tokio::test]
async fn an_erasure_is_told_with_its_end_and_so_is_its_cancellation() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let now = app.clock.now();
    let request = AccountCommand::RequestErasure { now, due: now + TimeDelta::days(7) };
    ask(&app, ada.account, None, request).await.unwrap();
    ask(&app, ada.account, None, AccountCommand::CancelErasure { now }).await.unwrap();

    react(&app, &mailer(&app)).await.unwrap();
    send_due(app.clone()).await.unwrap();

    let mails = harness.mails().concat();
    assert!(mails.contains("for good on 29 November 2026, 12:00 UTC"), "{mails}");
    assert!(mails.contains("\r\nSubject: Your account stays\r\n"));
}

#[tokio::test]
async fn the_outbox_and_the_log_hold_no_address_in_the_clear() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;

    react(&app, &mailer(&app)).await.unwrap();

    for table in ["working.outbox", "event_log.events"] {
        let sql = format!(
            "select count(*) from {table} t where t::text like '%{}%'
             or t::text like '%' || encode('{}', 'hex') || '%'",
            ada.email, ada.email
        );
        assert_eq!(count(&app, &sql).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_mail_to_an_erased_person_is_dropped() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();

    app.keyring.eraser.erase_subject(ada.account.into()).await.unwrap();
    send_due(app.clone()).await.unwrap();

    assert!(harness.mails().is_empty());
    assert_eq!(count(&app, "select count(*) from working.outbox").await, 0);
}

#[tokio::test]
async fn a_mail_that_this_node_cannot_compose_says_nothing_of_its_address() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    register(&app, "ada@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();
    let damage = "update working.outbox set address =
        set_byte(address, length(address) - 1, get_byte(address, length(address) - 1) # 1)";
    let client = app.pool.get().await.unwrap();
    assert_eq!(client.execute(damage, &[]).await.unwrap(), 1);

    send_due(app.clone()).await.unwrap();

    let failed = "select count(*) from working.outbox where state = 'failed' and refusal = 'other'";
    assert_eq!(count(&app, failed).await, 1);
}

#[tokio::test]
async fn a_file_whose_mail_is_gone_is_swept() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let bob = register(&app, "bob@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();
    send_due(app.clone()).await.unwrap();
    let gone = app.outbox.withdraw(ada.account.into()).await.unwrap();
    app.outbox.delete(&[gone[0].mail]).await.unwrap();

    sweeps::sweep_mail_folder(app).await.unwrap();

    let mails = harness.mails();
    assert_eq!(mails.len(), 1);
    assert!(mails[0].contains(bob.email));
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_yet_gets_the_mail_later_and_once() {
    let harness = Harness::new().await;
    let nobody = test_support::ClosedPort::new();
    let url = format!("smtp://{}", nobody.address());
    let app =
        harness.node_with(Transport::Smtp(url.parse().unwrap()), &harness.databases.log_url).await;
    register(&app, "ada@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();
    send_due(app.clone()).await.unwrap();
    assert_eq!(app.metrics.mails_handled.with_label_values(&["again"]).get(), 1);

    harness.clock.advance(TimeDelta::minutes(1));
    let later = App { transport: harness.node().await.transport, ..app };
    send_due(later.clone()).await.unwrap();
    send_due(later).await.unwrap();

    assert_eq!(harness.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_goes_once_its_cause_is_known_and_not_from_a_log_that_went_back() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    app.watermark.begin_keeping().await.unwrap();
    register(&app, "ada@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();
    send_due(app.clone()).await.unwrap();
    assert_eq!(harness.mails().len(), 1);
    assert_eq!(known(&app).await, log(&app).await.last().unwrap().position());
    register(&app, "bob@example.org").await;
    react(&app, &mailer(&app)).await.unwrap();
    let lost = NewestEvent { position: 99, event: EventId(Uuid::nil()) };
    app.watermark.watermark().raise(lost);

    send_due(app.clone()).await.unwrap_err();

    assert_eq!(harness.mails().len(), 1);
}
