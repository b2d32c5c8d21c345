//! Servers that nobody connects to for a while, or until somebody says so.

use super::*;

impl Harness {
    /// The pauses of all servers are over.
    async fn end_pauses(&self) {
        let end = "update working.server_monitors set next_at = clock_timestamp()
            where next_at is not null";
        assert_eq!(self.pool.get().await.unwrap().execute(end, &[]).await.unwrap(), 1);
    }

    /// As the worker that reads the server's events.
    async fn stop(&self, id: u128) {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        self.node(1).stop(&tx, WORKSPACE, server(id)).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn resume(&self, id: u128) {
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        self.node(1).resume(&tx, server(id)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

fn failing(watched: &WatchedServer, count: u32) -> ServerFailures {
    let WatchedServer { server, fence, .. } = *watched;
    let failures = Some(Failures { count, since: noon() });
    ServerFailures { server, fence, failures, refused: count }
}

#[tokio::test]
async fn a_paused_server_is_so_for_each_node_until_its_time_is_over() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let (one, two) = (harness.node(1), harness.node(2));
    let watched = one.round().await.unwrap().servers[0];
    assert_eq!((watched.is_paused, watched.refused), (false, 0));

    assert!(one.pause(failing(&watched, 3), Duration::from_hours(1)).await.unwrap());

    assert!(one.round().await.unwrap().servers[0].is_paused);
    harness.kill(1).await;
    let taken = two.round().await.unwrap().servers[0];
    assert_eq!((taken.is_paused, taken.refused), (true, 3));
    assert_eq!(taken.failures, failing(&watched, 3).failures);
    assert!(!one.pause(failing(&watched, 4), Duration::ZERO).await.unwrap(), "an older fence");
    harness.end_pauses().await;
    assert!(!two.round().await.unwrap().servers[0].is_paused);
}

#[tokio::test]
async fn a_pause_of_a_clock_that_ran_ahead_is_none() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let node = harness.node(1);
    let watched = node.round().await.unwrap().servers[0];

    assert!(node.pause(failing(&watched, 3), Duration::from_hours(24 * 365)).await.unwrap());

    assert!(!node.round().await.unwrap().servers[0].is_paused);
}

#[tokio::test]
async fn what_is_written_late_undoes_no_pause_and_a_success_ends_it() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    let node = harness.node(1);
    let watched = node.round().await.unwrap().servers[0];
    node.pause(failing(&watched, 3), Duration::from_hours(1)).await.unwrap();

    node.record_failures(&[failing(&watched, 2)]).await.unwrap();

    let late = node.round().await.unwrap().servers[0];
    assert_eq!((late.is_paused, late.refused), (true, 3));
    let reached = ServerFailures { failures: None, refused: 0, ..failing(&watched, 0) };
    node.record_failures(&[reached]).await.unwrap();
    let after = node.round().await.unwrap().servers[0];
    assert_eq!((after.is_paused, after.refused, after.failures), (false, 0, None));

    node.pause(failing(&watched, 3), Duration::from_hours(1)).await.unwrap();
    node.probe_now(server(10)).await.unwrap();
    let after = node.round().await.unwrap().servers[0];
    assert_eq!((after.is_paused, after.refused), (false, 0), "somebody else has reached it");
}

#[tokio::test]
async fn a_server_whose_watch_is_stopped_is_nobodys_until_that_ends() {
    let harness = Harness::new().await;
    harness.watch(10).await;
    harness.watch(11).await;
    let node = harness.node(1);
    let before = node.round().await.unwrap().servers;
    let of = |id| *before.iter().find(|watched| watched.server == server(id)).unwrap();
    node.pause(failing(&of(10), 10), Duration::from_hours(1)).await.unwrap();

    harness.stop(10).await;

    assert_eq!(servers(&node.round().await.unwrap().servers), BTreeSet::from([server(11)]));
    let stopped = "select count(*) from working.server_monitors where stopped_at is not null";
    assert_eq!(harness.count(stopped).await, 1);
    harness.stop(10).await;
    node.probe_now(server(10)).await.unwrap();
    harness.resume(11).await;
    assert_eq!(servers(&node.round().await.unwrap().servers), BTreeSet::from([server(11)]));
    let kept = node.round().await.unwrap().servers[0];
    assert_eq!(kept.fence, of(11).fence, "what is watched is left alone");

    harness.resume(10).await;
    let after = node.round().await.unwrap().servers;
    let again = after.iter().find(|watched| watched.server == server(10)).unwrap();
    assert!(again.fence > of(10).fence);
    assert_eq!((again.is_paused, again.refused, again.failures), (false, 0, None));
    harness.stop(10).await;
    harness.watch(10).await;
    assert_eq!(node.round().await.unwrap().servers.len(), 2, "another credential ends it as well");
}
