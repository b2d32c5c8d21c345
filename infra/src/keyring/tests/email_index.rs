//! An address belongs to at most one account, also during a rotation of the index's key.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::super::{AddressReservations, IndexRotation, IndexTurn};
use super::*;
use crate::postgres::Pool;
use crate::reservations::{Batch, MovedRow, Reservations};

const FORTNIGHT: TimeDelta = TimeDelta::days(14);
const BATCH: i64 = 4;
const ROTATION: IndexRotation = IndexRotation {
    every: FORTNIGHT,
    unreadable_wait: TimeDelta::days(6),
    command_max: Duration::from_millis(100),
    batches_max: 1000,
};

/// The log's reservations, and what would be opened from the accounts' events.
struct Registry {
    node: Keyring,
    log: Pool,
    reservations: Reservations,
    addresses: Mutex<HashMap<Uuid, EmailAddress>>,
    unreadable: AtomicI64,
}

impl Registry {
    async fn new(harness: &Harness, node: Keyring) -> Self {
        let log = connect(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
        Self {
            node,
            reservations: Reservations::new(log.clone()),
            log,
            addresses: Mutex::default(),
            unreadable: AtomicI64::new(0),
        }
    }

    /// Takes every reservation of the address, or none: what an append does.
    async fn register(&self, owner: Uuid, email: &EmailAddress) -> bool {
        let indexes = self.node.email_index.indexes(email).await.unwrap();
        self.addresses.lock().unwrap().insert(owner, email.clone());
        let mut client = self.log.get().await.unwrap();
        let append = client.transaction().await.unwrap();
        for (kind, index) in &indexes {
            let take =
                "insert into event_log.reservations values ($1, $2, $3) on conflict do nothing";
            if append.execute(take, &[kind, index, &owner]).await.unwrap() == 0 {
                return false;
            }
        }
        append.commit().await.unwrap();
        true
    }

    async fn owners(&self, kind: &str) -> i64 {
        let client = self.log.get().await.unwrap();
        let count = "select count(*) from event_log.reservations where kind = $1";
        client.query_one(count, &[&kind]).await.unwrap().get(0)
    }
}

#[async_trait::async_trait]
impl AddressReservations for Registry {
    async fn has_begun(&self, old: &str, new: &str) -> Result<bool, KeyringError> {
        Ok(self.reservations.progress(old, new).await?.is_some())
    }

    async fn move_batch(&self, old: &str, new: &str) -> Result<bool, KeyringError> {
        let progress = self.reservations.progress(old, new).await?;
        if progress.as_ref().is_some_and(|progress| progress.is_complete) {
            return Ok(false);
        }
        let after = progress.map(|progress| progress.through).unwrap_or_default();
        let page = self.reservations.page(old, &after, BATCH).await?;
        let through = page.last().map_or_else(|| after.clone(), |(last, _)| last.clone());
        let is_last = page.len() < usize::try_from(BATCH).unwrap();
        let mut batch = Batch { after, through, is_last, rows: Vec::new() };
        for (old, owner) in page {
            let email = self.addresses.lock().unwrap()[&owner].clone();
            let indexes = self.node.email_index.indexes(&email).await?;
            let new = indexes.into_iter().find(|(kind, _)| kind == new).unwrap();
            batch.rows.push(MovedRow { old, new, owner });
        }
        let is_ours = self.reservations.move_batch(old, new, &batch).await?;
        Ok(!(is_ours && is_last))
    }

    async fn count_unreadable(&self) -> Result<i64, KeyringError> {
        Ok(self.unreadable.load(Ordering::Relaxed))
    }

