//! Sessions as a sign-in opens them.

use super::*;

/// Signs in; answers the session and its token.
pub(super) async fn sign_in(app: &App, account: AccountId) -> (SessionId, String) {
    let version = app.executor.load::<Account>(account.into(), account.0).await.unwrap().version;
    sign_in_at(app, account, version).await
}

/// Signs in as decided on this version of the account.
pub(super) async fn sign_in_at(
    app: &App,
    account: AccountId,
    account_version: i64,
) -> (SessionId, String) {
    let (session, kind) = (SessionId(app.ids.uuid()), SessionKind::Client);
    let token = Sessions::draw_token().unwrap();
    let opening = NewSession {
        session,
        account,
        account_version,
        kind,
        token: token.hash,
        idle: TimeDelta::minutes(60),
        absolute: TimeDelta::days(30),
    };
    assert!(app.sessions.open(&opening).await.unwrap());
    let known = app.executor.load::<Account>(account.into(), account.0).await.unwrap();
    let Account::Live(live) = &*known.state else { panic!("no account") };
    let credential = live.credential;
    let ip = || Personal::Clear(IpAddress("192.0.2.7".parse().unwrap()));
    let user_agent = || Personal::Clear(UserAgent::cut("a browser"));
    let opened = SessionCommand::Open { account, kind, ip: ip(), user_agent: user_agent() };
    let succeeded =
        AccountCommand::SucceedLogin { credential, session, ip: ip(), user_agent: user_agent() };
    let steps =
        [Step::new::<Account>(account.0, succeeded), Step::new::<Session>(session.0, opened)];
    let request = Request::new(account.into(), CommandId(app.ids.uuid()));
    app.executor.execute(&request, &steps).await.unwrap();
    (session, token.secret.expose_secret().to_owned())
}
