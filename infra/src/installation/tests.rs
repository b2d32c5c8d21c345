//! What counts as one installation, as another, and as none.

use test_support::{Databases, databases};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{InstallationError, Relation, pair, relate};
use crate::postgres::{ConnectOptions, DatabaseUrl, connect_one};

struct Pair {
    log: DatabaseUrl,
    keyring: DatabaseUrl,
    _databases: Databases,
}

/// A migrated log and a keyring with an id of its own: those of tests are copies of one.
async fn migrated() -> Pair {
    let databases = databases().await.unwrap();
    let [log, keyring] =
        [&databases.log_url, &databases.keyring_url].map(|url| url.parse().unwrap());
    let pair = Pair { log, keyring, _databases: databases };
    pair.run(false, "update keyring.copy set keyring = gen_random_uuid()").await;
    pair
}

async fn connected(url: &DatabaseUrl) -> Client {
    connect_one(url, &ConnectOptions::default()).await.unwrap()
}

impl Pair {
    async fn run(&self, in_log: bool, sql: &str) {
        let url = if in_log { &self.log } else { &self.keyring };
        connected(url).await.batch_execute(sql).await.unwrap();
    }

    async fn relation(&self) -> Result<Relation, InstallationError> {
        relate(&self.log, &self.keyring).await
    }

    async fn holds_an_event(&self, about: Uuid) {
        let event = format!(
            "insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
                event_type, schema_version, data, sealed, subjects, recorded_at)
            values (1, '{about}', 'account', '{about}', 1, '{about}', 'account.registered', 1, '{{}}', '\\x00',
                array['{about}'::uuid], now())"
        );
        self.run(true, &event).await;
    }

    async fn knows(&self, person: Uuid) {
        let erased = format!(
            "insert into keyring.keys (kind, subject, class, number, created_at, destroyed_at)
            values ('subject', '{person}', 1, 1, now(), now())"
        );
        self.run(false, &erased).await;
    }

    async fn knows_the_newest_event(&self, event: Uuid) {
        let mark =
            format!("insert into keyring.watermark (position, event_id) values (1, '{event}')");
        self.run(false, &mark).await;
    }
}

const ADA: Uuid = Uuid::from_u128(0xada);
const EVE: Uuid = Uuid::from_u128(0xe5e);

#[tokio::test]
async fn two_empty_databases_are_new_and_are_paired_once() {
    let new = migrated().await;
    assert_eq!(new.relation().await.unwrap(), Relation::New);

    let starts = (0..4).map(|_| pair(&new.log, &new.keyring));
    for paired in futures_util::future::join_all(starts).await {
        paired.unwrap();
    }

    assert_eq!(new.relation().await.unwrap(), Relation::Paired);
    let missing = new.log.with_database("never_made");
    let refused = relate(&missing, &new.keyring).await;
    assert!(matches!(refused, Err(InstallationError::LogLost { .. })), "{refused:?}");
    let missing = new.keyring.with_database("never_made");
    let refused = relate(&new.log, &missing).await;
    assert!(matches!(refused, Err(InstallationError::KeyringLost { .. })), "{refused:?}");
    let neither = relate(&missing, &missing).await;
    assert_eq!(neither.unwrap(), Relation::New);
}

#[tokio::test]
async fn a_start_that_was_killed_between_the_two_is_gone_on_with() {
    let halfway = migrated().await;
    pair(&halfway.log, &halfway.keyring).await.unwrap();
    halfway.run(false, "update keyring.copy set has_log = false").await;
    assert_eq!(halfway.relation().await.unwrap(), Relation::Related);

    pair(&halfway.log, &halfway.keyring).await.unwrap();

    assert_eq!(halfway.relation().await.unwrap(), Relation::Paired);
}

#[tokio::test]
async fn another_log_or_keyring_is_refused_whether_it_is_paired_or_new() {
    let (one, other) = (migrated().await, migrated().await);
    pair(&one.log, &one.keyring).await.unwrap();

    let new_keyring = relate(&one.log, &other.keyring).await;
    assert!(matches!(new_keyring, Err(InstallationError::KeyringLost { .. })), "{new_keyring:?}");
    let new_log = relate(&other.log, &one.keyring).await;
    assert!(matches!(new_log, Err(InstallationError::LogLost { .. })), "{new_log:?}");
    pair(&other.log, &other.keyring).await.unwrap();
    let mixed = relate(&one.log, &other.keyring).await;

    assert!(matches!(mixed, Err(InstallationError::OtherKeyring { .. })), "{mixed:?}");
    let refused = pair(&other.log, &one.keyring).await;
    assert!(matches!(refused, Err(InstallationError::OtherKeyring { .. })), "{refused:?}");
}

/// Both are of a version that paired none: what the keyring knows tells whose the log is.
#[tokio::test]
async fn an_upgrade_pairs_what_belongs_together() {
    let by_event = migrated().await;
    by_event.holds_an_event(ADA).await;
    by_event.knows_the_newest_event(ADA).await;
    let by_person = migrated().await;
    by_person.holds_an_event(ADA).await;
    by_person.knows(ADA).await;

    for older in [by_event, by_person] {
        assert_eq!(older.relation().await.unwrap(), Relation::Related);
        pair(&older.log, &older.keyring).await.unwrap();
        assert_eq!(older.relation().await.unwrap(), Relation::Paired);
    }
}

#[tokio::test]
async fn an_upgrade_of_a_log_whose_keyring_is_lost_or_another_one_is_refused() {
    let lost = migrated().await;
    lost.holds_an_event(ADA).await;
    let other = migrated().await;
    other.holds_an_event(ADA).await;
    other.knows(EVE).await;

    for older in [lost, other] {
        let refused = older.relation().await;
        assert!(matches!(refused, Err(InstallationError::Unrelated { .. })), "{refused:?}");
        pair(&older.log, &older.keyring).await.unwrap_err();
    }
}

#[tokio::test]
async fn an_empty_log_of_a_keyring_that_was_used_is_lost_also_before_they_are_paired() {
    let (by_person, by_event) = (migrated().await, migrated().await);
    by_person.knows(ADA).await;
    by_event.knows_the_newest_event(ADA).await;

    for older in [by_person, by_event] {
        let refused = older.relation().await;
        assert!(matches!(refused, Err(InstallationError::LogLost { .. })), "{refused:?}");
    }
}

/// A backup from before they were paired is restored.
#[tokio::test]
async fn an_older_log_of_a_paired_keyring_is_known_by_its_people() {
    let restored = migrated().await;
    restored.knows(ADA).await;
    restored.run(false, "update keyring.copy set has_log = true").await;
    restored.holds_an_event(ADA).await;

    assert_eq!(restored.relation().await.unwrap(), Relation::Related);
}

#[tokio::test]
async fn a_database_that_cannot_be_looked_at_is_neither_empty_nor_another_one() {
    let paired = migrated().await;
    pair(&paired.log, &paired.keyring).await.unwrap();
    paired.run(true, "alter table event_log.installation rename column id to other").await;

    let failed = paired.relation().await.unwrap_err();

    assert!(!failed.is_refusal(), "{failed}");
}
