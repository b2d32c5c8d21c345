//! Another session holds a transaction open: dead rows are not removed meanwhile. Appends, renewals of
//! seats and the queue of runs, beside the same on a log where nobody holds one. Both logs are followed by every read
//! model, whose checkpoints are the rows that are written most often.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::{LeaseId, RunId, ServerId, WorkspaceId};
use infra::clock::Clock;
use infra::ids::Ids;
use infra::log::watermark::Watermark;
use infra::log::{ReadPositions, ReaderOptions, Readers};
use infra::metrics::Metrics;
use infra::run_queue::{ClaimRound, FreeSlots, NewTask, RunLimits, RunQueue};
use infra::seats::{Renewal, Seats};
use test_support::TestNode;
use tests::bench::{Goal, Run, Series, Table, in_turns_for, number};
use uuid::Uuid;

use crate::callers::{Caller, repeat_for, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

const LEASES: &str = include_str!("fill_leases.sql");
/// As many as are renewed in 40 s, which is how often a client renews its own.
const LEASES_COUNT: i64 = 200_000;
const APPENDING: usize = 64;
const RENEWING: usize = 16;
const WORKSPACES: u128 = 100;
const SERVERS: u128 = 1000;
const LIMITS: RunLimits =
    RunLimits { per_server: 4, per_workspace: 20, per_account: 20, per_node: 200 };
/// Also holds an id, so that nobody sees a snapshot without it.
const HOLD: &str = "begin isolation level repeatable read; select pg_current_xact_id(); select count(*) from working.run_tasks";

/// As PostgreSQL counts them: some seconds late, and of the whole table.
const CHECKPOINTS: &str = "select n_dead_tup, pg_relation_size(relid) from pg_stat_user_tables \
    where schemaname = 'readers' and relname = 'checkpoints'";

pub async fn measure(harness: &Harness, table: &mut Table) {
    let least = Duration::from_secs(number("LETHE_BENCH_HELD_SECONDS", 20));
    println!("a transaction held open for {least:?} at least");
    let mut sides = Vec::new();
    for log in ["held", "free"] {
        harness.log(log).await;
        harness.owner(log).await.execute(LEASES, &[&LEASES_COUNT]).await.unwrap();
        harness.owner(log).await.batch_execute("vacuum analyze").await.unwrap();
        sides.push(Side::of(harness, log).await);
    }
    let holder = harness.owner("held").await;
    holder.batch_execute(HOLD).await.unwrap();
    let measured: [Series; 6] = in_turns_for(least, async |who| {
        let side = &sides[who % 2];
        match who / 2 {
            0 => side.append(harness).await,
            1 => side.renew(harness).await,
            _ => side.queue(harness).await,
        }
    })
    .await;
    let [held, free] = [checkpoints(harness, "held").await, checkpoints(harness, "free").await];
    let note =
        format!("{} without one; {} bytes, {} without one", free.dead, held.bytes, free.bytes);
    let what = "dead versions of checkpoints, a transaction held open";
    table.figure(what, held.dead as f64, Goal::None, &note);
    holder.batch_execute("rollback").await.unwrap();
    for side in sides {
        side.readers.stop().await;
    }
    let (pairs, _) = measured.as_chunks::<2>();
    for (what, [held, free]) in
        ["append, 64 callers", "renewals, 16 callers", "queue, 1 caller"].iter().zip(pairs)
    {
        let what = format!("{what}, a transaction held open: none");
        table.row(&what, held, free, Goal::AtLeast(0.95), "");
        let p99 = |series: &Series| series.median(|run| run.p99_ms);
        table.figure(&format!("{what}, p99"), p99(held) / p99(free), Goal::AtMost(1.2), "times");
    }
}

/// What a log's checkpoints take.
struct Checkpoints {
    dead: i64,
    bytes: i64,
}

async fn checkpoints(harness: &Harness, log: &str) -> Checkpoints {
    let row = harness.owner(log).await.query_one(CHECKPOINTS, &[]).await.unwrap();
    Checkpoints { dead: row.get(0), bytes: row.get(1) }
}

/// A log, and who works on it.
struct Side {
    node: TestNode,
    readers: Readers,
    seats: Seats,
    queue: RunQueue,
    turn: Arc<AtomicU64>,
}

impl Side {
    async fn of(harness: &Harness, log: &str) -> Self {
        let node = harness.node(log).await;
        let seats = Seats::new(node.pool.clone());
        let queue = RunQueue::new(node.pool.clone(), Duration::from_mins(1));
        let readers = follow(&node).await;
        Self { node, readers, seats, queue, turn: Arc::default() }
    }

    async fn append(&self, harness: &Harness) -> Run {
        let node = std::slice::from_ref(&self.node);
        let people = Caller::come_all(node, &harness.ids, APPENDING).await;
        sign_in_for(people, seconds(), &harness.meter).await
    }

    /// One lease after the other.
    async fn renew(&self, harness: &Harness) -> Run {
        let renew = || {
            let (seats, turn) = (self.seats.clone(), Arc::clone(&self.turn));
            move || {
                let (seats, turn) = (seats.clone(), turn.fetch_add(1, Ordering::Relaxed));
                async move {
                    let lease = u128::from(turn) % u128::from(LEASES_COUNT.unsigned_abs());
                    let lease = LeaseId(Uuid::from_u128(lease));
                    let renewed = seats.renew(lease, 1, &[]).await.unwrap();
                    assert!(matches!(renewed, Renewal::Renewed(_)), "{renewed:?}");
                }
            }
        };
        repeat_for((0..RENEWING).map(|_| renew()), seconds(), &harness.meter).await
    }

    /// A task is queued, claimed and finished.
    async fn queue(&self, harness: &Harness) -> Run {
        let (queue, node, ids) = (self.queue.clone(), self.node.clone(), harness.ids.clone());
        let operation = move || {
            let (queue, node, ids) = (queue.clone(), node.clone(), ids.clone());
            async move { go_through(&queue, &node, &ids).await }
        };
        repeat_for(std::iter::once(operation), seconds(), &harness.meter).await
    }
}

/// As a node that serves does.
async fn follow(node: &TestNode) -> Readers {
    let (wake, options) = (node.executor.appended(), ReaderOptions::of(Uuid::from_u128(1)));
    let (pool, metrics) = (node.pool.clone(), Arc::new(Metrics::new().unwrap()));
    let (positions, known) = (ReadPositions::default(), Watermark::default());
    let readers =
        Readers::start(pool, wake, projections::all(), options, metrics, positions, known);
    readers.await.unwrap()
}

async fn go_through(queue: &RunQueue, node: &TestNode, ids: &Ids) {
    let run = ids.uuid();
    let task = NewTask {
        run: RunId(run),
        server: ServerId(Uuid::from_u128(run.as_u128() % SERVERS)),
        attempt: 1,
        workspace: WorkspaceId(Uuid::from_u128(run.as_u128() % WORKSPACES)),
        requester: None,
        queued_at: Clock::system().now(),
        deployment: None,
        secrets: None,
        timeout_seconds: 60,
    };
    let mut client = node.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    queue.put(&tx, &task).await.unwrap();
    tx.commit().await.unwrap();
    drop(client);
    let slots = FreeSlots { most: 1, are_kept: false };
    let claimed =
        queue.claim(Uuid::nil(), slots, LIMITS, &mut ClaimRound::default()).await.unwrap();
    let [claimed] = &claimed[..] else { panic!("{} tasks were claimed", claimed.len()) };
    queue.finish(claimed.run, claimed.lease).await.unwrap();
}
