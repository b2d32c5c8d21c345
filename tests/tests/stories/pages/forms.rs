//! A form is ours, is one request, and says what is wrong with it.

use reqwest::header::{CONTENT_TYPE, COOKIE, ORIGIN};
use tests::{Harness, Person, PlainBrowser};

use super::{at, sign_in};

/// Fills in the form of a registration.
async fn filled(harness: &Harness, person: &Person) -> PlainBrowser {
    let mut browser = PlainBrowser::new();
    browser.open(&at(harness, "register")).await;
    for (name, value) in
        [("name", &person.name), ("email", &person.email), ("password", &person.password)]
    {
        browser.fill(name, value);
    }
    browser
}

/// Sends a form as another program would.
async fn forge(
    harness: &Harness,
    (path, body): (&str, &str),
    headers: &[(&str, &str)],
) -> (u16, String) {
    let forged = reqwest::Client::new().post(at(harness, path)).body(body.to_owned());
    let forged = forged.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let forged =
        headers.iter().fold(forged, |request, (name, value)| request.header(*name, *value));
    let answer = forged.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_and_changes_nothing() {
    let harness = Harness::new().await;
    let browser = filled(&harness, &Person::named("bob")).await;
    let cookies = browser.cookie_header();
    let (_, body) = browser.form("Open the account");
    let own = (COOKIE.as_str(), cookies.as_str());
    let mut other = PlainBrowser::new();
    other.open(&at(&harness, "register")).await;
    let others = other.cookie_header();
    let (_, others_body) = other.form("Open the account");
    let unsealed: String = body.split('&').filter(|field| !field.starts_with("form=")).collect();

    for (what, path, body, headers) in [
        ("no cookie", "register", body.as_str(), vec![]),
        ("another browser's cookie", "register", &body, vec![(COOKIE.as_str(), others.as_str())]),
        ("another browser's form", "register", &others_body, vec![own]),
        ("another page's form", "reset-password", &body, vec![own]),
        ("no seal", "register", &unsealed, vec![own]),
        ("another origin", "register", &body, vec![own, (ORIGIN.as_str(), "https://evil.example")]),
        ("another site", "register", &body, vec![own, ("Sec-Fetch-Site", "cross-site")]),
        ("a neighbour", "register", &body, vec![own, ("Sec-Fetch-Site", "same-site")]),
    ] {
        let (status, page) = forge(&harness, (path, body), &headers).await;
        assert_eq!(status, 403, "{what}: {page}");
        assert!(page.contains("<h1>"), "{what}: {page}");
    }

    assert_eq!(harness.events("account.registered").await.len(), 1, "Ada's");
    let (status, page) = forge(&harness, ("register", &body), &[own]).await;
    assert_eq!(status, 200, "a browser that says nothing of the site: {page}");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_at_once_or_again_is_one_request() {
    let harness = Harness::new().await;
    let browser = filled(&harness, &Person::named("bob")).await;
    let cookies = browser.cookie_header();
    let (_, body) = browser.form("Open the account");
    let sent = async || forge(&harness, ("register", &body), &[(COOKIE.as_str(), &cookies)]).await;

    let (one, two) = tokio::join!(sent(), sent());
    let later = sent().await;

    for (status, page) in [one, two, later] {
        assert!(status == 200 && page.contains("Look into your mail"), "{status}: {page}");
    }
    assert_eq!(harness.events("account.registered").await.len(), 2, "Ada's and Bob's");
}

#[tokio::test]
async fn what_does_not_fit_stands_at_its_field_and_what_was_typed_stays() {
    let harness = Harness::new().await;
    let bob = Person { email: "bob at home".to_owned(), ..Person::named("bob <b>") };
    let mut browser = filled(&harness, &bob).await;
    browser.fill("username", "no spaces, please");
    browser.fill("password", "tiny%pass");

    browser.press("Open the account").await;

    assert_eq!(browser.status(), 422);
    let page = browser.text_of("main");
    assert!(page.contains("this is not an e-mail address"), "{page}");
    assert!(browser.markup().contains(r#"aria-describedby="username-error""#));
    assert_eq!(browser.value("email"), "bob at home");
    assert_eq!(browser.value("name"), bob.name);
    assert!(browser.value("password").is_empty() && !browser.markup().contains("tiny"));
    assert!(!browser.markup().contains("<b>"), "{}", browser.markup());

    let ada = Person::named("ada");
    for (name, value) in
        [("email", ada.email.as_str()), ("username", ""), ("password", &ada.password)]
    {
        browser.fill(name, value);
    }
    browser.press("Open the account").await;
    assert_eq!(browser.status(), 409);
    assert!(browser.text_of("main").contains("The address is taken"), "{}", browser.markup());
}

#[tokio::test]
async fn nobody_is_sent_to_another_site_after_a_sign_in() {
    let harness = Harness::new().await;
    let ada = Person::named("ada");
    for next in ["https://evil.example", "//evil.example", "sign-out", "%0d%0aSet-Cookie:a=b"] {
        let mut browser = PlainBrowser::new();
        browser.open(&at(&harness, &format!("sign-in?next={next}"))).await;
        sign_in(&mut browser, &ada.email, &ada.password).await;
        assert_eq!(browser.at(), at(&harness, "account"), "{next}");
    }
}
