//! From the first page to the last, with whatever browser there is: `.ci/long browser` takes Chromium.

use serde_json::json;
use tests::{Browser, Harness, Person};

use super::{at, link};

const SIGNED_OUT: [&str; 1] = ["__Host-lethe-form"];
const SIGNED_IN: [&str; 2] = ["__Host-lethe", "__Host-lethe-form"];

async fn sign_in(browser: &mut Browser, person: &Person) {
    browser.fill("email", &person.email).await;
    browser.fill("password", &person.password).await;
    browser.press("Sign in").await;
}

#[tokio::test]
async fn somebody_registers_verifies_signs_in_accepts_an_invitation_and_signs_out() {
    let harness = Harness::new().await;
    let (mut browser, bob) = (Browser::new().await, Person::named("bob"));
    browser.open(&at(&harness, "sign-in")).await;
    browser.shows("Sign in").await;
    browser.follow("Open an account").await;
    browser.shows("Open an account").await;
    for (name, value) in [("name", &bob.name), ("email", &bob.email), ("password", &bob.password)] {
        browser.fill(name, value).await;
    }
    browser.press("Open the account").await;
    browser.shows("Look into your mail").await;

    browser.open(&link(&harness, &bob.email, "verify-email", 1).await).await;
    browser.shows("Is this your address?").await;
    browser.press("Yes, it is mine").await;
    browser.shows("Your address is confirmed").await;
    assert_eq!(browser.cookies().await, SIGNED_OUT);

    let invites = json!({ "email": bob.email, "role": "operator" });
    harness.ada.post(&harness.at("invitations"), invites).await.expect(201);
    browser.open(&link(&harness, &bob.email, "accept-invitation", 1).await).await;
    browser.shows("You are invited").await;
    browser.follow("Sign in").await;
    let wrong = Person { password: "another password".to_owned(), ..bob.clone() };
    sign_in(&mut browser, &wrong).await;
    browser.shows("Sign in").await;
    assert!(browser.text_of("main").await.contains("The address or the password is wrong"));
    assert_eq!(browser.value("email").await, bob.email);
    sign_in(&mut browser, &bob).await;

    browser.shows("You are invited").await;
    let main = browser.text_of("main").await;
    assert!(main.contains("Engines") && main.contains("operator"), "{main}");
    assert_eq!(browser.cookies().await, SIGNED_IN);
    browser.press("Join the workspace").await;
    browser.shows("Welcome").await;
    let bobs = bob.sign_in(&harness.node.client()).await;
    assert_eq!(bobs.get(&harness.path).await.expect(200).field("/role"), "operator");

    browser.follow("Go on").await;
    browser.shows("Your account").await;
    let account = browser.text_of("main").await;
    assert!(account.contains(&bob.name) && account.contains(&bob.email), "{account}");
    browser.follow("Sign out").await;
    browser.shows("Sign out?").await;
    browser.press("Sign out").await;
    browser.shows("You are signed out").await;
    assert_eq!(browser.cookies().await, SIGNED_OUT);
    assert_eq!(harness.events("session.closed").await.len(), 1);
    browser.open(&at(&harness, "account")).await;
    browser.shows("Sign in").await;
}

