//! What a node asks of PostgreSQL that nobody asks anything.

use std::time::Duration;

use tests::{Installation, Person, transactions_a_second};

const WATCHED: Duration = Duration::from_secs(20);
/// The goal is 5: a timer with a minute to wait may fall into the time.
const TRANSACTIONS_A_SECOND_MAX: f64 = 8.0;

#[tokio::test]
async fn an_idle_node_makes_few_transactions() {
    // Beside five tests, of which some loaded every core, it was 9.4.
    let _alone = tests::alone().await;
    let installation = Installation::new().await;
    let node = installation.node().await;
    Person::named("ada").settle(&node.client(), &installation).await;

    let a_second = transactions_a_second(&installation, WATCHED).await;

    assert!(a_second > 0.0, "what the node does was not counted");
    assert!(a_second <= TRANSACTIONS_A_SECOND_MAX, "{a_second:.1} transactions a second");
    assert!(node.stop().await.success());
}
