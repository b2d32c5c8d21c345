//! What a node asks another one of a server that it does not reach.

use super::*;

/// The server of the harness, watched by node 1; node 2 lives.
async fn watched() -> (Harness, Monitors, Monitors, WatchedServer) {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let (one, two) = (harness.node(1), harness.node(2));
    let watched = one.round().await.unwrap().servers[0];
    assert!(two.round().await.unwrap().servers.is_empty());
    (harness, one, two, watched)
}

#[tokio::test]
async fn a_node_that_is_alone_has_nobody_to_ask() {
    let (harness, one, _two, watched) = watched().await;
    harness.kill(2).await;
    harness.read(2).await;

    assert_eq!(one.want_opinion(&watched).await.unwrap(), None);
    assert_eq!(one.round().await.unwrap().servers[0].opinion, None);
}

#[tokio::test]
async fn one_other_node_tries_and_its_answer_reaches_who_has_asked() {
    let (harness, one, two, watched) = watched().await;
    let three = harness.node(3);
    three.round().await.unwrap();
    let wanted_at = one.want_opinion(&watched).await.unwrap().unwrap();

    assert!(one.round().await.unwrap().opinions.is_empty(), "it asks others");
    let wanted = two.round().await.unwrap().opinions;
    assert!(three.round().await.unwrap().opinions.is_empty(), "one is enough");

    let expected = WantedOpinion { server: server(10), workspace: WORKSPACE, wanted_at };
    assert_eq!(wanted, [expected]);
    three.give_opinion(expected, false).await.unwrap();
    assert_eq!(one.round().await.unwrap().servers[0].opinion, None, "it was not asked");
    two.give_opinion(expected, true).await.unwrap();
    let opinion = one.round().await.unwrap().servers[0].opinion;
    assert_eq!(opinion, Some(Opinion { wanted_at, reached: true }));
}

#[tokio::test]
async fn what_was_asked_before_is_answered_no_more() {
    let (harness, one, two, watched) = watched().await;
    one.want_opinion(&watched).await.unwrap().unwrap();
    let first = two.round().await.unwrap().opinions[0];

    let again = one.want_opinion(&watched).await.unwrap().unwrap();

    assert!(again > first.wanted_at);
    two.give_opinion(first, true).await.unwrap();
    assert_eq!(one.round().await.unwrap().servers[0].opinion, None);
    let old = "update working.server_monitors
        set opinion_wanted_at = opinion_wanted_at - interval '20 seconds'";
    assert_eq!(harness.pool.get().await.unwrap().execute(old, &[]).await.unwrap(), 1);
    assert!(two.round().await.unwrap().opinions.is_empty(), "nobody waits for it any more");

    harness.kill(1).await;
    let taken = two.round().await.unwrap().servers[0];
    assert_eq!(one.want_opinion(&watched).await.unwrap(), None, "an older fence");
    one.round().await.unwrap();
    assert!(two.want_opinion(&taken).await.unwrap().is_some());
}
