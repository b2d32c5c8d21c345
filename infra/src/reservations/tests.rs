use super::*;
use crate::postgres::{ConnectOptions, connect, connect_one};
use test_support::databases;

const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

fn index(kind: &str, of: u8) -> Index {
    (kind.to_owned(), vec![of])
}

#[tokio::test]
async fn a_reservation_moves_to_the_next_generation_while_its_owner_holds_it() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let insert =
        "insert into event_log.reservations (kind, blind_index, owner) values ($1, $2, $3)";
    for (kind, of, owner) in [("1", 1_u8, ADA), ("1", 2, BOB), ("2", 22, BOB)] {
        admin.execute(insert, &[&kind, &vec![of], &owner]).await.unwrap();
    }
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);

    assert_eq!(reservations.behind("1", "2", None, 10).await.unwrap(), [ADA]);
    assert!(!reservations.reserve_again(&index("2", 22), &index("1", 1), ADA).await.unwrap());
    assert!(!reservations.reserve_again(&index("2", 21), &index("1", 2), ADA).await.unwrap());
    assert!(reservations.reserve_again(&index("2", 21), &index("1", 1), ADA).await.unwrap());
    assert!(reservations.reserve_again(&index("2", 21), &index("1", 1), ADA).await.unwrap());
    assert_eq!(reservations.behind("1", "2", None, 10).await.unwrap(), Vec::<Uuid>::new());

    assert_eq!(reservations.kinds().await.unwrap(), ["1", "2"]);

    reservations.delete_kind("1").await.unwrap();

    assert_eq!(reservations.kinds().await.unwrap(), ["2"]);

    assert_eq!(reservations.of_owner(ADA).await.unwrap(), [index("2", 21)]);
    assert_eq!(reservations.of_owner(BOB).await.unwrap(), [index("2", 22)]);
}

#[tokio::test]
async fn the_reservations_of_a_kind_are_deleted_in_batches() {
    let databases = databases().await.unwrap();
    let admin = connect_one(&databases.log_url, &ConnectOptions::default()).await.unwrap();
    let fill = "insert into event_log.reservations (kind, blind_index, owner)
        select kind, sha256(n::text::bytea), gen_random_uuid()
        from generate_series(1, 2500) n, unnest(array['1', '2']) kind";
    admin.execute(fill, &[]).await.unwrap();
    let count = async |kind: &str| -> i64 {
        let count = "select count(*) from event_log.reservations where kind = $1";
        admin.query_one(count, &[&kind]).await.unwrap().get(0)
    };
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let reservations = Reservations::new(pool);

    let last = reservations.delete_after("1", &[], 10).await.unwrap().unwrap();
    assert_eq!(count("1").await, 2490);
    let next = reservations.delete_after("1", &last, 10).await.unwrap().unwrap();
    assert!(next > last);
    assert_eq!(count("1").await, 2480);

    reservations.delete_kind("1").await.unwrap();
    assert_eq!((count("1").await, count("2").await), (0, 2500));
    assert_eq!(reservations.delete_after("1", &[], 10).await.unwrap(), None);
}
