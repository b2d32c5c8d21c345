//! Mailed links and request MACs are valid for their days, purpose and subject only.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use domain::CommandId;

use super::super::{LinkPurpose, ReadLink};
use super::*;

#[tokio::test]
async fn a_link_is_read_for_its_purpose_on_every_node_for_a_week() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, proof) = (SubjectId::from(harness.person()), LinkId(harness.ids.uuid()));
    let token = one.link_tokens.make(LinkPurpose::VerifyEmail, ada, proof).await.unwrap();
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    let read = two.link_tokens.read(LinkPurpose::VerifyEmail, &token).await.unwrap();
    let made = ReadLink::Made { of: ada, id: proof };
    assert_eq!(read, made);
    for other in
        [LinkPurpose::ChangeEmail, LinkPurpose::ResetPassword, LinkPurpose::AcceptInvitation]
    {
        assert_eq!(two.link_tokens.read(other, &token).await.unwrap(), ReadLink::NotOurs);
    }
    harness.days_pass(8);
    one.eraser.erase_expired().await.unwrap();
    assert_eq!(two.link_tokens.read(LinkPurpose::VerifyEmail, &token).await.unwrap(), made);
    harness.days_pass(1);
    // Its time is over, also while its key is not erased.
    let over = two.link_tokens.read(LinkPurpose::VerifyEmail, &token).await.unwrap();
    assert_eq!(over, ReadLink::Over);
    assert_eq!(one.eraser.erase_expired().await.unwrap().links, 1);
    harness.days_pass(-1);
    let behind = harness.node().await;
    let over = behind.link_tokens.read(LinkPurpose::VerifyEmail, &token).await.unwrap();
    assert_eq!(over, ReadLink::Over, "a node whose clock is ahead has erased its key");
    harness.days_pass(3_650);
    for node in [&one, &two] {
        let over = node.link_tokens.read(LinkPurpose::VerifyEmail, &token).await.unwrap();
        assert_eq!(over, ReadLink::Over, "however old it is");
    }
}

#[tokio::test]
async fn a_changed_or_invented_link_is_nobodys() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let (ada, proof) = (SubjectId::from(harness.person()), LinkId(harness.ids.uuid()));
    let token = node.link_tokens.make(LinkPurpose::ResetPassword, ada, proof).await.unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let read = node.link_tokens.read(LinkPurpose::ResetPassword, &changed).await.unwrap();
        // One that names an earlier day does nothing either.
        let is_nobodys = matches!(read, ReadLink::NotOurs | ReadLink::Over);
        assert!(is_nobodys, "{at}: {read:?}");
    }
    let texts = [".*", "[A-Za-z0-9_-]{0,120}", "[A-Za-z0-9_-]{91}"];
    let mut runner = TestRunner::deterministic();
    for pattern in texts {
        let any = proptest::string::string_regex(pattern).unwrap();
        for _ in 0..100 {
            let text = any.new_tree(&mut runner).unwrap().current();
            let read = node.link_tokens.read(LinkPurpose::ResetPassword, &text).await.unwrap();
            assert_eq!(read, ReadLink::NotOurs);
        }
    }
}

#[tokio::test]
async fn a_request_is_recognised_for_a_day_and_not_longer() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob) = (harness.person(), harness.person());
    let first = one.request_macs.macs(ada.into(), b"body").await.unwrap();
    assert_eq!(two.request_macs.macs(ada.into(), b"body").await.unwrap(), first);
    assert_ne!(one.request_macs.macs(ada.into(), b"other").await.unwrap().today, first.today);
    assert_ne!(one.request_macs.macs(bob.into(), b"body").await.unwrap().today, first.today);
    harness.days_pass(1);
    one.eraser.erase_expired().await.unwrap();
    let next = two.request_macs.macs(ada.into(), b"body").await.unwrap();
    assert_eq!(next.before, Some(first.today));
    assert_ne!(next.today, first.today);
    harness.days_pass(1);
    assert_eq!(one.eraser.erase_expired().await.unwrap().request_macs, 1);
    let live =
        "select count(*) from keyring.keys where kind = 'request_mac' and wrapped is not null";
    assert_eq!(harness.count(live).await, 1);
}

#[tokio::test]
async fn a_request_has_the_same_secrets_for_a_day_on_every_node_and_another_request_others() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob): (TenantId, TenantId) = (harness.person().into(), harness.person().into());
    let [command, other] = [1, 2].map(|of| CommandId(Uuid::from_u128(of)));
    let secrets = async |label: &str, of, body: &[u8]| {
        let secrets = one.request_macs.secrets(label, of, body).await.unwrap();
        secrets.iter().map(|secret| **secret).collect::<Vec<_>>()
    };
    let first = secrets("session", (ada, command), b"body").await[0];
    let on_two = two.request_macs.secrets("session", (ada, command), b"body").await.unwrap();
    assert_eq!(*on_two[0], first);
    let others = [
        secrets("token", (ada, command), b"body").await[0],
        secrets("session", (bob, command), b"body").await[0],
        secrets("session", (ada, other), b"body").await[0],
        secrets("session", (ada, command), b"other").await[0],
        // What is stored of the request.
        one.request_macs.macs(ada, b"body").await.unwrap().today,
    ];
    assert!(!others.contains(&first));
    for (day, is_known) in [(1, true), (2, false)] {
        harness.days_pass(1);
        one.eraser.erase_expired().await.unwrap();
        let secrets = secrets("session", (ada, command), b"body").await;
        assert_ne!(secrets[0], first);
        assert_eq!(secrets[1..].contains(&first), is_known, "after {day} days");
    }
}

/// The keys of the days that were not over are erased by then.
#[tokio::test]
async fn after_a_clock_that_was_days_ahead_requests_are_recognised_again() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let ada = harness.person();
    one.request_macs.macs(ada.into(), b"body").await.unwrap();
    harness.days_pass(3);
    one.eraser.erase_expired().await.unwrap();
    one.request_macs.macs(ada.into(), b"body").await.unwrap();
    harness.days_pass(-3);

    let first = one.request_macs.macs(ada.into(), b"body").await.unwrap();
    assert_eq!(first.before, None);
    assert_eq!(two.request_macs.macs(ada.into(), b"body").await.unwrap(), first);
    for _ in 0..3 {
        harness.days_pass(1);
        one.eraser.erase_expired().await.unwrap();
        let next = two.request_macs.macs(ada.into(), b"body").await.unwrap();
        assert_eq!(one.request_macs.macs(ada.into(), b"body").await.unwrap(), next);
    }
    // Where no later key lives either, one is made.
    let kill =
        "update keyring.keys set wrapped = null, destroyed_at = now() where kind = 'request_mac'";
    harness.sql(kill, &[]).await;
    let fresh = harness.node().await;
    fresh.request_macs.macs(ada.into(), b"body").await.unwrap();
}
