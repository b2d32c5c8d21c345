//! What mailed links open, and when they do nothing any more.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, Url};
use serde_json::json;
use tests::{Harness, Person, PlainBrowser};

use super::{at, link, sign_in};

/// The same token, as if it had been made on another day: the bytes after the two ids.
fn of_day(token: &str, day: u32) -> String {
    let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    bytes[32..36].copy_from_slice(&day.to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_program_that_follows_the_links_of_mails_changes_nothing() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    bob.register(&harness.node.client()).await;
    let forgets = json!({ "email": bob.email });
    harness.node.client().post("/v1/password-resets", forgets).await.expect(202);
    let verification = link(&harness, &bob.email, "verify-email", 1).await;
    let reset = link(&harness, &bob.email, "reset-password", 1).await;
    let before = harness.events("account.email_verified").await.len();
    let mut scanner = PlainBrowser::new();
    for link in [&verification, &reset] {
        for method in [Method::HEAD, Method::GET, Method::GET] {
            let answer = scanner.send(method, Url::parse(link).unwrap(), None).await;
            assert_eq!(answer.status().as_u16(), 200, "{link}");
        }
    }
    assert_eq!(harness.events("account.email_verified").await.len(), before);
    assert!(harness.events("account.password_changed").await.is_empty());

    let mut browser = PlainBrowser::new();
    browser.open(&verification).await;
    let asked = browser.text_of("main");
    assert!(asked.contains(&bob.name) && asked.contains(&bob.email), "{asked}");
    browser.press("Yes, it is mine").await;
    assert_eq!(browser.text_of("h1"), "Your address is confirmed");
    browser.open(&verification).await;
    assert_eq!(browser.text_of("h1"), "The address of the account is confirmed already");
}

#[tokio::test]
async fn a_link_that_is_over_says_so_however_old_it_is_and_whosever_it_was() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    let bobs = bob.settle(&harness.node.client(), &harness.installation).await;
    let anybody = harness.node.client();
    let forgets = json!({ "email": bob.email });
    anybody.post("/v1/password-resets", forgets).await.expect(202);
    let mailed = link(&harness, &bob.email, "reset-password", 1).await;
    let token = mailed.rsplit('=').next().unwrap().to_owned();
    let page = async |token: &str| {
        let mut browser = PlainBrowser::new();
        browser.open(&at(&harness, &format!("reset-password?token={token}"))).await;
        (browser.status(), browser.text_of("h1"))
    };
    let api = async |token: &str| {
        let body = json!({ "token": token, "password": "quite another password" });
        anybody.post("/v1/password-resets/completions", body).await.status
    };
    assert_eq!(page(&token).await.0, 200);
    for old in [of_day(&token, 1), of_day(&token, 19_000)] {
        let over = (410, "This link no longer works".to_owned());
        assert_eq!((page(&old).await, api(&old).await), (over, 410));
    }
    for none in [&token[1..], "x", &of_day(&token, u32::MAX)] {
        let not_ours = (400, "This link is not complete".to_owned());
        assert_eq!((page(none).await, api(none).await), (not_ours, 400));
    }

    bob.erase(&bobs).await;

    assert_eq!(page(&token).await, (410, "This link no longer works".to_owned()), "of nobody");
    assert_eq!(api(&token).await, 410);
}

#[tokio::test]
async fn an_invitation_for_somebody_else_says_what_to_do() {
    let harness = Harness::new().await;
    let (bob, eve) = (Person::named("bob"), Person::named("eve"));
    for person in [&bob, &eve] {
        person.settle(&harness.node.client(), &harness.installation).await;
    }
    let token = harness.invite(&eve.email, "viewer").await;
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, &format!("accept-invitation?token={token}"))).await;
    browser.follow("Sign in").await;
    sign_in(&mut browser, &bob.email, &bob.password).await;
    assert_eq!(browser.status(), 403);
    assert_eq!(browser.text_of("h1"), "This invitation is for another address");
    assert!(browser.text_of("main").contains(&bob.email));

    browser.follow("Sign in with another address").await;
    browser.press("Sign out").await;
    browser.follow("Sign in").await;
    sign_in(&mut browser, &eve.email, &eve.password).await;
    browser.press("Join the workspace").await;

    assert_eq!(browser.text_of("h1"), "Welcome");
}

