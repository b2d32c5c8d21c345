//! No hole, no skip, no inversion.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_postgres::Client;
use uuid::Uuid;

use super::reading::follow;
use super::writing::{Acknowledged, Dice, dawdle, write};
use test_support::{LIMIT, NodeHarness, TestNode};

const KILL_HOLDER: &str = "select pg_terminate_backend(pid) from event_log.lock_holder()";

const WRITERS: u64 = 14;
const DAWDLERS: u64 = 2;
const READERS: usize = 3;
const KILLED_MIN: usize = 4;

/// Ten seconds; a minute with `LETHE_LONG=1`.
pub fn duration() -> Duration {
    Duration::from_secs(if tests::long() { 60 } else { 10 })
}

/// How long the race goes on: for its time, and until enough were killed.
struct RaceTime {
    since: Instant,
    killed: AtomicUsize,
}

impl RaceTime {
    fn start() -> Self {
        Self { since: Instant::now(), killed: AtomicUsize::new(0) }
    }

    fn is_over(&self) -> bool {
        let (took, killed) = (self.since.elapsed(), self.killed.load(Ordering::Relaxed));
        took >= duration() && (killed >= KILLED_MIN || took >= LIMIT)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_sees_every_event_once_and_in_order_while_backends_are_killed() {
    let _alone = tests::alone().await;
    let harness = Arc::new(NodeHarness::new().await);
    let nodes = [harness.node().await, harness.node().await];
    let mut tokens = Vec::new();
    for _ in 0..24 {
        tokens.push(harness.token(&nodes[0]).await);
    }
    let tokens: Arc<[Uuid]> = tokens.into();
    let time = Arc::new(RaceTime::start());
    let (finished, done) = watch::channel(false);
    let readers: Vec<_> = (0..READERS)
        .map(|n| tokio::spawn(follow(nodes[n % 2].pool.clone(), done.clone())))
        .collect();
    let killing = tokio::spawn(kill_holders(harness.owner().await, Arc::clone(&time)));

    let writers = (0..WRITERS).map(|seed| {
        let node = nodes[usize::from(seed.is_multiple_of(2))].clone();
        let (harness, tokens) = (Arc::clone(&harness), Arc::clone(&tokens));
        tokio::spawn(write_until(Arc::clone(&time), harness, node, tokens, seed))
    });
    let dawdlers = (0..DAWDLERS).map(|seed| {
        let (time, harness) = (Arc::clone(&time), Arc::clone(&harness));
        tokio::spawn(dawdle_until(time, harness, WRITERS + seed))
    });
    let (written, by_hand) = tokio::join!(join_all(writers), join_all(dawdlers));
    let acknowledged: Vec<Acknowledged> =
        written.into_iter().flat_map(|written| written.unwrap()).collect();
    let by_hand: Vec<Uuid> = by_hand.into_iter().flat_map(|by_hand| by_hand.unwrap()).collect();
    finished.send_replace(true);

    let log = Log::read(&harness.owner().await).await;
    for reader in readers {
        let seen = reader.await.unwrap().expect("no hole");
        assert_eq!(seen, log.events, "a reader saw each event once, in order");
    }
    killing.await.unwrap();
    let killed = time.killed.load(Ordering::Relaxed);
    assert!(killed >= KILLED_MIN, "{killed} killed with the lock in their hands");
    for (command, receipt) in &acknowledged {
        log.has(*command, receipt.events()[0].position);
    }
    for command in &by_hand {
        assert!(log.commands.iter().any(|(known, _)| known == command));
    }
    eprintln!(
        "{} events, {} commands and {} by hand acknowledged, {killed} killed with the lock",
        log.events.len(),
        acknowledged.len(),
        by_hand.len()
    );
}

async fn write_until(
    time: Arc<RaceTime>,
    harness: Arc<NodeHarness>,
    node: TestNode,
    tokens: Arc<[Uuid]>,
    seed: u64,
) -> Vec<Acknowledged> {
    let mut dice = Dice::new(seed);
    let mut acknowledged = Vec::new();
    while !time.is_over() {
        acknowledged.extend(write(&harness, &node, &tokens, &mut dice).await);
    }
    acknowledged
}

async fn dawdle_until(time: Arc<RaceTime>, harness: Arc<NodeHarness>, seed: u64) -> Vec<Uuid> {
    let mut dice = Dice::new(seed);
    let mut client = harness.owner().await;
    let mut committed = Vec::new();
    while !time.is_over() {
        dice.pause(40_000).await;
        match dawdle(&mut client, &harness, &mut dice).await {
            Ok(command) => committed.extend(command),
            Err(_) => client = harness.owner().await,
        }
    }
    committed
}

/// Ends whoever holds the log's lock, several times a second.
async fn kill_holders(client: Client, time: Arc<RaceTime>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(150));
    while !time.is_over() {
        ticks.tick().await;
        // Looks until it finds somebody, which with 16 writers is soon.
        while !time.is_over() {
            let found = client.query(KILL_HOLDER, &[]).await.unwrap();
            if !found.is_empty() {
                time.killed.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
    }
}

/// All of the log, as its owner reads it.
struct Log {
    events: Vec<Uuid>,
    commands: Vec<(Uuid, i64)>,
}

impl Log {
    async fn read(client: &Client) -> Self {
        let all = "select position, event_id, command_id from event_log.events order by position";
        let rows = client.query(all, &[]).await.unwrap();
        let mut log = Self { events: Vec::new(), commands: Vec::new() };
        for row in rows {
            log.events.push(row.get(1));
            let position: i64 = row.get(0);
            assert_eq!(position, i64::try_from(log.events.len()).unwrap(), "dense");
            if let Some(command) = row.get::<_, Option<Uuid>>(2) {
                log.commands.push((command, position));
            }
        }
        log.commands.sort_unstable();
        let doubled = log.commands.windows(2).find(|pair| pair[0].0 == pair[1].0);
        assert_eq!(doubled, None, "a command stands once");
        log
    }

    fn has(&self, command: Uuid, first: i64) {
        let found = self.commands.binary_search(&(command, first));
        assert!(found.is_ok(), "{command} was acknowledged at {first}");
    }
}
