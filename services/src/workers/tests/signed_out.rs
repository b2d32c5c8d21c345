//! Signing out everywhere because of a command: all that it ends is ended, also by the command that comes
//! again, and nothing that came after it.

#![allow(clippy::unnecessary_wraps, reason = "as the caller takes it")]

use domain::session::CloseReason;
use infra::event_store::Guard;

use super::super::session_closer::{SessionCloser, close_due};
use super::*;
use crate::operations::erase_account::{LeftWorkspaces, request_of_account};
use crate::operations::set_password::SetPassword;
use crate::operations::sign_out::{SignOut, SignedOut};

fn command(app: &App, account: AccountId) -> Request {
    Request::new(account.into(), CommandId(app.ids.uuid()))
}

/// As a request does it.
async fn end_sessions(
    app: &App,
    request: &Request,
    keep_api_tokens: bool,
) -> Result<SignedOut, ExecuteError> {
    let account = AccountId(request.tenant.0);
    let ends = AccountCommand::EndSessions { keep_api_tokens };
    let steps = [Step::new::<Account>(account.0, ends)];
    let receipt = app.executor.execute(request, &steps).await?;
    let sign_out = SignOut { account, except: None, reason: CloseReason::ClosedFromAnother };
    Ok(sign_out.execute_after(app, (request, &receipt), !keep_api_tokens).await)
}

/// The row of a sign-in whose events are not appended, or never will be.
async fn begin_sign_in(app: &App, account: AccountId) -> SessionId {
    let opening = NewSession {
        session: SessionId(app.ids.uuid()),
        account,
        account_version: 1,
        kind: SessionKind::Client,
        token: Sessions::draw_token().unwrap().hash,
        idle: TimeDelta::minutes(60),
        absolute: TimeDelta::days(30),
    };
    assert!(app.sessions.open(&opening).await.unwrap());
    opening.session
}

/// Appends the command, as a node that is killed right behind it.
async fn cut_short(app: &App, request: &Request, command: AccountCommand) {
    let steps = [Step::new::<Account>(request.tenant.0, command)];
    app.executor.execute(request, &steps).await.unwrap();
}

async fn set_password(app: &App, account: AccountId, request: &Request, keep_api_tokens: bool) {
    let password = Password::parse(SecretString::from("quite another password")).unwrap();
    let set = SetPassword { account, password, except: None, expected: None };
    let changes = |credential| AccountCommand::ChangePassword { credential, keep_api_tokens };
    set.execute(app, request, changes).await.unwrap();
}

const CLOSED: [&str; 2] = ["session.opened", "session.closed"];

#[tokio::test]
async fn a_sign_in_on_its_way_keeps_nobody_from_being_signed_out_and_no_token_from_ending() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (phone, token) = sign_in(&app, ada).await;
    begin_sign_in(&app, ada).await;

    end_sessions(&app, &command(&app, ada), false).await.unwrap();

    assert_eq!(event_types(&app, phone.0).await, CLOSED);
    assert_eq!(app.sessions.find(&token).await.unwrap(), None);
    assert_eq!(event_types(&app, ada.0).await.last().unwrap(), "account.api_tokens_ended");
    assert_eq!(count(&app, "select count(*) from working.sessions").await, 0);
}

#[tokio::test]
async fn a_sign_in_on_its_way_does_not_leave_the_others_to_the_session_closer() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (phone, _) = sign_in(&app, ada).await;
    begin_sign_in(&app, ada).await;

    set_password(&app, ada, &command(&app, ada), true).await;

    assert_eq!(event_types(&app, phone.0).await, CLOSED);
    assert_eq!(count(&app, "select count(*) from working.sessions").await, 0);
}

