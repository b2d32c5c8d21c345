//! Forgetting a person: the keys' rows stay as tombstones, so that no key ever comes back.

use domain::SubjectId;
use domain::privacy::Class;
use tokio_postgres::Row;

use super::key::{KeyId, Kind};
use super::rotation::drop_keys;
use super::{Inner, Keyring, KeyringError, RootId};

/// What an erasure destroyed, also when it is asked for again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    pub classes: Vec<Class>,
    pub keys: i64,
    /// The youngest root key that ever wrapped them; none when there were no keys.
    pub root: Option<RootId>,
}

impl Keyring {
    /// Destroys the subject's keys of every class that dies with the person, and lets none be made
    /// again. Other nodes stop using them within [`Keyring::lease`], this one now.
    pub async fn forget(&self, subject: SubjectId) -> Result<Forgotten, KeyringError> {
        let dying = Class::ALL.into_iter().filter(|class| class.dies_with_person());
        let classes: Vec<Class> = dying.collect();
        let numbers: Vec<i16> = classes.iter().map(|class| class.number()).collect();
        let now = self.inner.clock.now();
        let mut client = self.inner.pool.get().await?;
        let erasure = client.transaction().await?;
        // Whoever makes a key of a class takes its first generation's row: first come, first served.
        let bury = include_str!("sql/bury_subject.sql");
        let first = erasure.query(bury, &[&subject.0, &numbers, &now]).await?;
        let bury = include_str!("sql/bury_generations.sql");
        let later = erasure.query(bury, &[&subject.0, &numbers, &now]).await?;
        let buried = first.iter().chain(&later).map(|row| key(subject, row));
        let buried = buried.collect::<Result<Vec<_>, _>>()?;
        let sum = include_str!("sql/sum_up_subject.sql");
        let sum = erasure.query_one(sum, &[&subject.0, &numbers]).await?;
        drop_keys(&erasure, &buried, now).await?;
        erasure.commit().await?;
        drop(client);
        self.inner.drop_here(&buried).await;
        let root: Option<i64> = sum.try_get("root")?;
        Ok(Forgotten { classes, keys: sum.try_get("keys")?, root: root.map(RootId) })
    }
}

fn key(subject: SubjectId, row: &Row) -> Result<KeyId, KeyringError> {
    let (class, number) = (row.try_get("class")?, row.try_get("number")?);
    Ok(KeyId { kind: Kind::Subject, subject: subject.0, class, number })
}

impl Inner {
    /// Stops using keys that this node has just destroyed.
    pub(super) async fn drop_here(&self, keys: &[KeyId]) {
        if keys.is_empty() {
            return;
        }
        self.cache.drop_now(keys);
        // What was read before the commit and arrives after it must not be kept. Without the
        // renewal the lease ends by itself.
        if let Err(error) = self.renew().await {
            tracing::warn!(%error, "the keyring's lease is not renewed after a destruction");
        }
    }
}
