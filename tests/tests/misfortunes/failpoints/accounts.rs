//! Kills while people register, sign in and out, change their passwords, and are mailed.

use chrono::TimeDelta;
use infra::clock::Clock;
use serde_json::json;
use tests::{Behaviour, Client, Installation, Person, Smtp, TestServer, create_workspace};

use super::checks::{projections_equal_their_replay, settled};
use super::crash::{Kill, Report};
use super::load::{Load, Work};
use super::requests::Request;
use super::sent::send_again;

/// Reached by somebody who registers, and by nobody of the load.
const REGISTERING: [&str; 3] = ["password.hashed", "mail.sending", "mail.sent"];
/// Reached by everybody who appends, or by what reads it.
const APPENDING: [&str; 4] =
    ["append.committed", "projection.written", "projection.committed:2", "worker.reacted"];
/// Nobody of the load does what is cut short: otherwise the kill might hit the load.
const WORKS: [Work; 2] = [Work::CreateWorkspace, Work::Seat];

pub async fn crash() -> Report {
    let mut report = Report::default();
    // The seats of the load last as long as the test.
    let settings = [("seat_lease_seconds", "3600")];
    let installation = Installation::with(&settings).await.with_failpoints();
    let mut node = installation.node().await;
    let ada = Person::named("ada");
    let signed_in = ada.settle(&node.client(), &installation).await;
    // Without a load it is the registration that the kill hits.
    for failpoint in APPENDING {
        node = register(&mut report, &installation, node, (failpoint, "alone")).await;
    }
    report.load = Some(Load::new(&installation, &node.client(), "accounts", &WORKS).await);
    // The answer of one append alone may be there before its failpoint is: then nothing is killed.
    for failpoint in ["append.sent"].into_iter().chain(APPENDING).chain(REGISTERING) {
        node = register(&mut report, &installation, node, (failpoint, "under-load")).await;
    }

    let requests = vec![Request::sign_in(&node.client(), &ada)];
    let events = &[("session.opened", 1), ("account.login_succeeded", 1)];
    let kill = Kill { failpoint: "session.opened", requests, settings: &[], events };
    let answers;
    (node, answers) = report.kill(&installation, node, kill).await;
    let second = node.client().bearing(&answers[0].field("/token"));
    second.get("/v1/me").await.expect(200);

    // Once the session closer has deleted the row, nobody knows any more who sends the request again.
    let request =
        Request::delete(&second, "/v1/me/sessions/current").or(&[204, 401]).not_repeatable();
    let requests = vec![request.appends("session.closed")];
    let kill = Kill {
        failpoint: "session.closed",
        requests,
        settings: &[],
        events: &[("session.closed", 1)],
    };
    (node, _) = report.kill(&installation, node, kill).await;

    node = sign_out(&mut report, &installation, node, &signed_in, &ada).await;
    let mut ada = ada;
    node = change_password(&mut report, &installation, node, &signed_in, &mut ada).await;
    node = end_tokens(&mut report, &installation, node, &signed_in, &ada).await;
    report.check_load();

    projections_equal_their_replay(&installation).await;
    assert!(node.stop().await.success());
    report
}

/// Somebody registers, whose address says how the node was killed.
async fn register(
    report: &mut Report,
    installation: &Installation,
    node: TestServer,
    (failpoint, how): (&str, &str),
) -> TestServer {
    let person = Person::named(&format!("{failpoint}-{how}").replace([':', '.', '_'], "-"));
    let requests = vec![Request::register(&node.client(), &person)];
    let events = &[("account.registered", 1)];
    let kill = Kill { failpoint, requests, settings: &[], events };
    let (node, _) = report.kill(installation, node, kill).await;
    assert_eq!(installation.mails(&person.email).len(), 1, "{failpoint}: mails");
    person.sign_in(&node.client()).await;
    node
}

/// A token of a new workspace, and the path of it. With the password: the session is older than ten minutes where a
/// machine is slow.
async fn issue_token(signed_in: &Client, ada: &Person) -> (String, String) {
    let workspace = create_workspace(signed_in, "Engines").await;
    let path = format!("{workspace}/api-tokens");
    let expires_at = (Clock::system().now() + TimeDelta::days(30)).to_rfc3339();
    let asks = json!({ "name": "x", "scopes": ["workspace:read"], "expires_at": expires_at,
        "password": ada.password });
    (workspace, signed_in.post(&path, asks).await.expect(201).field("/token"))
}

