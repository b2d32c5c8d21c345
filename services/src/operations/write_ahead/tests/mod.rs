//! Two calls of a command, and calls that a crash or another change comes between.

mod secrets;
mod tokens;

use chrono::TimeDelta;
use domain::account::{Account, AccountCommand};
use domain::{AccountId, CommandId, CredentialId};
use infra::credentials::{HashQueue, Password};
use secrecy::SecretString;

use super::*;
use crate::operations::set_password::{NewHash, SetPassword, SetPasswordError};
use crate::workers::tests::{Harness, name_hashes, register, sweep_credentials};

const FIRST: &str = "the first new password";
const SECOND: &str = "the second new password";

fn password(text: &str) -> Password {
    Password::parse(SecretString::from(text)).unwrap()
}

fn request(account: AccountId, command: u128, body: &str) -> Request {
    let command = CommandId(uuid::Uuid::from_u128(command));
    Request { body: Some(body.into()), ..Request::new(account.into(), command) }
}

async fn look_up<'a>(app: &'a App, request: &'a Request) -> NewCommand<'a> {
    match NewCommand::look_up(app, request).await.unwrap() {
        LookedUp::New(new) => new,
        LookedUp::Earlier(earlier) => panic!("{earlier:?}"),
    }
}

/// The hash of a change that gets no further for now.
async fn write<'a>(
    app: &'a App,
    account: AccountId,
    (request, text): (&'a Request, &str),
) -> Written<'a, NewHash> {
    let new = look_up(app, request).await;
    NewHash::write(app, new, account, (password(text), HashQueue::Known)).await.unwrap()
}

/// A step that names the credential.
fn change(account: AccountId, credential: CredentialId) -> Step {
    Step::new::<Account>(
        account.0,
        AccountCommand::ChangePassword { credential, keep_api_tokens: true },
    )
}

async fn finish(account: AccountId, written: Written<'_, NewHash>) {
    let step = change(account, written.row.credential);
    assert!(!written.execute(step).await.unwrap().replayed());
}

async fn refuse(account: AccountId, written: Written<'_, NewHash>) {
    let step = change(account, written.row.credential).expecting(99);
    let refused = written.execute(step).await;
    let Err(SetPasswordError::Execute(ExecuteError::Stale { .. })) = refused else {
        panic!("{refused:?}")
    };
}

async fn set(app: &App, account: AccountId, (request, text): (&Request, &str)) {
    let set = SetPassword { account, password: password(text), except: None, expected: None };
    let changes = |credential| AccountCommand::ChangePassword { credential, keep_api_tokens: true };
    set.execute(app, request, changes).await.unwrap();
}

async fn signs_in(app: &App, account: AccountId, text: &str) -> bool {
    let loaded = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let Account::Live(live) = &*loaded.state else { panic!("not live") };
    let text = SecretString::from(text);
    app.credentials.verify(account, live.credential, &text, HashQueue::Known).await.unwrap()
}

async fn hashes(app: &App) -> i64 {
    let client = app.pool.get().await.unwrap();
    client.query_one("select count(*) from working.credentials", &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn another_body_under_the_key_of_a_request_that_never_came_into_the_log_counts() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (first, second) = (request(ada, 1, FIRST), request(ada, 1, SECOND));
    drop(write(&app, ada, (&first, FIRST)).await);

    set(&app, ada, (&second, SECOND)).await;

    assert!(signs_in(&app, ada, SECOND).await);
    assert!(!signs_in(&app, ada, FIRST).await);
}

#[tokio::test]
async fn a_request_that_comes_again_after_a_crash_has_the_row_of_the_first_time() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let request = request(ada, 1, FIRST);
    drop(write(&app, ada, (&request, FIRST)).await);

    set(&app, ada, (&request, FIRST)).await;

    assert_eq!(hashes(&app).await, 2, "that of the registration, and one of the change");
    assert!(signs_in(&app, ada, FIRST).await);
}

#[tokio::test]
async fn a_refused_call_does_not_take_the_row_of_another_call_of_its_command() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let request = request(ada, 1, FIRST);

    let refused = write(&app, ada, (&request, FIRST)).await;
    harness.clock.advance(TimeDelta::milliseconds(1));
    let appended = write(&app, ada, (&request, FIRST)).await;
    refuse(ada, refused).await;
    assert_eq!(hashes(&app).await, 2, "the other call has written it since");
    harness.clock.advance(TimeDelta::milliseconds(1));
    let refused = write(&app, ada, (&request, FIRST)).await;
    refuse(ada, refused).await;
    assert_eq!(hashes(&app).await, 1, "the row of a refused command goes");
    finish(ada, appended).await;

    assert!(signs_in(&app, ada, FIRST).await, "its row is written again after the append");
}

#[tokio::test]
async fn a_refusal_that_comes_after_the_append_of_another_call_takes_nothing() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let request = request(ada, 1, FIRST);
    let appended = write(&app, ada, (&request, FIRST)).await;
    harness.clock.advance(TimeDelta::milliseconds(1));
    let late = write(&app, ada, (&request, FIRST)).await;
    harness.clock.advance(TimeDelta::milliseconds(1));

    finish(ada, appended).await;
    // As if it had been refused before the append, and deleted its row only now.
    late.row.take_back(&app, late.at).await.unwrap();

    assert!(signs_in(&app, ada, FIRST).await);
}

#[tokio::test]
async fn a_younger_change_leaves_the_row_of_an_older_one_that_is_still_on_its_way() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (older, younger) = (request(ada, 1, FIRST), request(ada, 2, SECOND));
    let on_its_way = write(&app, ada, (&older, FIRST)).await;
    harness.clock.advance(TimeDelta::seconds(1));
    set(&app, ada, (&younger, SECOND)).await;
    name_hashes(&app).await;
    assert_eq!(hashes(&app).await, 2, "that of the registration is gone, and only that");

    // A crash right after the append: nothing is written again.
    let step = change(ada, on_its_way.row.credential);
    app.executor.execute(&older, &[step]).await.unwrap();
    assert!(signs_in(&app, ada, FIRST).await);
    name_hashes(&app).await;

    assert!(signs_in(&app, ada, FIRST).await);
    assert_eq!(hashes(&app).await, 1);
}

#[tokio::test]
async fn an_event_that_is_read_again_after_a_later_one_deletes_no_newer_hash() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let (older, younger) = (request(ada, 1, FIRST), request(ada, 2, SECOND));
    let mut late = write(&app, ada, (&older, FIRST)).await.row;
    app.executor.execute(&older, &[change(ada, late.credential)]).await.unwrap();
    set(&app, ada, (&younger, SECOND)).await;
    name_hashes(&app).await;
    late.write(&app).await.unwrap();

    name_hashes(&app).await;

    assert!(signs_in(&app, ada, SECOND).await);
    assert_eq!(hashes(&app).await, 1);
}

#[tokio::test]
async fn the_sweep_leaves_the_row_of_a_command_that_came_again() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let ada = register(&app, "ada@example.org").await.account;
    let request = request(ada, 1, FIRST);
    drop(write(&app, ada, (&request, FIRST)).await);
    harness.clock.advance(TimeDelta::minutes(11));
    let again = write(&app, ada, (&request, FIRST)).await;

    sweep_credentials(&app).await;
    assert_eq!(hashes(&app).await, 2);
    harness.clock.advance(TimeDelta::minutes(11));
    sweep_credentials(&app).await;
    assert_eq!(hashes(&app).await, 1);
    finish(ada, again).await;

    assert!(signs_in(&app, ada, FIRST).await, "its row is written again after the append");
}
