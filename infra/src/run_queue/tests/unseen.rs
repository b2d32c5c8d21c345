//! How long a server has not answered for a task: while no node had it, nobody asked.

use super::*;

const WEEK: &str = "update working.run_tasks set seen_at = seen_at - interval '7 days',
    lease_until = lease_until - interval '7 days'";
const SILENCE: &str =
    "update working.run_tasks set seen_at = clock_timestamp() - interval '1 hour',
    lease_until = clock_timestamp()";

impl Harness {
    /// For how long its server was not seen, as the next node learns.
    async fn unseen(&self, meanwhile: &str) -> Duration {
        let client = self.pool.get().await.unwrap();
        assert_eq!(client.execute(meanwhile, &[]).await.unwrap(), 1);
        self.claim(OTHER, 1, WIDE).await.remove(0).unseen
    }
}

#[tokio::test]
async fn the_time_since_the_last_lease_was_over_does_not_count() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    given.claim(ONE, 1, WIDE).await;

    let unseen = given.unseen(WEEK).await;

    assert!(unseen < 2 * LEASE, "{unseen:?}");
}

#[tokio::test]
async fn nor_does_the_time_since_the_last_node_stopped() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    given.claim(ONE, 1, WIDE).await;
    given.queue.hand_over(ONE).await.unwrap();

    let unseen = given.unseen(WEEK).await;

    assert!(unseen < LEASE, "{unseen:?}");
}

#[tokio::test]
async fn a_silence_under_a_lease_counts_for_the_node_that_takes_over() {
    let given = given(LEASE).await;
    given.put([task(1, 7, 10)]).await;
    given.claim(ONE, 1, WIDE).await;

    let unseen = given.unseen(SILENCE).await;

    let hour = Duration::from_hours(1);
    assert!(unseen >= hour && unseen < hour + LEASE, "{unseen:?}");
}
