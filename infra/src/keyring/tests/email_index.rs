//! An address belongs to at most one account, also during a rotation of the index's key.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::super::AddressReservations;
use super::*;
use crate::postgres::Pool;
use crate::reservations::{Index, Reservations};

const FORTNIGHT: TimeDelta = TimeDelta::days(14);
const SETTLE: Duration = Duration::from_millis(100);

/// The log's reservations, and what would be opened from the accounts' events.
struct Registry {
    node: Keyring,
    log: Pool,
    reservations: Reservations,
    addresses: Mutex<HashMap<Uuid, EmailAddress>>,
}

impl Registry {
    async fn new(harness: &Harness, node: Keyring) -> Self {
        let log = connect(&harness.databases.log_url, &ConnectOptions::default()).await.unwrap();
        Self {
            node,
            reservations: Reservations::new(log.clone()),
            log,
            addresses: Mutex::default(),
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
    async fn behind(
        &self,
        old: &str,
        new: &str,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Uuid>, KeyringError> {
        Ok(self.reservations.behind(old, new, after, limit).await?)
    }

    async fn reserve_again(&self, owner: Uuid) -> Result<(), KeyringError> {
        let email = self.addresses.lock().unwrap()[&owner].clone();
        let indexes: Vec<Index> = self.node.email_index.indexes(&email).await?;
        let [new, old] = indexes.as_slice() else { panic!("two are written in a rotation") };
        assert!(self.reservations.reserve_again(new, old, owner).await?);
        Ok(())
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
    let young = registry.node.email_index.rotate(FORTNIGHT, SETTLE, &registry).await;
    assert!(!young.unwrap());
    harness.clock.advance(FORTNIGHT);

    let rotated = async {
        let rotated = registry.node.email_index.rotate(FORTNIGHT, SETTLE, &registry).await;
        (rotated.unwrap(), std::time::Instant::now())
    };
    let registering = async {
        let mut taken = 50_u32;
        // Until the new generation is the only one that is written.
        while elsewhere.node.email_index.indexes(&address(0)).await.unwrap()[0].0
            != "account.email.2"
            || elsewhere.node.email_index.indexes(&address(0)).await.unwrap().len() != 1
        {
            let owner = harness.ids.uuid();
            registry.addresses.lock().unwrap().insert(owner, address(taken));
            assert!(elsewhere.register(owner, &address(taken)).await);
            taken += 1;
            assert!(!elsewhere.register(harness.ids.uuid(), &address(taken / 2)).await);
        }
        taken
    };
    let ((rotated, _), taken) = tokio::join!(rotated, registering);
    assert!(rotated);
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
        let rotation = registry.node.email_index.rotate(FORTNIGHT, SETTLE, &registry);
        let _killed = tokio::time::timeout(Duration::from_millis(after), rotation).await;
    }
    let last = harness.node().await;
    last.email_index.rotate(FORTNIGHT, SETTLE, &registry).await.unwrap();
    assert_eq!(registry.owners("account.email.1").await, 0);
    assert_eq!(registry.owners("account.email.2").await, 10);
    assert_eq!(last.status().await.unwrap().email_generation, 2);
    let states = "select string_agg(state, ' ' order by generation) from keyring.email_generations";
    assert_eq!(harness.sql(states, &[]).await[0].get::<_, String>(0), "destroyed live");
}
