//! A node with as few connections as may be set.

use futures_util::future::join_all;
use tests::{Installation, Person, create_workspace, until};

const AT_ONCE: usize = 8;

/// A worker keeps one connection while it takes others.
#[tokio::test]
async fn a_node_with_two_connections_serves_many_people_and_erases_them() {
    let installation = Installation::with(&[("pool_size", "2")]).await;
    let node = installation.node().await;
    let client = node.client();
    let people: Vec<_> = (0..AT_ONCE).map(|nth| Person::named(&format!("person{nth}"))).collect();

    let settling = people.iter().map(|person| person.settle(&client, &installation));
    let signed_in = join_all(settling).await;
    join_all(signed_in.iter().map(|owner| create_workspace(owner, "one"))).await;
    let erasing = people.iter().zip(&signed_in);
    let codes = join_all(erasing.map(|(person, signed_in)| person.erase(signed_in))).await;

    assert_eq!(codes.len(), AT_ONCE);
    until("the node is ready", async || {
        let answer = client.get("/readyz").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    })
    .await;
    for person in &people {
        person.try_sign_in(&client).await.expect(401);
    }
    assert!(node.stop().await.success());
}
