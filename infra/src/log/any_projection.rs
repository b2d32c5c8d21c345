//! A projection whose type is known only at run time.

use std::marker::PhantomData;

use super::Projection;
use super::rows::{Rows, TypedRows};

/// A projection whose type is known only at run time.
pub(super) trait AnyProjection: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> i16;
    fn event_types(&self) -> &'static [&'static str];
    fn takes_unknown(&self) -> bool;
    fn table_sql(&self) -> &'static str;
    fn indexes_sql(&self) -> &'static str;
    fn rows(&self, table: &str) -> Box<dyn Rows>;

    /// The first version has the bare name; later versions are tables of their own.
    fn table(&self) -> String {
        match self.version() {
            1 => format!("read_models.{}", self.name()),
            version => format!("read_models.{}_v{version}", self.name()),
        }
    }
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

    fn takes_unknown(&self) -> bool {
        P::TAKES_UNKNOWN
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
}