#[tokio::test]
async fn who_may_not_act_any_more_closes_nobodys_session() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (stolen, _) = sign_in(&app, ada).await;
    end_sessions(&app, &command(&app, ada), true).await.unwrap();
    let (_, token) = sign_in(&app, ada).await;
    let uses = Guard::new::<Session>(ada.into(), stolen.0, SessionCommand::Use);

    for keep_api_tokens in [false, true] {
        let late = Request { guards: vec![uses.clone()], ..command(&app, ada) };
        let refused = end_sessions(&app, &late, keep_api_tokens).await;
        assert!(refused.is_err(), "{refused:?}");
    }

    assert!(app.sessions.find(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_change_of_password_that_comes_again_signs_out_whom_the_first_call_did_not_get_to() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asked_in = sign_in(&app, ada).await;
    let (phone, token) = sign_in(&app, ada).await;
    let asks = Request { session: Some(asked_in.0), ..command(&app, ada) };
    let credential = hash(&app, ada).await;
    let change = AccountCommand::ChangePassword { credential, keep_api_tokens: true };
    cut_short(&app, &asks, change).await;
    let (later, later_token) = sign_in(&app, ada).await;

    for _ in 0..2 {
        set_password(&app, ada, &asks, true).await;
    }

    assert_eq!(event_types(&app, phone.0).await, CLOSED);
    assert_eq!(app.sessions.find(&token).await.unwrap(), None);
    assert!(app.sessions.find(&asked_in.1).await.unwrap().is_some(), "it is where it was asked");
    assert!(app.sessions.find(&later_token).await.unwrap().is_some());
    assert_eq!(event_types(&app, later.0).await, ["session.opened"]);
}

#[tokio::test]
async fn rows_that_the_first_call_deleted_get_their_closing_events_from_the_one_that_comes_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (phone, _) = sign_in(&app, ada).await;
    let asks = command(&app, ada);
    let credential = hash(&app, ada).await;
    let change = AccountCommand::ChangePassword { credential, keep_api_tokens: true };
    cut_short(&app, &asks, change).await;
    let cause = app.executor.find_earlier(&asks).await.unwrap().unwrap().events()[0].id;
    let reason = CloseReason::PasswordChanged;
    assert_eq!(app.sessions.close_all(ada, None, reason, Some(cause)).await.unwrap(), [phone]);

    set_password(&app, ada, &asks, true).await;

    assert_eq!(event_types(&app, phone.0).await, CLOSED);
    assert_eq!(count(&app, "select count(*) from working.closings").await, 0);
}

#[tokio::test]
async fn a_request_for_erasure_that_comes_again_signs_out_whom_the_first_call_did_not_get_to() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (phone, token) = sign_in(&app, ada).await;
    let (asks, now, grace) = (command(&app, ada), app.clock.now(), TimeDelta::days(7));
    cut_short(&app, &asks, AccountCommand::RequestErasure { now, due: now + grace }).await;
    let (_, later_token) = sign_in(&app, ada).await;
    let loaded = app.executor.load::<Account>(ada.into(), ada.0).await.unwrap();
    let Account::Live(live) = &*loaded.state else { panic!("not live") };

    request_of_account(&app, ada, live, (grace, LeftWorkspaces::HaveOwners), &asks).await.unwrap();

    assert_eq!(event_types(&app, phone.0).await, CLOSED);
    assert_eq!(app.sessions.find(&token).await.unwrap(), None);
    assert!(app.sessions.find(&later_token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_replay_signs_nobody_out_who_came_after_the_first_call() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let asks = command(&app, ada);
    set_password(&app, ada, &asks, true).await;
    let (_, token) = sign_in(&app, ada).await;

    set_password(&app, ada, &asks, true).await;

    assert!(app.sessions.find(&token).await.unwrap().is_some());
}

#[tokio::test]
async fn a_row_that_a_crash_left_behind_its_closing_event_is_deleted_by_the_worker() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (phone, token) = sign_in(&app, ada).await;
    let close = SessionCommand::Close { reason: CloseReason::SignedOut };
    let steps = [Step::new::<Session>(phone.0, close)];
    app.executor.execute(&command(&app, ada), &steps).await.unwrap();

    react(&app, &SessionCloser::new(&app, &Arc::default())).await.unwrap();
    close_due(app.clone()).await.unwrap();

    assert_eq!(app.sessions.find(&token).await.unwrap(), None);
    assert_eq!(event_types(&app, phone.0).await, CLOSED);
}
