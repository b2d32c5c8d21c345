//! What keeps an old root key from being erased, although it wraps no key any more.
//!
//! Copies of the database may still have rows under it: a standby that is behind, which may be
//! promoted, and a base backup. Each condition is read; what could not be read counts as a hold.

use crate::postgres::GenericClient;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Row;

use super::{KeyringError, RootId};

const LIST: &str = include_str!("sql/list_root_holds.sql");

/// Why an old root key is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootHold {
    /// Its time after the last re-wrap is not over.
    Retained {
        /// When it is.
        until: DateTime<Utc>,
    },
    /// The copy of the keyring has the keys under this root only.
    NotCopied,
    /// A standby, or the slot of one, has not flushed the last re-wrap.
    Behind {
        /// `standby NAME` or `slot NAME`.
        name: String,
    },
    /// A standby is connected, and the owner of the schema `keyring` may not see how far it is.
    Unseen {
        /// As in [`RootHold::Behind`].
        name: String,
    },
    /// Nothing holds it for longer than a rotation waits: its escrow or the store refuses it.
    Due {
        /// Since when its time is over.
        since: DateTime<Utc>,
    },
    /// The store does not have it, and did not erase it: it may be somewhere else.
    NotFound,
    /// The store has another key under its number.
    OtherKey,
    /// The store could not be read.
    Unreadable(String),
}

impl RootHold {
    /// Every name that [`RootHold::as_str`] answers.
    pub const NAMES: &'static [&'static str] =
        &["retention", "copy", "standby", "unseen_standby", "due", "store"];

    /// The name of the condition, for a metric.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Retained { .. } => "retention",
            Self::NotCopied => "copy",
            Self::Behind { .. } => "standby",
            Self::Unseen { .. } => "unseen_standby",
            Self::Due { .. } => "due",
            Self::NotFound | Self::OtherKey | Self::Unreadable(_) => "store",
        }
    }
}

impl std::fmt::Display for RootHold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Retained { until } => {
                write!(f, "it is kept until {}", until.format("%Y-%m-%d %H:%M:%S UTC"))
            }
            Self::NotCopied => f.write_str(
                "the copy of the keyring has not yet the keys under the new root: `lethe doctor` \
                 says why",
            ),
            Self::Behind { name } => write!(
                f,
                "{name} has not flushed the keys under the new root: let it catch up, or drop it"
            ),
            Self::Unseen { name } => write!(
                f,
                "how far {name} is cannot be seen: grant pg_read_all_stats to the owner of the \
                 schema keyring"
            ),
            Self::Due { since } => write!(
                f,
                "its time is over since {}, and its escrow or the store refuses it: `lethe keys rotate` \
                 says why",
                since.format("%Y-%m-%d %H:%M:%S UTC")
            ),
            Self::NotFound => f.write_str(
                "its key is not in the store, and was not erased there: if another store has it, \
                 put it back, so that it can be erased; if it is lost for good, run `lethe keys lost` \
                 with its number",
            ),
            Self::OtherKey => f.write_str(
                "the store has another key under its number: put the right one back, so that it \
                 can be erased",
            ),
            Self::Unreadable(reason) => write!(f, "the store cannot be read: {reason}"),
        }
    }
}

/// An old root key that wraps no key any more, and what it waits for. Nothing: the next rotation
/// erases it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRoot {
    /// Its number.
    pub id: RootId,
    /// What it waits for.
    pub holds: Vec<RootHold>,
    /// Since when its time is over, if that is longer than a rotation waits.
    overdue: Option<DateTime<Utc>>,
}

impl HeldRoot {
    /// Names what nothing holds, and is not done all the same.
    pub(super) fn note_overdue(&mut self) {
        if let (true, Some(since)) = (self.holds.is_empty(), self.overdue) {
            self.holds.push(RootHold::Due { since });
        }
    }
}

/// For what an old root waits in this installation.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoldRules {
    /// How long it is kept after the last re-wrap, by the database's clock.
    pub retention: TimeDelta,
    /// Whether the copy of the keyring must hold what replaces it.
    pub needs_copy: bool,
}

/// What the database says of the roots that wrap no key any more.
pub(super) async fn list(
    client: &impl GenericClient,
    rules: HoldRules,
) -> Result<Vec<HeldRoot>, KeyringError> {
    let mut held: Vec<HeldRoot> = Vec::new();
    let list = client.prepare_cached(LIST).await?;
    for row in &client.query(&list, &[&rules.retention.as_seconds_f64()]).await? {
        let id = RootId(row.try_get("root_id")?);
        if held.last().is_none_or(|last| last.id != id) {
            let is_copied: bool = row.try_get("copied")?;
            let uncopied = (rules.needs_copy && !is_copied).then_some(RootHold::NotCopied);
            let holds = retained(row)?.into_iter().chain(uncopied).collect();
            let is_overdue: bool = row.try_get("is_overdue")?;
            let until = row.try_get("until")?;
            held.push(HeldRoot { id, holds, overdue: is_overdue.then_some(until) });
        }
        // A further condition that the database, or a copy of the keyring elsewhere, must meet
        // before a root is erased joins here: an empty list is what lets `RootEraser` go on.
        if let (Some(last), Some(hold)) = (held.last_mut(), standby(row)?) {
            last.holds.push(hold);
        }
    }
    Ok(held)
}

fn retained(row: &Row) -> Result<Option<RootHold>, KeyringError> {
    let is_retained: bool = row.try_get("is_retained")?;
    let until = row.try_get("until")?;
    Ok(is_retained.then_some(RootHold::Retained { until }))
}

fn standby(row: &Row) -> Result<Option<RootHold>, KeyringError> {
    let Some(name) = row.try_get::<_, Option<String>>("name")? else { return Ok(None) };
    let visible: bool = row.try_get("visible")?;
    Ok(Some(if visible { RootHold::Behind { name } } else { RootHold::Unseen { name } }))
}
