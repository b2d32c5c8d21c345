//! The keyring on real PostgreSQL: one database and one root folder, and nodes that share them.

mod copy;
mod copy_files;
mod copy_lost;
mod copy_races;
mod copy_went_back;
mod email_index;
mod erasure;
mod erasure_ledger;
mod escrow;
mod key_cache;
mod key_requests;
mod known_answers;
mod lease;
mod links;
mod position_tokens;
mod root_folder;
mod root_holds;
mod root_readable;
mod root_store;
mod root_vault;
mod root_vault_tls;
mod rotation;
mod sealing;
mod shard_histories;
mod shard_races;
mod shards;
mod shards_lost;
mod standby;
mod statements;
mod status;
mod unanswered;
mod values;
mod wraps;
mod writes;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use domain::account::{AccountEvent, LoginRefusal, Proof};
use domain::privacy::{
    AccountEmail, AccountName, EmailAddress, IpAddress, LoginIp, PersonName, Personal, Sealed,
    UserAgent,
};
use domain::{AccountId, CredentialId, EventId, LinkId, ProofId, SealedId, SubjectId, TenantId};
use tempfile::TempDir;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{
    Keyring, KeyringError, KeyringOptions, OpenError, RootFolder, RootStore, SealError, Secret,
};
use crate::clock::Clock;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect, connect_one};
use test_support::{Databases, databases};

/// One keyring: its database, its root folder, its time.
struct Harness {
    databases: Databases,
    roots: TempDir,
    clock: Clock,
    ids: Ids,
    options: KeyringOptions,
}

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

impl Harness {
    async fn new() -> Self {
        Self {
            databases: databases().await.unwrap(),
            roots: tempfile::tempdir().unwrap(),
            clock: Clock::fixed(noon()),
            ids: Ids::seeded(7),
            // An old root is erased at once, unless a test is about the time until then.
            options: KeyringOptions {
                root_retention: TimeDelta::zero(),
                ..KeyringOptions::default()
            },
        }
    }

    fn folder(&self) -> RootFolder {
        RootFolder::open(self.roots.path(), None).unwrap()
    }

    fn root_file(&self, id: i64) -> std::path::PathBuf {
        self.roots.path().join(format!("root-{id}.key"))
    }

    async fn try_node(&self) -> Result<Keyring, KeyringError> {
        self.try_node_with(self.roots.path()).await
    }

    /// A node whose root keys are in this folder.
    async fn try_node_with(&self, roots: &std::path::Path) -> Result<Keyring, KeyringError> {
        self.try_node_over(Arc::new(RootFolder::open(roots, None)?)).await
    }

    /// A node whose root keys are in this place.
    async fn try_node_over(&self, roots: Arc<dyn RootStore>) -> Result<Keyring, KeyringError> {
        let pool = connect(&self.databases.keyring_url, &ConnectOptions::app()).await?;
        Keyring::start(pool, roots, self.options.clone(), self.clock.clone()).await
    }

    async fn node(&self) -> Keyring {
        self.try_node().await.unwrap()
    }

    /// A node with a clock of its own.
    async fn node_with_clock(&self, clock: Clock) -> Keyring {
        let pool = connect(&self.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
        let roots = Arc::new(self.folder());
        Keyring::start(pool, roots, self.options.clone(), clock).await.unwrap()
    }

    /// Runs a statement as the owner of the tables.
    async fn sql(&self, text: &str, with: &[&(dyn ToSql + Sync)]) -> Vec<tokio_postgres::Row> {
        let owner = ConnectOptions::default();
        let client = connect_one(&self.databases.keyring_url, &owner).await.unwrap();
        client.query(text, with).await.unwrap()
    }

    async fn count(&self, text: &str) -> i64 {
        self.sql(text, &[]).await[0].get(0)
    }

    fn person(&self) -> AccountId {
        AccountId(self.ids.uuid())
    }

    fn event_id(&self) -> EventId {
        EventId(self.ids.uuid())
    }

    fn days_pass(&self, days: i64) {
        self.clock.advance(TimeDelta::days(days));
    }

    async fn people(&self, node: &Keyring, count: usize) -> Vec<(AccountId, Sealed)> {
        let mut people = Vec::new();
        for _ in 0..count {
            let person = self.person();
            let [sealed, _] = self.registered(node, person).await.unwrap();
            people.push((person, sealed));
        }
        people
    }

    async fn registered(&self, node: &Keyring, of: AccountId) -> Result<[Sealed; 2], SealError> {
        let mut event = AccountEvent::Registered {
            email: Personal::Clear(email(of)),
            name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
            username: None,
            credential: CredentialId(of.0),
            verification: Proof { id: ProofId(of.0), until: noon() },
        };
        node.sealer.seal(of.into(), of.0, self.event_id(), &mut event).await?;
        let AccountEvent::Registered { email, name, .. } = event else { panic!("it was") };
        Ok([email.sealed().unwrap().clone(), name.sealed().unwrap().clone()])
    }

    async fn login(&self, node: &Keyring, of: AccountId) -> Result<[Sealed; 2], SealError> {
        let mut event = AccountEvent::LoginFailed {
            reason: LoginRefusal::WrongPassword,
            ip: Personal::Clear(IpAddress("192.0.2.7".parse().unwrap())),
            user_agent: Personal::Clear(UserAgent::cut("curl/8.17")),
        };
        node.sealer.seal(of.into(), of.0, self.event_id(), &mut event).await?;
        let AccountEvent::LoginFailed { ip, user_agent, .. } = event else { panic!("it was") };
        Ok([ip.sealed().unwrap().clone(), user_agent.sealed().unwrap().clone()])
    }
}

/// Writes the file of a root key, as somebody who puts it into the folder.
fn put_root(dir: &std::path::Path, id: i64, key: &Secret) {
    let text = format!("{}\n", hex::encode(key.expose()));
    crate::durable::write(dir, &format!("root-{id}.key"), text.as_bytes()).unwrap();
}

fn email(of: AccountId) -> EmailAddress {
    EmailAddress::parse(&format!("{}@example.org", of.0.simple())).unwrap()
}

async fn all_open(node: &Keyring, people: &[(AccountId, Sealed)]) {
    for (person, sealed) in people {
        opened(node, *person, sealed).await.unwrap();
    }
}

async fn opened(node: &Keyring, of: AccountId, sealed: &Sealed) -> Result<(), OpenError> {
    let clear = node.sealer.open::<AccountEmail>(of.into(), of.into(), sealed).await?;
    assert_eq!(clear, email(of));
    Ok(())
}

async fn opened_ip(node: &Keyring, of: AccountId, sealed: &Sealed) -> Result<(), OpenError> {
    let clear = node.sealer.open::<LoginIp>(of.into(), of.into(), sealed).await?;
    assert_eq!(clear, IpAddress("192.0.2.7".parse().unwrap()));
    Ok(())
}
