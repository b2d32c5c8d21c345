//! A projection whose type is known only at run time.

use std::marker::PhantomData;

use super::fold::{FoldedRows, StreamRows};
use super::rows::{Rows, TypedRows};
use super::{Projection, Reads};

/// A projection whose type is known only at run time.
pub(super) trait AnyProjection: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> i16;
    fn event_types(&self) -> &'static [&'static str];
    fn append_only(&self) -> bool;
    fn takes_unknown(&self) -> bool;
    fn looks_at(&self) -> Reads;
    fn table_sql(&self) -> &'static str;
    fn indexes_sql(&self) -> &'static str;
    fn rows(&self, table: &str) -> Box<dyn Rows>;
    /// Rows that come from events alone, and from no table.
    fn folded(&self) -> Box<dyn FoldedRows>;

    /// What statements name, with its schema. It is read only: rows are written into the table of a generation.
    fn view(&self) -> String {
        format!("read_models.{}", view_name(self.name(), self.version()))
    }
}

/// The first version has the bare name; each later version has a view of its own.
pub(super) fn view_name(name: &str, version: i16) -> String {
    if version == 1 { name.to_owned() } else { format!("{name}_v{version}") }
}

/// The projection `P`, its type erased.
pub(super) struct ErasedProjection<P>(pub PhantomData<P>);

impl<P: Projection> AnyProjection for ErasedProjection<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn version(&self) -> i16 {
        P::VERSION
    }

    fn event_types(&self) -> &'static [&'static str] {
        P::EVENT_TYPES
    }

    fn append_only(&self) -> bool {
        P::APPEND_ONLY
    }

    fn takes_unknown(&self) -> bool {
        P::TAKES_UNKNOWN
    }

    fn looks_at(&self) -> Reads {
        P::READS
    }

    fn table_sql(&self) -> &'static str {
        P::TABLE
    }

    fn indexes_sql(&self) -> &'static str {
        P::INDEXES
    }

    fn rows(&self, table: &str) -> Box<dyn Rows> {
        Box::new(TypedRows::<P>::new(table))
    }

    fn folded(&self) -> Box<dyn FoldedRows> {
        Box::new(StreamRows::<P>::new())
    }
}
