//! What a node asks of PostgreSQL that nobody asks anything.

use std::time::Duration;

use tests::{Installation, Person, transactions_a_second};

const WATCHED: Duration = Duration::from_secs(20);
/// The goal is 5, which `just bench` looks at: a timer with a minute to wait may fall into the time, and what a busy machine
/// has held up. With six tests at once it was 9.4.
const TRANSACTIONS_A_SECOND_MAX: f64 = 12.0;

#[tokio::test]
async fn an_idle_node_makes_few_transactions() {
    let installation = Installation::new().await;
    let node = installation.node().await;
    Person::named("ada").settle(&node.client(), &installation).await;

    let a_second = transactions_a_second(&installation, WATCHED).await;

    assert!(a_second > 0.0, "what the node does was not counted");
    assert!(a_second <= TRANSACTIONS_A_SECOND_MAX, "{a_second:.1} transactions a second");
    assert!(node.stop().await.success());
}
