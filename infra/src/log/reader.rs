//! A reader: a projection writes rows, a worker acts.

use std::marker::PhantomData;
use std::sync::Arc;

use super::projection::{AnyProjection, Of};
use super::{Projection, Recorded, Worker};

/// Follows the log with a checkpoint.
#[derive(Clone)]
pub struct Reader(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Projection(Arc<dyn AnyProjection>),
    Worker(Arc<dyn Worker>),
}

impl Reader {
    pub fn projection<P: Projection>() -> Self {
        Self(Kind::Projection(Arc::new(Of::<P>(PhantomData))))
    }

    pub fn worker(worker: impl Worker) -> Self {
        Self(Kind::Worker(Arc::new(worker)))
    }

    pub fn name(&self) -> &'static str {
        match &self.0 {
            Kind::Projection(projection) => projection.name(),
            Kind::Worker(worker) => worker.name(),
        }
    }

    /// A worker has one version: its reactions are not repeated.
    pub fn version(&self) -> i16 {
        match &self.0 {
            Kind::Projection(projection) => projection.version(),
            Kind::Worker(_) => 1,
        }
    }

    pub const fn kind(&self) -> &'static str {
        match self.0 {
            Kind::Projection(_) => "projection",
            Kind::Worker(_) => "duty",
        }
    }

    pub(super) fn event_types(&self) -> &'static [&'static str] {
        match &self.0 {
            Kind::Projection(projection) => projection.event_types(),
            Kind::Worker(worker) => worker.event_types(),
        }
    }

    pub(super) fn reads(&self, event: &Recorded) -> bool {
        let types = self.event_types();
        types.is_empty() || types.contains(&event.event_type())
    }
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind(), self.name(), self.version())
    }
}
