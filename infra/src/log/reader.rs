//! A reader: a projection writes rows, a worker acts.

use std::marker::PhantomData;
use std::sync::Arc;

use super::any_projection::{AnyProjection, ErasedProjection};
use super::{Projection, Reads, Recorded, Worker};

/// Follows the log with a checkpoint.
#[derive(Clone)]
pub struct Reader(pub(super) ReaderKind);

#[derive(Clone)]
pub(super) enum ReaderKind {
    Projection(Arc<dyn AnyProjection>),
    Worker(Arc<dyn Worker>),
}

impl Reader {
    /// A reader that writes the rows of `P`.
    pub fn projection<P: Projection>() -> Self {
        Self(ReaderKind::Projection(Arc::new(ErasedProjection::<P>(PhantomData))))
    }

    /// A reader that acts on each event once.
    pub fn worker(worker: impl Worker) -> Self {
        Self(ReaderKind::Worker(Arc::new(worker)))
    }

    /// Its name in checkpoints, metrics and commands.
    pub fn name(&self) -> &'static str {
        match &self.0 {
            ReaderKind::Projection(projection) => projection.name(),
            ReaderKind::Worker(worker) => worker.name(),
        }
    }

    /// A worker has one version: its reactions are not repeated.
    pub fn version(&self) -> i16 {
        match &self.0 {
            ReaderKind::Projection(projection) => projection.version(),
            ReaderKind::Worker(_) => 1,
        }
    }

    /// The view that shows the rows of a projection, with its schema. A worker has none.
    pub fn view(&self) -> Option<String> {
        match &self.0 {
            ReaderKind::Projection(projection) => Some(projection.view()),
            ReaderKind::Worker(_) => None,
        }
    }

    /// `projection` or `worker`.
    pub const fn kind(&self) -> &'static str {
        match self.0 {
            ReaderKind::Projection(_) => "projection",
            ReaderKind::Worker(_) => "worker",
        }
    }

    pub(super) fn event_types(&self) -> &'static [&'static str] {
        match &self.0 {
            ReaderKind::Projection(projection) => projection.event_types(),
            ReaderKind::Worker(worker) => worker.event_types(),
        }
    }

    pub(super) fn takes_unknown(&self) -> bool {
        match &self.0 {
            ReaderKind::Projection(projection) => projection.takes_unknown(),
            ReaderKind::Worker(_) => false,
        }
    }

    pub(super) fn looks_at(&self) -> Reads {
        match &self.0 {
            ReaderKind::Projection(projection) => projection.looks_at(),
            ReaderKind::Worker(_) => Reads::ALL,
        }
    }

    pub(super) fn reads(&self, event: &Recorded) -> bool {
        self.reads_type(event.event_type())
    }

    pub(super) fn reads_type(&self, event_type: &str) -> bool {
        let types = self.event_types();
        types.is_empty() || types.contains(&event_type)
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind(), self.name(), self.version())
    }
}
