//! A session ends with a reason, and its closing event is appended once.

use domain::CredentialId;
use domain::session::CloseReason;

use super::super::session_closer::{SessionCloser, close_due};
use super::super::sweeps;
use super::*;

fn closer(app: &App) -> SessionCloser {
    SessionCloser::new(app, &Arc::default())
}

/// Whether the password fits this hash.
async fn opens(app: &App, account: AccountId, credential: CredentialId) -> bool {
    let password = SecretString::from(PASSWORD);
    app.credentials.verify(account, credential, &password, HashQueue::Known).await.unwrap()
}

#[tokio::test]
async fn a_changed_password_ends_every_session_but_the_one_that_asked() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let (phone, phone_token) = sign_in(&app, ada.account).await;
    let (laptop, laptop_token) = sign_in(&app, ada.account).await;
    let credential = hash(&app, ada.account).await;
    let change = AccountCommand::ChangePassword { credential, keep_api_tokens: true };
    ask(&app, ada.account, Some(laptop), change).await.unwrap();
    let (later, later_token) = sign_in(&app, ada.account).await;

    for _ in 0..2 {
        react(&app, &closer(&app)).await.unwrap();
        close_due(app.clone()).await.unwrap();
    }

    assert_eq!(app.sessions.find(&phone_token).await.unwrap(), None);
    assert!(app.sessions.find(&laptop_token).await.unwrap().is_some());
    assert!(app.sessions.find(&later_token).await.unwrap().is_some());
    assert_eq!(event_types(&app, phone.0).await, ["session.opened", "session.closed"]);
    assert_eq!(event_types(&app, laptop.0).await, ["session.opened"]);
    assert_eq!(event_types(&app, later.0).await, ["session.opened"]);
    let log = log(&app).await;
    let of = |event_type: &str| log.iter().find(|event| event.event_type() == event_type).unwrap();
    let (closed, changed) = (of("session.closed"), of("account.password_changed"));
    assert_eq!(closed.causation(), Some(changed.event_id()));
    assert_eq!(closed.data(), r#"{"reason":"password_changed"}"#);
    assert_eq!(count(&app, "select count(*) from working.closings").await, 0);
    let hashes = app.credentials.delete_of_account(ada.account).await.unwrap();
    assert_eq!(hashes, 1, "the old hash is gone with the old password");
}

#[tokio::test]
async fn a_sign_in_by_the_old_password_that_is_appended_after_the_change_is_closed() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let credential = hash(&app, ada.account).await;
    ask(
        &app,
        ada.account,
        None,
        AccountCommand::ChangePassword { credential, keep_api_tokens: true },
    )
    .await
    .unwrap();
    let (_, late_token) = sign_in_at(&app, ada.account, 1).await;

    react(&app, &closer(&app)).await.unwrap();

    assert_eq!(app.sessions.find(&late_token).await.unwrap(), None);
}

#[tokio::test]
async fn a_crash_between_the_row_and_the_event_loses_neither() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let (session, _) = sign_in(&app, ada.account).await;
    let reason = CloseReason::SignedOut;
    app.sessions.close(session, reason).await.unwrap();

    close_due(app.clone()).await.unwrap();
    assert_eq!(
        event_types(&app, session.0).await,
        ["session.opened"],
        "the request that closed it may still append"
    );
    harness.clock.advance(TimeDelta::seconds(5));
    close_due(app.clone()).await.unwrap();

    assert_eq!(event_types(&app, session.0).await, ["session.opened", "session.closed"]);
}

#[tokio::test]
async fn a_session_that_is_over_is_closed_in_the_log_with_its_reason() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let (session, _) = sign_in(&app, ada.account).await;
    harness.clock.advance(TimeDelta::minutes(60));

    close_due(app.clone()).await.unwrap();

    let log = log(&app).await;
    let closed = log.iter().find(|event| event.event_type() == "session.closed").unwrap();
    assert_eq!((closed.stream_id(), closed.data()), (session.0, r#"{"reason":"idle"}"#));
}

#[tokio::test]
async fn a_hash_that_no_event_names_is_swept_and_a_named_one_stays() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let orphan: CredentialId = hash(&app, ada.account).await;
    let nobody = AccountId(app.ids.uuid());
    hash(&app, nobody).await;

    sweeps::sweep_credentials(app.clone()).await.unwrap();
    assert_eq!(count(&app, "select count(*) from working.credentials").await, 3);
    harness.clock.advance(TimeDelta::minutes(11));
    sweeps::sweep_credentials(app.clone()).await.unwrap();

    assert!(opens(&app, ada.account, ada.credential).await);
    assert!(!opens(&app, ada.account, orphan).await);
    assert_eq!(count(&app, "select count(*) from working.credentials").await, 1);
}

#[tokio::test]
async fn the_sweep_goes_on_until_no_old_hash_is_left() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await;
    let copies = "insert into working.credentials
        select gen_random_uuid(), account_id, hash, created_at
        from working.credentials, generate_series(1, 600)";
    app.pool.get().await.unwrap().execute(copies, &[]).await.unwrap();
    harness.clock.advance(TimeDelta::minutes(11));

    sweeps::sweep_credentials(app.clone()).await.unwrap();

    assert_eq!(count(&app, "select count(*) from working.credentials").await, 1);
    assert!(opens(&app, ada.account, ada.credential).await);
}
