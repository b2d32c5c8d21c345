//! Root rotation: one step a transaction, so that it resumes at any step and two nodes may share it.

use chrono::{DateTime, TimeDelta, Utc};
use deadpool_postgres::{GenericClient, Transaction};
use uuid::Uuid;

use super::key::{KeyId, Kind};
use super::roots::{Root, RootState, in_state, read_roots};
use super::{Inner, Keyring, KeyringError, RootId, Secret, crypto, escrow};

/// Rows of one re-wrapping transaction: a long one would hold back vacuum.
const BATCH: i64 = 500;

/// A finished rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub current: RootId,
    /// Keys that this node wrapped anew; another node may have helped.
    pub rewrapped: u64,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Begun,
    Durable,
    Switched,
    Rewrapped(u64),
    Escrowed,
    Destroyed,
    /// There was nothing to do.
    Idle,
}

impl Keyring {
    /// Finishes the rotation that is under way, or makes a whole one: a new root durable, the
    /// current one switched, live keys re-wrapped, the old one escrowed and destroyed.
    pub async fn rotate_root(&self) -> Result<Rotation, KeyringError> {
        self.rotate(DateTime::<Utc>::MAX_UTC).await.map(|(rotation, _)| rotation)
    }

    /// The same, when one is under way or the current root is at least as old as `every`.
    pub async fn rotate_root_when_due(
        &self,
        every: TimeDelta,
    ) -> Result<Option<Rotation>, KeyringError> {
        let (rotation, steps) = self.rotate(self.inner.clock.now() - every).await?;
        Ok((steps > 0).then_some(rotation))
    }

    async fn rotate(&self, older_than: DateTime<Utc>) -> Result<(Rotation, u64), KeyringError> {
        let (mut rewrapped, mut steps) = (0, 0);
        let mut begin = Some(older_than);
        loop {
            match self.inner.rotation_step(begin.take()).await? {
                Stage::Idle => break,
                Stage::Rewrapped(rows) => rewrapped += rows,
                Stage::Begun
                | Stage::Durable
                | Stage::Switched
                | Stage::Escrowed
                | Stage::Destroyed => {}
            }
            steps += 1;
        }
        self.inner.read_current_root().await?;
        Ok((Rotation { current: self.inner.current_root(), rewrapped }, steps))
    }
}

impl Inner {
    /// Takes the next step of the rotation that is under way. Begins one when there is no current
    /// root, or when it became current at `begin` or before.
    pub(super) async fn rotation_step(
        &self,
        begin: Option<DateTime<Utc>>,
    ) -> Result<Stage, KeyringError> {
        let mut client = self.pool.get().await?;
        let step = client.transaction().await?;
        step.execute(include_str!("sql/lock_roots.sql"), &[]).await?;
        let roots = read_roots(&step).await?;
        let current = in_state(&roots, RootState::Current);
        if let Some(old) = in_state(&roots, RootState::Retiring) {
            return match current {
                Some(current) if old.wraps => self.rewrap(step, old, current).await,
                _ => self.put_away(step, old).await,
            };
        }
        if let Some(new) = in_state(&roots, RootState::New) {
            return self.mint(step, new).await;
        }
        let due = current.is_none_or(|current| {
            begin.is_some_and(|begin| current.current_at.is_none_or(|since| since <= begin))
        });
        if !due {
            return Ok(Stage::Idle);
        }
        step.execute(include_str!("sql/begin_root.sql"), &[&self.clock.now()]).await?;
        step.commit().await?;
        Ok(Stage::Begun)
    }

    /// Makes the new root durable; once it is, makes it the current one.
    async fn mint(&self, step: Transaction<'_>, new: &Root) -> Result<Stage, KeyringError> {
        let written = self.roots.read(new.id).await?.filter(|key| new.is(key));
        if written.is_none() {
            let key = Secret::random()?;
            self.roots.write(new.id, &key).await?;
            let fingerprint = crypto::fingerprint(&key);
            let named = include_str!("sql/name_root.sql");
            step.execute(named, &[&new.id.0, &fingerprint.as_slice()]).await?;
            step.commit().await?;
            return Ok(Stage::Durable);
        }
        let now = self.clock.now();
        step.execute(include_str!("sql/retire_root.sql"), &[&now]).await?;
        step.execute(include_str!("sql/promote_root.sql"), &[&new.id.0, &now]).await?;
        step.commit().await?;
        self.set_current_root(new.id);
        tracing::info!(root = %new.id, "a new root key is current");
        Ok(Stage::Switched)
    }