/// Everywhere, once at each of the failpoints.
async fn sign_out(
    report: &mut Report,
    installation: &Installation,
    mut node: TestServer,
    signed_in: &Client,
    ada: &Person,
) -> TestServer {
    for failpoint in ["sessions.ended", "sessions.deleted", "sessions.closed", "api_tokens.ended"] {
        let other = ada.sign_in(&node.client()).await;
        let (workspace, token) = issue_token(&signed_in.at(node.api()), ada).await;
        let request = Request::delete(signed_in, "/v1/me/sessions");
        let requests = vec![request.appends("account.sessions_ended")];
        let events = &[
            ("account.sessions_ended", 1),
            ("account.api_tokens_ended", 1),
            ("session.closed", 1),
            ("workspace.api_token_revoked", 1),
        ];
        let kill = Kill { failpoint, requests, settings: &[], events };
        (node, _) = report.kill(installation, node, kill).await;
        other.at(node.api()).get("/v1/me").await.expect(401);
        node.client().bearing(&token).get(&workspace).await.expect(401);
        signed_in.at(node.api()).get("/v1/me").await.expect(200);
    }
    node
}

/// Once at each of the failpoints.
async fn change_password(
    report: &mut Report,
    installation: &Installation,
    mut node: TestServer,
    signed_in: &Client,
    ada: &mut Person,
) -> TestServer {
    for failpoint in ["password.stored", "password.changed", "sessions.deleted"] {
        let other = ada.sign_in(&node.client()).await;
        let new = format!("another password at {failpoint}");
        let body = json!({ "current": ada.password, "new": new });
        let request = Request::put(signed_in, "/v1/me/password", body);
        let requests = vec![request.appends("account.password_changed")];
        let events = &[("account.password_changed", 1), ("session.closed", 1)];
        let kill = Kill { failpoint, requests, settings: &[], events };
        (node, _) = report.kill(installation, node, kill).await;
        signed_in.at(node.api()).get("/v1/me").await.expect(200);
        other.at(node.api()).get("/v1/me").await.expect(401);
        ada.try_sign_in(&node.client()).await.expect(401);
        ada.password = new;
    }
    node
}

/// The tokens are refused, and nothing in the log says so yet.
async fn end_tokens(
    report: &mut Report,
    installation: &Installation,
    node: TestServer,
    signed_in: &Client,
    ada: &Person,
) -> TestServer {
    let signed_in = signed_in.at(node.api());
    let (workspace, token) = issue_token(&signed_in, ada).await;
    let path = format!("{workspace}/api-tokens");
    let body = json!({ "current": ada.password, "new": "another password of ada" });
    let request = Request::put(&signed_in, "/v1/me/password", body);
    let requests = vec![request.appends("account.password_changed")];
    let events = &[("account.api_tokens_ended", 1), ("workspace.api_token_revoked", 1)];
    let kill = Kill { failpoint: "api_tokens.ended", requests, settings: &[], events };
    let (node, _) = report.kill(installation, node, kill).await;
    let signed_in = signed_in.at(node.api());
    node.client().bearing(&token).get(&workspace).await.expect(401);
    let listed = signed_in.get(&path).await.expect(200).json();
    assert_eq!(listed["items"], json!([]));
    node
}

/// An SMTP server does not say whether it has a mail already: the mail is not sent again, and its
/// outcome is reported as unknown.
pub async fn crash_while_mailing() -> Report {
    let mut report = Report::default();
    let mut smtp = Smtp::start(Behaviour::Accept).await;
    let settings = [("smtp_url", smtp.url())];
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let installation = Installation::with(&settings).await.with_failpoints();
    installation.node().await.stop().await;

    for (failpoint, mails) in [("mail.sending", 0), ("mail.sent", 1)] {
        let person = Person::named(&failpoint.replace('.', "-"));
        let requests = vec![Request::register(&tests::Client::new(""), &person)];
        let sent = report.die(&installation, failpoint, &[], requests).await;
        let log = installation.log().await;
        // Three minutes pass.
        let passed = "update working.outbox set lease_until = now() where state = 'sending'";
        assert_eq!(log.execute(passed, &[]).await.unwrap(), 1, "{failpoint}");

        let node = installation.node().await;

        send_again(&node, failpoint, &sent).await;
        settled(&installation, failpoint).await;
        let reported = "select count(*) from working.outbox where state = 'unknown'";
        let reported: i64 = log.query_one(reported, &[]).await.unwrap().get(0);
        assert_eq!(reported, 1 + mails, "{failpoint}: mails whose outcome is not known");
        assert!(node.stop().await.success());
        for _ in 0..mails {
            assert_eq!(smtp.next().await.to, person.email);
        }
        assert_eq!(smtp.taken(), 0, "{failpoint}: a mail was sent again");
    }
    report
}
