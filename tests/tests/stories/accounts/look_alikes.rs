//! Addresses that look alike: one account or a refusal each, and a reset for one never mails the other.

use serde_json::json;
use tests::{Installation, Person, until};

#[tokio::test]
async fn an_address_that_looks_like_another_is_refused_and_mails_nobody() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let anybody = node.client();
    let mark = Person::named("mark");
    let signed_in = mark.settle(&anybody, &installation).await;
    for alike in ["mar\u{212a}@example.org", "m\u{430}rk@example.org", "mark@ex\u{430}mple.org"] {
        let other = Person { email: alike.to_owned(), ..Person::named("other") };
        // Somebody may have it from before: it is answered as any that nobody has.
        other.try_sign_in(&anybody).await.expect(401);
        anybody.post("/v1/password-resets", json!({ "email": alike })).await.expect(202);
        for refused in [
            other.try_register(&anybody).await,
            signed_in
                .put("/v1/me/email", "*", json!({ "email": alike, "password": mark.password }))
                .await,
        ] {
            let refused = refused.expect(422);
            assert_eq!(refused.field("/errors/0/pointer"), "/email", "{alike}");
            let why = refused.field("/errors/0/detail");
            assert!(why.starts_with("this could be taken for something else: "), "{why}");
            assert!(!refused.text().contains(alike), "no value is repeated");
        }
    }

    // What is mailed next is the second mail: none came because of the others.
    anybody.post("/v1/password-resets", json!({ "email": mark.email })).await.expect(202);
    let reset = installation.mail(&mark.email, 2).await;
    assert_eq!(installation.mails(&mark.email).len(), 2);
    assert!(reset.link().contains("reset-password"), "{}", reset.text);
    let requested = installation.events("account.password_reset_requested").await;
    assert_eq!(requested.len(), 1);
}

/// First, second, what becomes of them, and what is alike.
const PAIRS: &str = include_str!("../../../../domain/src/privacy/value/look_alikes.json");

#[tokio::test]
async fn the_second_address_of_each_pair_is_the_first_one_or_is_refused_and_mails_nobody() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let anybody = node.client();
    let pairs: Vec<(String, String, String, String)> = serde_json::from_str(PAIRS).unwrap();
    for (number, (first, ..)) in pairs.iter().enumerate() {
        let owner = Person { email: first.clone(), ..Person::named(&format!("owner{number}")) };
        let registered = owner.try_register(&anybody).await;
        // Some are in several pairs.
        assert!(matches!(registered.status, 201 | 409), "{}", registered.text());
    }

    let (ones, refused): (Vec<_>, Vec<_>) = pairs.iter().partition(|pair| pair.2 == "one");
    for (_, second, _, what) in &refused {
        let other = Person { email: second.clone(), ..Person::named("other") };
        let answer = other.try_register(&anybody).await.expect(422);
        assert_eq!(answer.field("/errors/0/pointer"), "/email", "{what}");
        // Some never were an address.
        let reset = anybody.post("/v1/password-resets", json!({ "email": second })).await;
        assert!(matches!(reset.status, 202 | 422), "{what}: {}", reset.text());
    }
    for (_, second, _, what) in &ones {
        let other = Person { email: second.clone(), ..Person::named("other") };
        let taken = other.try_register(&anybody).await.expect(409);
        assert_eq!(taken.field("/type"), "/problems/address-taken", "{what}");
        anybody.post("/v1/password-resets", json!({ "email": second })).await.expect(202);
    }

    // What is appended after the answers is appended in their order.
    let requested = until("the resets are requested", async || {
        let requested = installation.events("account.password_reset_requested").await.len();
        if requested >= ones.len() { Ok(requested) } else { Err(requested) }
    });
    assert_eq!(requested.await, ones.len());
    assert!(ones.len() >= 5 && refused.len() >= 30, "{} and {}", ones.len(), refused.len());
    let subjects = async |address: &str, count: usize| {
        installation.mail(address, count).await;
        let mails = installation.mails(address);
        mails.into_iter().map(|mail| mail.subject).collect::<Vec<_>>()
    };
    let reset = "Choose a new password".to_owned();
    assert!(subjects("mark@home.example", 2).await.contains(&reset));
    assert!(!subjects("lisa@home.example", 1).await.contains(&reset));
}

#[tokio::test]
async fn whoever_has_an_address_from_before_its_rule_is_answered_as_everybody() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let anybody = node.client();
    for email in [
        "gro\u{df}@home.example",
        "\u{3c3}\u{3b1}\u{3c3}@home.example",
        "\u{430}da@home.example",
        "ada@home.1",
        "ada@10.0.0.1",
        "ada@ho\u{aa}e.example",
    ] {
        let old = Person { email: email.to_owned(), ..Person::named("old") };
        let refused = old.try_sign_in(&anybody).await.expect(401);
        assert_eq!(refused.field("/type"), "/problems/sign-in-refused", "{email}");
        anybody.post("/v1/password-resets", json!({ "email": email })).await.expect(202);
        old.try_register(&anybody).await.expect(422);
    }
    // What never was an address is refused as before.
    for email in
        ["ada", "ada@", "@home.example", "a b@home.example", "ada@home", "ada@ho\u{7}me.de"]
    {
        anybody.post("/v1/password-resets", json!({ "email": email })).await.expect(422);
    }
}

#[tokio::test]
async fn a_domain_and_its_form_in_the_dns_are_one_address() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    let anybody = node.client();
    let ada = Person { email: "Ada@b\u{fc}cher.example".to_owned(), ..Person::named("ada") };
    ada.register(&anybody).await;

    let in_dns = Person { email: "ada@xn--bcher-kva.example".to_owned(), ..ada.clone() };
    let taken = in_dns.try_register(&anybody).await.expect(409);
    assert_eq!(taken.field("/type"), "/problems/address-taken");
    in_dns.sign_in(&anybody).await;
    anybody.post("/v1/password-resets", json!({ "email": in_dns.email })).await.expect(202);
    // It is recorded after the answer.
    until("the reset is requested", async || {
        installation.events("account.password_reset_requested").await.len() == 1
    })
    .await;
}
