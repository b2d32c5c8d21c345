//! A form that was not done as it was sent: nothing of it is lost, and it can be sent again.

use serde_json::json;
use tests::{Harness, Person, PlainBrowser};

use super::{at, link, sign_in};

#[tokio::test]
async fn a_form_from_before_the_sign_in_is_shown_again_with_its_link() {
    let harness = Harness::new().await;
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    bob.register(&harness.node.client()).await;
    let forgets = json!({ "email": bob.email });
    harness.node.client().post("/v1/password-resets", forgets).await.expect(202);
    let verification = link(&harness, &bob.email, "verify-email", 1).await;
    let reset = link(&harness, &bob.email, "reset-password", 1).await;
    let mut browser = PlainBrowser::new();
    browser.open(&verification).await;
    let (_, verifies) = browser.form("Yes, it is mine");
    browser.open(&reset).await;
    browser.fill("password", "quite another password");
    let (_, resets) = browser.form("Change the password");
    browser.open(&at(&harness, "sign-in")).await;
    sign_in(&mut browser, &ada.email, &ada.password).await;

    browser.submit(&at(&harness, "verify-email"), &verifies).await;
    assert_eq!((browser.status(), browser.text_of("h1").as_str()), (403, "Is this your address?"));
    assert!(browser.text_of("main").contains("The form is over"), "{}", browser.markup());
    assert!(harness.events("account.email_verified").await.len() == 1, "Ada's");
    browser.press("Yes, it is mine").await;
    assert_eq!(browser.text_of("h1"), "Your address is confirmed");

    browser.submit(&at(&harness, "reset-password"), &resets).await;
    assert_eq!((browser.status(), browser.text_of("h1").as_str()), (403, "Choose a new password"));
    assert!(!browser.markup().contains("quite another"), "{}", browser.markup());
    assert!(harness.events("account.password_changed").await.is_empty());
    browser.fill("password", "quite another password");
    browser.press("Change the password").await;
    assert_eq!(browser.text_of("h1"), "Your password is changed");
    let page = browser.text_of("main");
    assert!(page.contains("In this browser") && page.contains(&ada.email), "{page}");
    browser.follow("Sign in with another address").await;
    assert_eq!(browser.text_of("h1"), "Sign out?");
}

#[tokio::test]
async fn a_second_click_on_sign_in_or_sign_out_changes_nothing() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    bob.register(&harness.node.client()).await;
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "sign-in?next=verify-email")).await;
    browser.fill("email", &bob.email);
    browser.fill("password", &bob.password);
    let (_, signs_in) = browser.form("Sign in");
    let opened = harness.events("session.opened").await.len();
    for click in ["the first", "the second"] {
        browser.submit(&at(&harness, "sign-in"), &signs_in).await;
        assert_eq!(browser.at(), at(&harness, "verify-email"), "{click}");
    }
    assert_eq!(harness.events("session.opened").await.len(), opened + 1);

    browser.open(&at(&harness, "sign-out")).await;
    let (_, signs_out) = browser.form("Sign out");
    for click in ["the first", "the second"] {
        browser.submit(&at(&harness, "sign-out"), &signs_out).await;
        let shown = (browser.status(), browser.text_of("h1"));
        assert_eq!(shown, (200, "You are signed out".to_owned()), "{click}");
    }
    assert_eq!(harness.events("session.closed").await.len(), 1);
}

#[tokio::test]
async fn what_was_done_is_said_on_a_page_that_is_loaded_again_and_sends_nothing() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "register?next=verify-email")).await;
    for (name, value) in [("name", &bob.name), ("email", &bob.email), ("password", &bob.password)] {
        browser.fill(name, value);
    }
    browser.press("Open the account").await;

    let done = browser.at().to_owned();
    assert!(done.starts_with(&at(&harness, "register?done=registered")), "{done}");
    assert!(done.ends_with("&next=verify-email") && !done.contains("example.org"), "{done}");
    browser.open(&done).await;
    let shown = (browser.status(), browser.text_of("h1"));
    assert_eq!(shown, (200, "Look into your mail".to_owned()));
    assert_eq!(harness.events("account.registered").await.len(), 2, "Ada's and Bob's");

    // Nobody can make the page say what was not done.
    let mut other = PlainBrowser::new();
    other.open(&done).await;
    assert_eq!(other.text_of("h1"), "Open an account");
    browser.open(&done.replace("register?done=registered", "reset-password?done=changed")).await;
    assert_eq!(browser.text_of("h1"), "A new password");
}

#[tokio::test]
async fn a_form_stays_the_same_request_until_it_is_answered() {
    let harness = Harness::with(&[("sign_ins_per_minute", "3")]).await;
    let ada = Person::named("ada");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "sign-in")).await;
    let mut before = browser.value("form");
    for _ in 0..20 {
        if browser.status() != 429 {
            before = browser.value("form");
            sign_in(&mut browser, &ada.email, "another password").await;
            assert_eq!(browser.value("email"), ada.email);
            let is_same = browser.value("form") == before;
            assert_eq!(is_same, browser.status() == 429, "{}", browser.status());
        }
    }
    assert_eq!((browser.status(), browser.value("form")), (429, before));
}

#[tokio::test]
async fn a_field_that_is_not_utf_8_is_refused() {
    let harness = Harness::new().await;
    let bob = Person::named("bob");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "register")).await;
    browser.fill("name", &bob.name);
    browser.fill("email", &bob.email);
    browser.fill("password", "QQQQQQQQQQQQQQQQ");
    let (_, body) = browser.form("Open the account");
    let latin = body.replace("QQQQQQQQQQQQQQQQ", &"%E4".repeat(16));

    browser.submit(&at(&harness, "register"), &latin).await;

    assert_eq!(browser.status(), 422);
    assert!(browser.text_of("main").contains("this is not text in UTF-8"), "{}", browser.markup());
    assert_eq!(browser.value("email"), bob.email);
}
