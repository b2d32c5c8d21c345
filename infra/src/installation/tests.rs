//! What counts as one installation, as another, and as none.

use test_support::{Databases, databases, until, until_waits_for_lock, waiting_for_lock};
use tokio_postgres::Client;
use uuid::Uuid;

use super::{InstallationError, Relation, is_empty, pair, relate};
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
        self.holds(1, about, "'\\x00'").await;
    }

    async fn holds(&self, position: i64, about: Uuid, sealed: &str) {
        let event = format!(
            "insert into event_log.events (position, tenant_id, stream_type, stream_id, version, event_id,
                event_type, schema_version, data, sealed, subjects, recorded_at)
            values ({position}, '{about}', 'account', '{about}', 1, '{about}', 'account.registered', 1, '{{}}',
                {sealed}, array['{about}'::uuid], now())"
        );
        self.run(true, &event).await;
    }

    async fn is_unrelated(&self) {
        let refused = self.relation().await;
        assert!(matches!(refused, Err(InstallationError::Unrelated { .. })), "{refused:?}");
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
    // A start makes it for an installation that nobody uses.
    let index = "insert into keyring.keys (kind, subject, class, number, created_at, destroyed_at)
        values ('email_index', '00000000-0000-0000-0000-000000000000', 0, 1, now(), now())";
    new.run(false, index).await;
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
    // Of the newest person nothing is known.
    by_person.holds(2, EVE, "'\\x00'").await;

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
    let of_another_event = migrated().await;
    of_another_event.holds_an_event(ADA).await;
    of_another_event.knows_the_newest_event(EVE).await;

    for older in [lost, other, of_another_event] {
        older.is_unrelated().await;
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

#[tokio::test]
async fn a_log_that_holds_nothing_sealed_belongs_to_a_keyring_that_was_never_used() {
    let nobody = migrated().await;
    nobody.holds(1, ADA, "null").await;
    assert_eq!(nobody.relation().await.unwrap(), Relation::Related);

    nobody.run(false, "update keyring.copy set has_log = true").await;
    nobody.is_unrelated().await;
    nobody.run(false, "update keyring.copy set has_log = false").await;
    nobody.knows(EVE).await;
    nobody.is_unrelated().await;
}

/// The newest of what is looked at was added last.
#[tokio::test]
async fn databases_of_older_schemas_are_looked_at() {
    let older = migrated().await;
    older.holds_an_event(ADA).await;
    older.knows(ADA).await;
    for (in_log, missing) in [
        (false, "alter table keyring.copy drop column has_log"),
        (true, "drop table event_log.installation"),
        (false, "drop table keyring.watermark cascade"),
        (false, "drop table keyring.copy cascade"),
    ] {
        older.run(in_log, missing).await;

        assert_eq!(older.relation().await.unwrap(), Relation::Related, "{missing}");
    }
}

#[tokio::test]
async fn a_keyring_does_not_say_that_it_has_a_log_before_the_log_names_it() {
    let new = migrated().await;
    new.run(true, "alter table event_log.installation add check (false)").await;

    let failed = pair(&new.log, &new.keyring).await.unwrap_err();

    assert!(matches!(failed, InstallationError::Log(_)), "{failed}");
    assert_eq!(new.relation().await.unwrap(), Relation::New);
}

/// Two nodes are given the same `database_url`, and two keyrings.
#[tokio::test]
async fn of_two_keyrings_that_are_paired_with_a_log_at_once_one_alone_is() {
    let (one, other) = (migrated().await, migrated().await);
    let mut holder = connected(&one.log).await;
    let held = holder.transaction().await.unwrap();
    let inserts = "lock table event_log.installation in share row exclusive mode";
    held.batch_execute(inserts).await.unwrap();
    let starts = [&one.keyring, &other.keyring].map(|keyring| {
        let (log, keyring) = (one.log.clone(), keyring.clone());
        tokio::spawn(async move { pair(&log, &keyring).await })
    });
    let observer = connected(&one.log).await;
    until("both have looked", async || {
        waiting_for_lock(&observer, "into event_log.installation").await.len() == 2
    })
    .await;

    held.rollback().await.unwrap();

    let mut paired = 0;
    for (start, keyring) in starts.into_iter().zip([&one.keyring, &other.keyring]) {
        let ended = start.await.unwrap();
        let keyring = connected(keyring).await;
        let noted = keyring.query_one("select has_log from keyring.copy", &[]).await.unwrap();
        assert_eq!(noted.get::<_, bool>(0), ended.is_ok(), "{ended:?}");
        paired += u32::from(ended.is_ok());
    }
    assert_eq!(paired, 1);
}

#[tokio::test]
async fn a_look_that_another_start_came_between_is_taken_again() {
    let new = migrated().await;
    let mut holder = connected(&new.log).await;
    let held = holder.transaction().await.unwrap();
    let reads = "lock table event_log.installation in access exclusive mode";
    held.batch_execute(reads).await.unwrap();
    let (log, keyring) = (new.log.clone(), new.keyring.clone());
    let looking = tokio::spawn(async move { relate(&log, &keyring).await });
    until_waits_for_lock(&connected(&new.log).await, "from event_log.installation").await;

    // It has read another id of the keyring.
    let renamed = format!("update keyring.copy set keyring = '{ADA}', has_log = true");
    new.run(false, &renamed).await;
    let named = format!("insert into event_log.installation (id) values ('{ADA}')");
    held.batch_execute(&named).await.unwrap();
    held.commit().await.unwrap();

    assert_eq!(looking.await.unwrap().unwrap(), Relation::Paired);
}

#[tokio::test]
async fn a_log_that_lost_its_table_of_events_does_not_count_as_empty() {
    let new = migrated().await;
    assert!(is_empty(&new.log).await.unwrap());
    assert!(is_empty(&new.log.with_database("never_made")).await.unwrap());

    new.run(true, "drop table event_log.events cascade").await;

    assert!(!is_empty(&new.log).await.unwrap());
}
