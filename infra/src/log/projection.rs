//! A projection: a pure fold over keyed rows.

use std::hash::Hash;

use domain::DecodeError;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::Recorded;
use super::value::Value;

/// Why an event cannot be read. It parks the event's stream for the reader that met it.
/// Its words are shown to operators: never a value of the event.
#[derive(Debug, thiserror::Error)]
pub enum Poison {
    /// The event has no shape that this version of Lethe reads.
    #[error(transparent)]
    Undecodable(#[from] DecodeError),
    /// The event can be read, and does not fit the row. In plain words, without a value of the
    /// event.
    #[error("{0}")]
    Unfit(String),
}

impl Poison {
    /// The event needs a row that does not exist.
    pub fn no_row() -> Self {
        Self::Unfit("there is no row to change".to_owned())
    }
}

/// What a projection keeps of one key: a struct whose fields are the columns of its table, written
/// with [`row!`](crate::row). The first column is the key.
pub trait Row: Send + Sync + Sized + 'static {
    /// Names and types of the columns, in their order in the table.
    fn columns() -> Vec<(&'static str, Type)>;
    /// # Errors
    /// A table with other columns.
    fn read(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error>;
    /// What each column holds, in the same order.
    fn values(&self) -> Vec<&(dyn ToSql + Sync)>;
    /// Where the last event that was folded into the row stands.
    fn position(&self) -> i64;
    /// The reader calls it after each fold.
    fn set_position(&mut self, position: i64);
}

/// Writes a struct of [`Value`](crate::log::Value)s as a [`Row`](crate::log::Row). It has a field
/// `position: i64`, which the reader keeps.
#[macro_export]
macro_rules! row {
    ($(#[$doc:meta])* pub struct $name:ident {
        $($(#[$of:meta])* pub $column:ident: $value:ty),+ $(,)?
    }) => {
        $(#[$doc])*
        pub struct $name {
            $($(#[$of])* pub $column: $value),+
        }

        impl $crate::log::Row for $name {
            fn columns() -> Vec<(&'static str, $crate::log::Type)> {
                vec![$((stringify!($column), <$value as $crate::log::Value>::TYPE)),+]
            }

            fn read(row: &$crate::log::SqlRow) -> Result<Self, $crate::log::SqlError> {
                let mut at = 0..;
                Ok(Self {
                    $($column: $crate::log::Value::read(row, at.next().unwrap_or_default())?),+
                })
            }

            fn values(&self) -> Vec<&(dyn $crate::log::ToSql + Sync)> {
                vec![$($crate::log::Value::sql(&self.$column)),+]
            }

            fn position(&self) -> i64 {
                self.position
            }

            fn set_position(&mut self, position: i64) {
                self.position = position;
            }
        }
    };
}

/// Where the events of a row stand: all of them in one stream, or one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The events of a stream.
    Stream(Uuid),
    /// The event at a position.
    Position(i64),
}

/// What a fold looks at, besides an event's place, type, tenant and time, which are always read. A column that is not
/// read is neither written by the server nor sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a column that is read or is not")]
pub struct Reads {
    /// What the event says.
    pub data: bool,
    /// Its sealed fields.
    pub sealed: bool,
    /// Who caused it.
    pub actor: bool,
    /// Its session, request, correlation, causation and subjects.
    pub causes: bool,
}

impl Reads {
    /// All there is.
    pub const ALL: Self = Self { data: true, sealed: true, actor: true, causes: true };
    /// What the event says, open and sealed, and not who or what caused it.
    pub const CONTENT: Self = Self { actor: false, causes: false, ..Self::ALL };
}

/// A read model. It sees sealed bytes only, and needs no keys.
pub trait Projection: Send + Sync + 'static {
    /// Folder, table, checkpoint and metric label.
    const NAME: &'static str;
    /// Raise it when the fold or the table changes: the new table is built next to the old.
    const VERSION: i16;
    /// None is all of them.
    const EVENT_TYPES: &'static [&'static str];
    /// `create table {table}`, with its primary key.
    const TABLE: &'static str;
    /// `create index on {table}`, made after a replay has written the rows.
    const INDEXES: &'static str;
    /// A row for each event, which never changes: none is kept in memory once it is written.
    const APPEND_ONLY: bool = false;
    /// Its fold decodes no event, so that it also takes those that this programme does not know.
    const TAKES_UNKNOWN: bool = false;
    /// What its fold looks at. A replay reads the rest as absent.
    const READS: Reads = Reads::ALL;
    /// What a row is about. All events of one key come from one stream.
    type Key: Value + Copy + Eq + Hash;
    /// What is kept for each key.
    type Row: Row;

    /// The row that an event belongs to.
    fn key(event: &Recorded) -> Self::Key;

    /// What made the row: no other event changes it.
    fn origin(row: &Self::Row) -> Origin;

    /// Whether the key has no row before this event, for certain: a replay then looks for none.
    fn begins(_: &Recorded) -> bool {
        Self::APPEND_ONLY
    }

    /// Changes the row, or leaves it just as it was and says why.
    ///
    /// # Errors
    /// An event that this code cannot read, or that does not fit the row.
    fn fold(row: &mut Option<Self::Row>, event: &Recorded) -> Result<(), Poison>;
}