#[tokio::test]
async fn an_invitation_that_was_withdrawn_asks_nobody_to_open_an_account() {
    let harness = Harness::new().await;
    let token = harness.invite("eve@example.org", "viewer").await;
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, &format!("accept-invitation?token={token}"))).await;
    assert_eq!((browser.status(), browser.text_of("h1").as_str()), (200, "You are invited"));
    assert!(!browser.markup().contains("Engines"), "{}", browser.markup());

    let open = harness.ada.get(&harness.at("invitations")).await.expect(200);
    let id = open.field("/items/0/invitation_id");
    harness.ada.delete(&harness.at(&format!("invitations/{id}"))).await.expect(204);

    browser.open(&at(&harness, &format!("accept-invitation?token={token}"))).await;
    let shown = (browser.status(), browser.text_of("h1"));
    assert_eq!(shown, (410, "This link no longer works".to_owned()));
    assert!(!browser.markup().contains("Open an account"), "{}", browser.markup());
}

#[tokio::test]
async fn nobody_joins_who_gave_no_answer() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    bob.settle(&harness.node.client(), &harness.installation).await;
    let token = harness.invite(&bob.email, "viewer").await;
    let page = at(&harness, "accept-invitation");
    let mut browser = PlainBrowser::new();
    browser.open(&format!("{page}?token={token}")).await;
    browser.follow("Sign in").await;
    sign_in(&mut browser, &bob.email, &bob.password).await;
    let (_, joins) = browser.form("Join the workspace");
    let joined = harness.events("workspace.invitation_accepted").await.len();

    browser.submit(&page, &joins.replace("answer=accept", "answer=perhaps")).await;

    assert_eq!(browser.text_of("h1"), "You are invited");
    assert_eq!(harness.events("workspace.invitation_accepted").await.len(), joined);
    browser.press("Join the workspace").await;
    assert_eq!(browser.text_of("h1"), "Welcome");
    assert_eq!(harness.events("workspace.invitation_accepted").await.len(), joined + 1);
}

#[tokio::test]
async fn a_link_of_a_former_version_is_taken_with_and_without_a_script() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    let bobs = bob.settle(&harness.node.client(), &harness.installation).await;
    let token = harness.invite(&bob.email, "viewer").await;
    for page in ["verify-email", "change-email", "reset-password", "accept-invitation"] {
        let mut browser = PlainBrowser::new();
        browser.open(&at(&harness, page)).await;
        assert!(browser.markup().contains(r#"<script src="old-links.js"></script>"#), "{page}");
        assert!(browser.header("content-security-policy").unwrap().contains("script-src 'self'"));
    }
    let script = bobs.get("/old-links.js").await.expect(200);
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(script.text().contains("?token=${encodeURIComponent(location.hash.slice(1))}"));

    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, &format!("accept-invitation#{token}"))).await;
    browser.fill("token", &at(&harness, &format!("accept-invitation#{token}")));
    browser.press("Go on").await;
    assert_eq!(browser.text_of("h1"), "You are invited");
}

#[tokio::test]
async fn the_secret_of_a_link_is_not_in_the_log_of_the_node() {
    let harness = Harness::new().await;
    let token = harness.invite("eve@example.org", "viewer").await;
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, &format!("accept-invitation?token={token}"))).await;
    browser.follow("Sign in").await;
    assert!(browser.at().contains(&token));
    let ada = Person::named("ada");
    sign_in(&mut browser, &ada.email, "another password").await;
    sign_in(&mut browser, &ada.email, &ada.password).await;
    assert!(browser.at().contains(&token) && browser.status() == 403, "{}", browser.at());

    let log = harness.node.log_text();

    assert!(log.contains("/accept-invitation") && log.contains("/sign-in"), "{log}");
    assert!(!log.contains(&token));
}
