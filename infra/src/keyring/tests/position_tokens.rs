//! Tokens that stand for positions.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

#[tokio::test]
async fn a_token_is_read_by_every_node_for_its_holder_only() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob): (TenantId, TenantId) = (harness.person().into(), harness.person().into());
    for position in [0, 1, 7, i64::MAX] {
        let token = one.position_tokens.seal(ada, position).await.unwrap();
        assert_eq!(token.len(), 32);
        assert_eq!(two.position_tokens.seal(ada, position).await.unwrap(), token);
        assert_ne!(one.position_tokens.seal(bob, position).await.unwrap(), token);
        assert_eq!(two.position_tokens.open(ada, &token).await.unwrap(), Some(position));
        assert_eq!(two.position_tokens.open(bob, &token).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_token_is_read_for_a_day_and_not_longer() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada: TenantId = harness.person().into();
    let token = node.position_tokens.seal(ada, 7).await.unwrap();
    for (day, read) in [(0, Some(7)), (1, Some(7)), (2, None)] {
        assert_eq!(node.position_tokens.open(ada, &token).await.unwrap(), read, "day {day}");
        harness.days_pass(1);
        node.eraser.erase_expired().await.unwrap();
    }
}

#[tokio::test]
async fn a_token_that_is_changed_or_invented_is_none() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada: TenantId = harness.person().into();
    let token = node.position_tokens.seal(ada, 7).await.unwrap();
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(node.position_tokens.open(ada, &changed).await.unwrap(), None, "{changed}");
    }
    let mut runner = TestRunner::deterministic();
    let any = prop_oneof![".{0,40}", "[A-Za-z0-9_-]{32}"];
    for _ in 0..200 {
        let text = any.new_tree(&mut runner).unwrap().current();
        assert_eq!(node.position_tokens.open(ada, &text).await.unwrap(), None, "{text}");
    }
}
