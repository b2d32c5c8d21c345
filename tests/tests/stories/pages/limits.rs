//! What the API limits is limited here, too; and what each page is sent with.

use reqwest::{Method, Url};
use tests::{Harness, Person, PlainBrowser};

use super::{at, sign_in};

const PAGES: [&str; 8] = [
    "sign-in",
    "sign-out",
    "register",
    "account",
    "verify-email",
    "change-email",
    "reset-password",
    "accept-invitation",
];

#[tokio::test]
async fn whoever_tries_too_often_reads_how_long_to_wait() {
    let harness = Harness::with(&[("sign_ins_per_minute", "3")]).await;
    let ada = Person::named("ada");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "sign-in")).await;
    for _ in 0..20 {
        if browser.status() != 429 {
            sign_in(&mut browser, &ada.email, "another password").await;
        }
    }
    assert_eq!(browser.status(), 429);
    let page = browser.text_of("main");
    assert!(page.contains("Too many tries") && page.contains("Wait "), "{page}");
    let wait = browser.header("retry-after").unwrap();
    assert!((1..=60).contains(&wait.parse::<u64>().unwrap()), "{wait}");
}

#[tokio::test]
async fn the_pages_count_towards_the_requests_of_an_account() {
    let harness = Harness::with(&[("account_requests_per_second", "1")]).await;
    let ada = Person::named("ada");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "sign-in")).await;
    sign_in(&mut browser, &ada.email, &ada.password).await;
    for _ in 0..100 {
        if browser.status() != 429 {
            browser.open(&at(&harness, "account")).await;
        }
    }
    assert_eq!(browser.status(), 429);
    assert_eq!(browser.text_of("h1"), "Too many tries");
}

#[tokio::test]
async fn each_page_keeps_its_secret_runs_nothing_and_can_be_read_by_everybody() {
    let harness = Harness::new().await;
    for page in PAGES {
        let mut browser = PlainBrowser::new();
        browser.open(&at(&harness, page)).await;

        assert_eq!(browser.status(), 200, "{page}");
        let header =
            |name: &str| browser.header(name).unwrap_or_else(|| panic!("{page}: no {name}"));
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{page}: {policy}");
        }
        let has_script = browser.markup().contains("<script");
        assert_eq!(policy.contains("script-src"), has_script, "{page}");
        let markup = browser.markup();
        assert_eq!(markup.matches("<h1>").count(), 1, "{page}: {markup}");
        assert!(markup.contains("<html lang=\"en\">") && markup.contains(" · Lethe</title>"));
        for id in markup.split("<label for=\"").skip(1) {
            let id = id.split('"').next().unwrap();
            assert!(markup.contains(&format!("id=\"{id}\"")), "{page}: no field {id}");
        }
        let shown = markup.matches("<input id=").count();
        assert_eq!(shown, markup.matches("<label").count(), "{page}: {markup}");
    }
}

#[tokio::test]
async fn the_cookies_are_those_of_the_documentation() {
    let harness = Harness::new().await;
    let ada = Person::named("ada");
    let mut browser = PlainBrowser::new();
    browser.open(&at(&harness, "sign-in")).await;
    sign_in(&mut browser, &ada.email, &ada.password).await;
    browser.open(&at(&harness, "sign-out")).await;
    browser.press("Sign out").await;

    let documented =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../services/README.md"));
    let documented = documented.unwrap();
    assert_eq!(browser.set.len(), 3, "{:?}", browser.set);
    for set in &browser.set {
        let (name, rest) = set.split_once('=').unwrap();
        let attributes = rest.split_once("; ").unwrap().1;
        let line =
            documented.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        // How long it lasts is a setting.
        let listed = |part: &str| line.contains(part.split("-Age=").next().unwrap());
        for part in attributes.split("; ") {
            assert!(listed(part), "{part} of {name} is not in {line}");
        }
    }
}

#[tokio::test]
async fn a_page_takes_no_other_method_and_no_other_body() {
    let harness = Harness::new().await;
    let mut browser = PlainBrowser::new();
    let url = |page: &str| Url::parse(&at(&harness, page)).unwrap();
    for (page, allow) in [("sign-in", "GET, HEAD, POST"), ("account", "GET, HEAD")] {
        let refused = browser.send(Method::DELETE, url(page), None).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &allow.parse().unwrap())
        );
    }
    let json = harness.node.client().post("/sign-in", serde_json::json!({})).await.expect(415);
    assert!(json.text().contains("<h1>"), "{}", json.text());
    let large = format!("form={}", "x".repeat(64 * 1024));
    let refused = browser.send(Method::POST, url("sign-in"), Some(large)).await;
    assert_eq!(refused.status().as_u16(), 413);
}
