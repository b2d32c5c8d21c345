//! In what two generations differ.

use infra::log::GenerationState::{Failed, Kept};
use infra::log::{Difference, Differs, GenerationError};
use infra::postgres::{ConnectOptions, connect_one};
use test_support::until_waits_for_lock;
use uuid::Uuid;

use super::{compared, join, make, reader, was_read};

#[tokio::test]
async fn a_comparison_names_what_differs() {
    let streams = [0xca, 0xcb, 0xcc];
    let harness = was_read(&streams).await;
    join(&harness).await;
    let same = compared(&harness, 2, 10).await.unwrap();
    assert_eq!((same.live, same.position, same.rows), (1, harness.head(), [3, 3]));
    assert!(same.is_complete && same.differing.is_empty(), "{same:?}");
    let [changed, missing, _] = streams.map(Uuid::from_u128);
    let more = Uuid::from_u128(0xcd);
    let differ = format!(
        "update read_models.tally_v1_g2 set text = 'b' where stream = '{changed}';
         delete from read_models.tally_v1_g2 where stream = '{missing}';
         insert into read_models.tally_v1_g2 values ('{more}', 'c', 1)"
    );
    harness.admin.batch_execute(&differ).await.unwrap();

    let found = compared(&harness, 2, 3).await.unwrap();

    let differing = |stream: Uuid, is| Difference { key: stream.to_string(), is };
    let expected = [
        differing(changed, Differs::Changed { columns: vec!["text".to_owned()] }),
        differing(missing, Differs::Missing),
        differing(more, Differs::More),
    ];
    assert_eq!(found.differing, expected);
    assert!(found.is_complete);
    let first = compared(&harness, 2, 2).await.unwrap();
    assert_eq!(first.differing, expected[..2]);
    assert!(!first.is_complete);
}

/// Behind the streams of the test, and more than a statement compares.
const MANY: &str = "
    insert into read_models.tally_v1_g1
        select ('10000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'a', 1
        from generate_series(1, 25000) n;
    insert into read_models.tally_v1_g2 select * from read_models.tally_v1_g1;
    delete from read_models.tally_v1_g2 where stream >= '10000000-0000-0000-0000-000000005000'
        and stream < '10000000-0000-0000-0000-000000020000'";

#[tokio::test]
async fn a_comparison_goes_through_all_rows_of_both() {
    let harness = was_read(&[0xce]).await;
    make(&harness, Kept).await;
    harness.admin.batch_execute(MANY).await.unwrap();

    let found = compared(&harness, 2, 20_000).await.unwrap();

    assert_eq!(found.rows, [25_001, 10_001]);
    assert_eq!(found.differing.len(), 15_000);
    assert!(found.differing.iter().all(|it| it.is == Differs::Missing));
    assert!(found.is_complete);
    let swapped = "truncate read_models.tally_v1_g1";
    harness.admin.batch_execute(swapped).await.unwrap();
    let found = compared(&harness, 2, 20_000).await.unwrap();
    assert_eq!((found.rows, found.differing.len()), ([0, 10_001], 10_001));
    assert!(found.is_complete && found.differing.iter().all(|it| it.is == Differs::More));
}

#[tokio::test]
async fn what_is_written_no_more_is_compared_no_further() {
    let harness = was_read(&[0xd4]).await;
    join(&harness).await;
    let url = &harness.databases.log_url;
    let ending = connect_one(url, &ConnectOptions::default()).await.unwrap();
    let end = "begin; update readers.generations set state = 'failed' where generation = 2;
        delete from read_models.tally_v1_g2;
        lock table read_models.tally_v1_g2 in access exclusive mode";
    ending.batch_execute(end).await.unwrap();
    let pool = harness.pool.clone();
    let comparing = tokio::spawn(async move { infra::log::compare(&pool, &reader(), 2, 10).await });
    // It has seen the generation as it was before.
    until_waits_for_lock(&harness.admin, "from readers.generations").await;

    ending.batch_execute("commit").await.unwrap();

    let refused = comparing.await.unwrap();
    let is_so = matches!(refused, Err(GenerationError::State { generation: 2, state: Failed, .. }));
    assert!(is_so, "{refused:?}");
}
