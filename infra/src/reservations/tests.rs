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
