//! What a node keeps in memory.

use futures_util::future::join_all;
use tests::{Installation, Person, Usage, until};

const AT_ONCE: usize = 64;
/// Of 19 MiB each, two at a time on two cores: kept by every thread, they would be more than a gigabyte.
const GROWTH_MEGABYTES: f64 = 128.0;

#[tokio::test]
async fn the_memory_of_many_registrations_is_given_back() {
    let _alone = tests::alone().await;
    let installation = Installation::new().await;
    let node = installation.node().await;
    let client = node.client();
    Person::named("ada").register(&client).await;
    let before = Usage::of(node.pid()).megabytes;

    for round in 0..3 {
        let people = (0..AT_ONCE).map(|count| Person::named(&format!("person{round}x{count}")));
        let people: Vec<_> = people.collect();
        join_all(people.iter().map(|person| person.register(&client))).await;
    }

    until("the memory is given back", async || {
        let grown = Usage::of(node.pid()).megabytes - before;
        (grown < GROWTH_MEGABYTES).then_some(())
    })
    .await;
}
