//! The counts of the keyring: exact while they are small.

use super::*;

const FILL: &str = "
    insert into keyring.keys
      (kind, subject, class, number, wrapped, root_id, created_at, destroyed_at)
    select 'subject', gen_random_uuid(), 1, 1, case when n > $1 then '\\x00'::bytea end, 1, now(),
      case when n <= $1 then now() end
    from generate_series(1, $2) n";

#[tokio::test]
async fn keys_are_counted_up_to_a_thousand_and_estimated_beyond() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let before = node.status().await.unwrap();
    harness.sql(FILL, &[&20, &50]).await;
    let few = node.status().await.unwrap();
    assert_eq!((few.live, few.erased), (before.live + 30, before.erased + 20));

    harness.sql(FILL, &[&2_000, &5_000]).await;
    let many = node.status().await.unwrap();
    assert!(many.live >= 1000 && many.erased >= 1000, "{many:?}");
    harness.sql("analyze keyring.keys", &[]).await;

    let estimated = node.status().await.unwrap();
    let near = |found: i64, expected: i64| (found - expected).abs() * 10 < expected;
    assert!(near(estimated.live, before.live + 3_030), "{estimated:?}");
    assert!(near(estimated.erased, before.erased + 2_020), "{estimated:?}");
}