#[tokio::test]
async fn somebody_who_is_invited_opens_an_account_confirms_the_address_and_joins() {
    let harness = Harness::new().await;
    let (mut browser, bob) = (Browser::new().await, Person::named("bob"));
    let invites = json!({ "email": bob.email, "role": "operator" });
    harness.ada.post(&harness.at("invitations"), invites).await.expect(201);
    let invitation = link(&harness, &bob.email, "accept-invitation", 1).await;
    browser.open(&invitation).await;
    browser.follow("Open an account").await;
    for (name, value) in [("name", &bob.name), ("email", &bob.email), ("password", &bob.password)] {
        browser.fill(name, value).await;
    }
    browser.press("Open the account").await;
    browser.shows("Look into your mail").await;
    assert!(browser.text_of("main").await.contains("Then open the invitation again"));
    browser.follow("Open the invitation").await;
    browser.follow("Sign in").await;
    sign_in(&mut browser, &bob).await;

    browser.shows("Confirm your address first").await;
    browser.follow("Confirm this address").await;
    browser.press("Mail another link").await;
    browser.shows("Look into your mail").await;
    browser.follow("Open the invitation").await;
    browser.shows("Confirm your address first").await;
    browser.open(&link(&harness, &bob.email, "verify-email", 2).await).await;
    browser.press("Yes, it is mine").await;
    browser.shows("Your address is confirmed").await;

    browser.open(&invitation).await;
    browser.shows("You are invited").await;
    browser.press("Join the workspace").await;
    browser.shows("Welcome").await;
}

#[tokio::test]
async fn a_password_is_forgotten_an_address_changed_and_an_invitation_declined() {
    let harness = Harness::new().await;
    let (mut browser, mut bob) = (Browser::new().await, Person::named("bob"));
    let bobs = bob.settle(&harness.node.client(), &harness.installation).await;
    let changes = json!({ "email": "bob@elsewhere.example", "password": bob.password });
    bobs.put("/v1/me/email", &bobs.get("/v1/me").await.etag(), changes).await.expect(202);
    browser.open(&link(&harness, "bob@elsewhere.example", "change-email", 1).await).await;
    browser.shows("Use this address from now on?").await;
    assert!(browser.text_of("main").await.contains("bob@elsewhere.example"));
    browser.press("Use this address").await;
    browser.shows("Your address is changed").await;
    bob.email = "bob@elsewhere.example".to_owned();

    browser.open(&at(&harness, "reset-password")).await;
    browser.shows("A new password").await;
    browser.fill("email", &bob.email).await;
    browser.press("Mail the link").await;
    browser.shows("Look into your mail").await;
    let reset = link(&harness, &bob.email, "reset-password", 1).await;
    browser.open(&reset).await;
    browser.shows("Choose a new password").await;
    bob.password = "quite another password".to_owned();
    browser.fill("password", &bob.password).await;
    browser.press("Change the password").await;
    browser.shows("Your password is changed").await;
    bobs.get("/v1/me").await.expect(401);
    browser.open(&reset).await;
    browser.shows("This link no longer works").await;

    let invites = json!({ "email": bob.email, "role": "viewer" });
    harness.ada.post(&harness.at("invitations"), invites).await.expect(201);
    browser.open(&link(&harness, &bob.email, "accept-invitation", 1).await).await;
    browser.follow("Sign in").await;
    sign_in(&mut browser, &bob).await;
    browser.press("Decline").await;
    browser.shows("You declined").await;
    assert_eq!(harness.events("workspace.invitation_declined").await.len(), 1);
}

#[tokio::test]
async fn whoever_has_not_verified_the_address_gets_another_mail() {
    let harness = Harness::new().await;
    let (mut browser, bob) = (Browser::new().await, Person::named("bob"));
    bob.register(&harness.node.client()).await;
    let first = link(&harness, &bob.email, "verify-email", 1).await;
    browser.open(&at(&harness, "sign-in")).await;
    sign_in(&mut browser, &bob).await;
    assert!(browser.text_of("main").await.contains("not confirmed"));
    browser.follow("Confirm the address").await;
    browser.shows("Confirm your address").await;
    browser.press("Mail another link").await;
    browser.shows("Look into your mail").await;

    browser.open(&first).await;
    browser.shows("This link no longer works").await;
    browser.open(&link(&harness, &bob.email, "verify-email", 2).await).await;
    browser.press("Yes, it is mine").await;
    browser.shows("Your address is confirmed").await;
    browser.follow("Go on").await;
    assert!(!browser.text_of("main").await.contains("not confirmed"));
}