    async fn rewrap(
        &self,
        step: Transaction<'_>,
        old: &Root,
        current: &Root,
    ) -> Result<Stage, KeyringError> {
        let from = self.root(old.id).await?.ok_or(KeyringError::RootMissing(old.id))?;
        let to = self.root(current.id).await?.ok_or(KeyringError::RootMissing(current.id))?;
        let rows = step.query(include_str!("sql/lock_batch.sql"), &[&old.id.0, &BATCH]).await?;
        let mut keys = Vec::with_capacity(rows.len());
        let mut wrapped = Vec::with_capacity(rows.len());
        for row in &rows {
            let kind: &str = row.try_get("kind")?;
            let key = KeyId {
                kind: Kind::named(kind).ok_or(KeyringError::Damaged)?,
                subject: row.try_get("subject")?,
                class: row.try_get("class")?,
                number: row.try_get("number")?,
            };
            let identity = key.identity();
            let secret = crypto::unwrap(&from, &identity, row.try_get("wrapped")?)?;
            wrapped.push(crypto::wrap(&to, &identity, &secret)?);
            keys.push(key);
        }
        let columns = Columns::of(&keys);
        let rewrap = include_str!("sql/rewrap_batch.sql");
        let rewrapped = step
            .execute(
                rewrap,
                &[
                    &columns.kinds,
                    &columns.subjects,
                    &columns.classes,
                    &columns.numbers,
                    &wrapped,
                    &current.id.0,
                ],
            )
            .await?;
        step.commit().await?;
        Ok(Stage::Rewrapped(rewrapped))
    }

    /// Escrows a root that wraps nothing any more, then destroys it.
    async fn put_away(&self, step: Transaction<'_>, old: &Root) -> Result<Stage, KeyringError> {
        let now = self.clock.now();
        if let Some(options) = self.options.escrow.as_ref().filter(|_| !old.escrowed) {
            let key = self.roots.read(old.id).await?.ok_or(KeyringError::RootMissing(old.id))?;
            escrow::put(options, old.id, &key).await?;
            let until = now + options.keep;
            step.execute(include_str!("sql/escrow_root.sql"), &[&old.id.0, &until]).await?;
            step.commit().await?;
            return Ok(Stage::Escrowed);
        }
        self.roots.destroy(old.id).await?;
        step.execute(include_str!("sql/destroy_root.sql"), &[&old.id.0, &now]).await?;
        drop_keys(&step, &[KeyId::named(Kind::Root, old.id.0)], now).await?;
        step.commit().await?;
        self.known_roots().remove(&old.id);
        tracing::info!(root = %old.id, "an old root key is destroyed");
        Ok(Stage::Destroyed)
    }
}

/// Puts keys on the list that every node reads. Call it last: its lock is held until the commit.
pub(super) async fn drop_keys(
    client: &impl GenericClient,
    keys: &[KeyId],
    now: DateTime<Utc>,
) -> Result<(), KeyringError> {
    if keys.is_empty() {
        return Ok(());
    }
    let columns = Columns::of(keys);
    let drop = include_str!("sql/drop_keys.sql");
    client
        .execute(
            drop,
            &[&columns.kinds, &columns.subjects, &columns.classes, &columns.numbers, &now],
        )
        .await?;
    Ok(())
}

/// Keys as the arrays of a statement.
pub(super) struct Columns {
    pub kinds: Vec<&'static str>,
    pub subjects: Vec<Uuid>,
    pub classes: Vec<i16>,
    pub numbers: Vec<i64>,
}

impl Columns {
    pub fn of(keys: &[KeyId]) -> Self {
        Self {
            kinds: keys.iter().map(|key| key.kind.name()).collect(),
            subjects: keys.iter().map(|key| key.subject).collect(),
            classes: keys.iter().map(|key| key.class).collect(),
            numbers: keys.iter().map(|key| key.number).collect(),
        }
    }
}
