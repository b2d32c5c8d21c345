//! Signing out of very many sessions, while somebody else moves the account's stream all the time.

use domain::account::LoginRefusal;
use domain::session::CloseReason;
use tokio::task::JoinHandle;

use super::*;
use crate::operations::sign_out::{SignOut, SignedOut};

const SESSIONS: usize = 3_000;
const AT_ONCE: usize = 100;

/// Open sessions; answers their tokens.
async fn open_many(app: &App, account: AccountId) -> Vec<String> {
    let (kind, mut tokens) = (SessionKind::Client, Vec::new());
    for _ in 0..SESSIONS / AT_ONCE {
        let mut steps = Vec::new();
        for _ in 0..AT_ONCE {
            let (session, token) = (SessionId(app.ids.uuid()), Sessions::draw_token().unwrap());
            let opening = NewSession {
                session,
                account,
                account_version: 1,
                kind,
                token: token.hash,
                idle: TimeDelta::minutes(60),
                absolute: TimeDelta::days(30),
            };
            assert!(app.sessions.open(&opening).await.unwrap());
            tokens.push(token.secret.expose_secret().to_owned());
            let ip = Personal::Clear(IpAddress("192.0.2.7".parse().unwrap()));
            let user_agent = Personal::Clear(UserAgent::cut("a browser"));
            let opens = SessionCommand::Open { account, kind, ip, user_agent };
            steps.push(Step::new::<Session>(session.0, opens));
        }
        let request = Request::new(account.into(), CommandId(app.ids.uuid()));
        app.executor.execute(&request, &steps).await.unwrap();
    }
    tokens
}

/// Somebody tries one wrong password after another.
fn guess(app: &App, account: AccountId) -> JoinHandle<()> {
    let app = app.clone();
    tokio::spawn(async move {
        loop {
            let fails = AccountCommand::FailLogin {
                reason: LoginRefusal::WrongPassword,
                ip: Personal::Clear(IpAddress("192.0.2.8".parse().unwrap())),
                user_agent: Personal::Clear(UserAgent::cut("a script")),
            };
            ask(&app, account, None, fails).await.unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_sessions_are_signed_out_while_somebody_tries_passwords() {
    let harness = Harness::new().await;
    let (app, other) = (harness.node().await, harness.node().await);
    let ada = register(&app, "ada@example.org").await.account;
    let tokens = open_many(&app, ada).await;
    let guesses = guess(&other, ada);
    let asks = Request::new(ada.into(), CommandId(app.ids.uuid()));

    let signed_out = end_sessions(&app, &asks).await;

    for token in &tokens {
        assert_eq!(other.sessions.find(token).await.unwrap(), None);
    }
    assert!(!guesses.is_finished(), "the passwords were tried all the time");
    guesses.abort();
    assert!(matches!(signed_out, Ok(SignedOut::Closed(SESSIONS))), "{signed_out:?}");
    let closed = "select count(*) from event_log.events where event_type = 'session.closed'";
    assert_eq!(count(&app, closed).await, i64::try_from(SESSIONS).unwrap());
    assert_eq!(count(&app, "select count(*) from working.closings").await, 0);
}

async fn end_sessions(app: &App, request: &Request) -> Result<SignedOut, ExecuteError> {
    let account = AccountId(request.tenant.0);
    let ends = AccountCommand::EndSessions { keep_api_tokens: false };
    let steps = [Step::new::<Account>(account.0, ends)];
    let receipt = app.executor.execute(request, &steps).await?;
    let sign_out = SignOut { account, except: None, reason: CloseReason::ClosedFromAnother };
    Ok(sign_out.execute_after(app, (request, &receipt), true).await)
}