    async fn delete_kind(&self, kind: &str) -> Result<(), KeyringError> {
        Ok(self.reservations.delete_kind(kind).await?)
    }
}

fn address(number: u32) -> EmailAddress {
    EmailAddress::parse(&format!("someone.{number}@Example.org")).unwrap()
}

#[tokio::test]
async fn one_address_is_one_index_on_every_node_whatever_its_case() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let index = one.email_index.indexes(&address(1)).await.unwrap();
    assert_eq!(index.len(), 1);
    assert_eq!((index[0].0.as_str(), index[0].1.len()), ("account.email.1", 32));
    let other_case = EmailAddress::parse("SOMEONE.1@example.ORG").unwrap();
    assert_eq!(two.email_index.indexes(&other_case).await.unwrap(), index);
    assert_ne!(two.email_index.indexes(&address(2)).await.unwrap(), index);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_address_is_taken_twice_while_the_index_changes_its_key() {
    let harness = Harness::new().await;
    let registry = Registry::new(&harness, harness.node().await).await;
    let elsewhere = Registry::new(&harness, harness.node().await).await;
    for number in 0..50 {
        assert!(registry.register(harness.ids.uuid(), &address(number)).await);
    }
    // A registration takes less, also on a busy machine.
    let patient = IndexRotation { command_max: Duration::from_secs(10), ..ROTATION };
    let young = registry.node.email_index.rotate(patient, &registry).await;
    assert_eq!(young.unwrap(), IndexTurn::NotDue);
    harness.clock.advance(FORTNIGHT);

    let rotated = async { registry.node.email_index.rotate(patient, &registry).await.unwrap() };
    let registering = async {
        let mut taken = 50_u32;
        // Some hundreds in all, however fast the machine.
        let mut next = tokio::time::interval(Duration::from_millis(25));
        next.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Until the new generation is the only one that is written.
        while elsewhere.node.email_index.indexes(&address(0)).await.unwrap()[0].0
            != "account.email.2"
            || elsewhere.node.email_index.indexes(&address(0)).await.unwrap().len() != 1
        {
            next.tick().await;
            let owner = harness.ids.uuid();
            registry.addresses.lock().unwrap().insert(owner, address(taken));
            assert!(elsewhere.register(owner, &address(taken)).await);
            taken += 1;
            assert!(!elsewhere.register(harness.ids.uuid(), &address(taken / 2)).await);
        }
        taken
    };
    let (rotated, taken) = tokio::join!(rotated, registering);
    assert_eq!(rotated, IndexTurn::Rotated);
    assert!(taken > 51, "somebody registered meanwhile");
    assert_eq!(registry.owners("account.email.1").await, 0);
    assert_eq!(registry.owners("account.email.2").await, i64::from(taken));
    for number in 0..taken {
        assert!(!registry.register(harness.ids.uuid(), &address(number)).await);
    }
    let live =
        "select count(*) from keyring.keys where kind = 'email_index' and wrapped is not null";
    assert_eq!(harness.count(live).await, 1);
    assert_eq!(registry.node.status().await.unwrap().email_generation, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_index_killed_anywhere_is_finished_by_the_next() {
    let harness = Harness::new().await;
    let registry = Registry::new(&harness, harness.node().await).await;
    for number in 0..10 {
        assert!(registry.register(harness.ids.uuid(), &address(number)).await);
    }
    harness.clock.advance(FORTNIGHT);
    for after in [20, 1_000, 1_170, 1_190, 1_210, 1_250] {
        let rotation = registry.node.email_index.rotate(ROTATION, &registry);
        let _killed = tokio::time::timeout(Duration::from_millis(after), rotation).await;
    }
    let last = harness.node().await;
    last.email_index.rotate(ROTATION, &registry).await.unwrap();
    assert_eq!(registry.owners("account.email.1").await, 0);
    assert_eq!(registry.owners("account.email.2").await, 10);
    assert_eq!(last.status().await.unwrap().email_generation, 2);
    let states = "select string_agg(state, ' ' order by generation) from keyring.email_generations";
    assert_eq!(harness.sql(states, &[]).await[0].get::<_, String>(0), "destroyed live");
}

#[tokio::test]
async fn a_rotation_goes_on_where_its_last_turn_ended_and_waits_for_commands_only_once() {
    let harness = Harness::new().await;
    let registry = Registry::new(&harness, harness.node().await).await;
    for number in 0..10 {
        assert!(registry.register(harness.ids.uuid(), &address(number)).await);
    }
    harness.clock.advance(FORTNIGHT);
    let turn = IndexRotation { batches_max: 1, ..ROTATION };
    let index = &registry.node.email_index;

    assert_eq!(index.rotate(turn, &registry).await.unwrap(), IndexTurn::Moved);
    assert_eq!(registry.owners("account.email.2").await, BATCH);
    let forever = IndexRotation { command_max: Duration::from_hours(1), ..turn };
    assert_eq!(index.rotate(forever, &registry).await.unwrap(), IndexTurn::Moved);
    assert_eq!(registry.owners("account.email.2").await, 2 * BATCH);

    assert_eq!(index.rotate(turn, &registry).await.unwrap(), IndexTurn::Rotated);
    assert_eq!(registry.owners("account.email.2").await, 10);
    assert_eq!(registry.owners("account.email.1").await, 0);
}

#[tokio::test]
async fn a_rotation_waits_some_days_for_accounts_that_cannot_be_read_and_then_ends() {
    let harness = Harness::new().await;
    let registry = Registry::new(&harness, harness.node().await).await;
    assert!(registry.register(harness.ids.uuid(), &address(1)).await);
    registry.unreadable.store(1, Ordering::Relaxed);
    harness.clock.advance(FORTNIGHT);
    let index = &registry.node.email_index;

    assert_eq!(index.rotate(ROTATION, &registry).await.unwrap(), IndexTurn::Waiting);
    harness.clock.advance(TimeDelta::days(5));
    assert_eq!(index.rotate(ROTATION, &registry).await.unwrap(), IndexTurn::Waiting);
    assert_eq!(registry.owners("account.email.1").await, 1);

    harness.clock.advance(TimeDelta::days(1));
    assert_eq!(index.rotate(ROTATION, &registry).await.unwrap(), IndexTurn::Rotated);
}
