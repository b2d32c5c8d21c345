use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

const ROUNDS: u32 = 1_000;
const TTL: TimeDelta = TimeDelta::seconds(60);

struct Harness {
    _databases: Databases,
    pool: Pool,
    seats: Seats,
    ids: Ids,
}

/// The result of a race between a renewal and the reaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reaped {
    Committed,
    RolledBack,
    Nothing,
}

async fn given() -> Harness {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let seats = Seats::new(pool.clone());
    Harness { _databases: databases, pool, seats, ids: Ids::seeded(5) }
}

impl Harness {
    /// A lease that ends `millis` from now.
    async fn leased(&self, millis: i64) -> NewSeatLease {
        let now = self.now().await;
        let leased = NewSeatLease {
            lease: LeaseId(self.ids.uuid()),
            workspace: WorkspaceId(Uuid::from_u128(1)),
            account: AccountId(self.ids.uuid()),
            fence: 7,
            since: now + TimeDelta::milliseconds(millis) - TTL,
            ttl: TTL,
        };
        self.seats.put(&leased).await.unwrap();
        leased
    }

    /// Whatever has moved. `None`: it has ended for good.
    async fn renew(&self, lease: LeaseId, fence: u64) -> Result<Option<SeatLeaseRow>, PgError> {
        match self.seats.renew(lease, fence, &[]).await? {
            Renewal::Renewed(row) => Ok(Some(row)),
            Renewal::Lost => Ok(None),
            Renewal::Moved => panic!("nothing was to be looked at"),
        }
    }

    async fn now(&self) -> DateTime<Utc> {
        let client = self.pool.get().await.unwrap();
        client.query_one("select clock_timestamp()", &[]).await.unwrap().get(0)
    }

    async fn exists(&self, lease: LeaseId) -> bool {
        query_opt(&self.pool, FIND, &[&lease.0]).await.unwrap().is_some()
    }

    /// Reaps like the reaper until the lease has expired or was renewed.
    async fn reap(&self, leased: NewSeatLease, tells: bool) -> Reaped {
        while self.now().await <= leased.since + TTL {}
        let mut client = self.pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        let overdue = Seats::take_overdue(&tx, leased.workspace, 10).await.unwrap();
        if !overdue.iter().any(|overdue| overdue.lease == leased.lease) {
            return Reaped::Nothing;
        }
        tokio::task::yield_now().await;
        if tells {
            tx.commit().await.unwrap();
            return Reaped::Committed;
        }
        tx.rollback().await.unwrap();
        Reaped::RolledBack
    }
}

#[tokio::test]
async fn a_lease_is_the_same_row_whoever_puts_it_down() {
    let given = given().await;
    let leased = given.leased(60_000).await;
    let first = given.renew(leased.lease, 7).await.unwrap().unwrap();

    let again = given.seats.put(&leased).await.unwrap().unwrap();

    assert_eq!(again, first, "what is renewed stays renewed");
    assert_eq!(again.ttl_seconds, 60);
    assert!(given.seats.is_live(leased.lease, 7).await.unwrap());
    let ends = given.seats.expiries(leased.workspace).await.unwrap();
    assert_eq!(ends, [(leased.lease, again.expires_at)]);
}

#[tokio::test]
async fn only_a_live_lease_is_renewed_and_only_under_its_fence() {
    let given = given().await;
    let (live, over) = (given.leased(60_000).await, given.leased(-1).await);

    assert_eq!(given.renew(live.lease, 6).await.unwrap(), None);
    assert_eq!(given.renew(over.lease, 7).await.unwrap(), None);
    assert!(!given.seats.is_live(over.lease, 7).await.unwrap());
    let renewed = given.renew(live.lease, 7).await.unwrap().unwrap();
    assert!(renewed.expires_at >= live.since + TTL);

    given.seats.delete(live.lease).await.unwrap();
    assert_eq!(given.renew(live.lease, 7).await.unwrap(), None);
    assert_eq!(given.seats.overdue(9).await.unwrap(), [over.workspace]);
    assert!(given.seats.is_overdue(over.workspace).await.unwrap());
}

/// A worker that is behind reads the lease after the erasure has deleted the rows.
#[tokio::test]
async fn a_lease_of_an_erased_workspace_gets_no_row() {
    let given = given().await;
    let fence = "select event_log.fence($1, '{}')";
    let mut client = given.pool.get().await.unwrap();
    client.execute(fence, &[&Uuid::from_u128(1)]).await.unwrap();

    let leased = given.leased(60_000).await;
    let tx = client.transaction().await.unwrap();
    Seats::put_in(&tx, &leased).await.unwrap();
    tx.commit().await.unwrap();

    assert!(!given.exists(leased.lease).await);
}

#[tokio::test]
async fn two_reapers_take_a_lease_once() {
    let given = given().await;
    let over = given.leased(-1).await;
    let mut clients = [given.pool.get().await.unwrap(), given.pool.get().await.unwrap()];
    let [one, other] = &mut clients;
    let one = one.transaction().await.unwrap();
    let other = other.transaction().await.unwrap();

    let taken = Seats::take_overdue(&one, over.workspace, 9).await.unwrap();

    assert_eq!(taken, [OverdueLease { lease: over.lease, account: over.account }]);
    assert_eq!(Seats::take_overdue(&other, over.workspace, 9).await.unwrap(), []);
    one.commit().await.unwrap();
    assert_eq!(Seats::take_overdue(&other, over.workspace, 9).await.unwrap(), []);
}

/// A thousand leases that expire now; half of the reapers die before their commit.
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_races_the_reaper_wins_wholly_or_is_too_late() {
    let given = given().await;
    let (mut won, mut lost) = (0, 0);
    // Shorter after a renewal that has won, so that both win on a machine of any speed.
    let mut millis = 2_i64;
    for round in 0..ROUNDS {
        let leased = given.leased(millis).await;
        let tells = round.is_multiple_of(2);
        let (renewed, reaped) =
            tokio::join!(given.renew(leased.lease, leased.fence), given.reap(leased, tells));
        let late = given.renew(leased.lease, leased.fence).await.unwrap();
        millis = if matches!(renewed, Ok(Some(_))) { (millis - 1).max(0) } else { millis + 1 };
        match (renewed.unwrap(), reaped) {
            (Some(_), Reaped::Nothing) => {
                assert!(late.is_some(), "who won goes on");
                won += 1;
            }
            (None, Reaped::Committed) => {
                assert_eq!((late, given.exists(leased.lease).await), (None, false));
                lost += 1;
            }
            (None, Reaped::RolledBack) => {
                assert_eq!((late, given.exists(leased.lease).await), (None, true));
                lost += 1;
            }
            // The reaper read before the end of the lease, and the renewal came after it.
            (None, Reaped::Nothing) => {
                assert_eq!((late, given.exists(leased.lease).await), (None, true));
            }
            half => panic!("{half:?} in round {round}"),
        }
        given.seats.delete(leased.lease).await.unwrap();
    }
    assert!(won > 50 && lost > 50, "{won} won, {lost} lost: no race");
}
