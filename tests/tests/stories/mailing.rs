//! Mails through a real mail server, which may misbehave.

use std::collections::BTreeSet;

use serde_json::json;
use tests::{Behaviour, Harness, Installation, Mail, Person, Smtp, TestServer, until};

use crate::workspaces::tokens::issue_token;

/// Waits until a node has handled this many mails with this outcome, or more.
async fn handled(lethe: &TestServer, outcome: &str, least: u32) -> u32 {
    let series = format!("lethe_mails_total{{outcome=\"{outcome}\"}} ");
    until(&format!("{series}{least}"), async || {
        let metrics = reqwest::get(lethe.metrics()).await.unwrap().text().await.unwrap();
        let count = metrics.lines().find_map(|line| line.strip_prefix(&series));
        let count: u32 = count.map_or(0, |count| count.parse().unwrap());
        if count >= least { Ok(count) } else { Err(count) }
    })
    .await
}

#[tokio::test]
async fn a_link_that_came_by_smtp_verifies_the_address() {
    let mut smtp = Smtp::start(Behaviour::Accept).await;
    let installation = Installation::with(&[("smtp_url", &smtp.url())]).await;
    let lethe = installation.node().await;
    let ada = Person::named("ada");
    ada.register(&lethe.client()).await;

    let mail = smtp.next().await;

    assert_eq!(mail.to, ada.email);
    let link = json!({ "token": mail.token() });
    lethe.client().post("/v1/email-verifications", link).await.expect(204);
    assert_eq!(handled(&lethe, "sent", 1).await, 1);
    assert!(!lethe.log_text().contains(&ada.email));
}

#[tokio::test]
async fn a_mail_that_may_have_been_sent_is_not_sent_again() {
    let mut smtp = Smtp::start(Behaviour::Vanish).await;
    let installation = Installation::with(&[("smtp_url", &smtp.url())]).await;
    let lethe = installation.node().await;
    let (ada, bob) = (Person::named("ada"), Person::named("bob"));
    ada.register(&lethe.client()).await;
    assert_eq!(smtp.next().await.to, ada.email);
    assert_eq!(handled(&lethe, "unknown", 1).await, 1);
    lethe.kill();

    let lethe = installation.node().await;
    bob.register(&lethe.client()).await;

    assert_eq!(smtp.next().await.to, bob.email);
    assert_eq!(handled(&lethe, "unknown", 1).await, 1);
    assert_eq!(smtp.taken(), 0);
    assert!(lethe.log_text().contains("a mail may have been sent"));
}

#[tokio::test]
async fn a_mail_that_was_put_off_is_sent_later_and_once() {
    let deferring = Smtp::start(Behaviour::Defer).await;
    let mut willing = Smtp::start(Behaviour::Accept).await;
    let installation = Installation::new().await;
    let lethe = installation.node_with(&[("smtp_url", &deferring.url())]).await;
    let ada = Person::named("ada");
    ada.register(&lethe.client()).await;
    // It is put off again and again.
    handled(&lethe, "again", 1).await;
    assert!(lethe.stop().await.success());

    let lethe = installation.node_with(&[("smtp_url", &willing.url())]).await;

    assert_eq!(willing.next().await.to, ada.email);
    assert_eq!(handled(&lethe, "sent", 1).await, 1);
    assert_eq!((deferring.taken(), willing.taken()), (0, 0));
}

#[tokio::test]
async fn two_nodes_send_each_mail_once() {
    let mut smtp = Smtp::start(Behaviour::Accept).await;
    let installation = Installation::with(&[("smtp_url", &smtp.url())]).await;
    let (one, other) = tokio::join!(installation.node(), installation.node());
    let people: Vec<Person> = (0..12).map(|n| Person::named(&format!("person{n}"))).collect();
    for (n, person) in people.iter().enumerate() {
        let node = if n % 2 == 0 { &one } else { &other };
        person.register(&node.client()).await;
    }

    let mut reached = BTreeSet::new();
    for _ in &people {
        assert!(reached.insert(smtp.next().await.to));
    }

    let sent = "select count(*) from working.outbox where state = 'sent'";
    let log = installation.log().await;
    until("all mails are marked", async || {
        let sent: i64 = log.query_one(sent, &[]).await.unwrap().get(0);
        (sent == 12).then_some(())
    })
    .await;
    assert_eq!(smtp.taken(), 0);
}

/// A mail with this subject, once it is there.
async fn mailed(harness: &Harness, name: &str, subject: &str) -> Mail {
    let email = Person::named(name).email;
    let mailbox = harness.installation.mailbox();
    until(&format!("{name}: {subject}"), async || {
        let mails = mailbox.mails(&email);
        mails.into_iter().find(|mail| mail.subject == subject)
    })
    .await
}

#[tokio::test]
async fn those_concerned_are_mailed_what_happens_in_a_workspace() {
    let harness = Harness::new().await;
    let bob = harness.member("bob", "viewer").await;
    let of_bob = harness.at(&format!("members/{}", bob.account().await));
    let ada = &harness.ada;

    for role in ["operator", "viewer", "operator", "viewer", "operator", "viewer", "admin"] {
        ada.put(&of_bob, "*", json!({ "role": role })).await.expect(200);
    }
    issue_token(&harness, &bob, &["workspace:read"]).await;
    let asks = json!({ "password": Person::named("ada").password, "grace_days": 3 });
    let call = ada.call(reqwest::Method::POST, &harness.at("deletion")).header("If-Match", "*");
    call.json(asks).send().await.expect(202);
    ada.delete(&harness.at("deletion")).await.expect(204);
    ada.delete(&of_bob).await.expect(204);

    for name in ["ada", "bob"] {
        mailed(&harness, name, "A workspace will be deleted").await;
        mailed(&harness, name, "A workspace stays").await;
    }
    mailed(&harness, "bob", "An API token was issued").await;
    let last = mailed(&harness, "bob", "You have left a workspace").await;
    assert!(last.text.contains(harness.workspace_id()), "{}", last.text);
    // It was put into the outbox after those that were too many, of which the last waits.
    let put = "select count(*), count(*) filter (where next_at > now() + interval '23 hours')
        from working.outbox where kind = 'role_changed'";
    let put = harness.installation.log().await.query_one(put, &[]).await.unwrap();
    assert_eq!((put.get::<_, i64>(0), put.get::<_, i64>(1)), (6, 1));
    mailed(&harness, "bob", "You have another role in a workspace").await;
}

#[tokio::test]
async fn a_sign_in_from_somewhere_new_is_mailed_to_whose_account_it_is() {
    let harness = Harness::with(&[("trusted_proxies", "1")]).await;
    let ada = Person::named("ada");
    let from = |network: &str| harness.node.client().saying("X-Forwarded-For", network);
    let log = harness.installation.log().await;
    let put = async || -> i64 {
        let put = "select count(*) from working.outbox where kind = 'new_sign_in'";
        log.query_one(put, &[]).await.unwrap().get(0)
    };
    ada.sign_in(&harness.node.client()).await;

    ada.sign_in(&from("203.0.113.9")).await;

    let mail = mailed(&harness, "ada", "A new sign-in to your account").await;
    assert!(mail.text.contains("choose a new one at once"), "{}", mail.text);
    assert_eq!(put().await, 1, "the first one, and the one from the same place, were before it");
    ada.sign_in(&from("203.0.113.200")).await;
    ada.sign_in(&from("198.51.100.1")).await;
    until("the one from elsewhere is mailed", async || (put().await == 2).then_some(())).await;
}
