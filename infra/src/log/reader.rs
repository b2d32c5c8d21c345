//! A reader: a projection writes rows, a duty acts.

use std::marker::PhantomData;
use std::sync::Arc;

use super::projection::{AnyProjection, Of};
use super::{Duty, Projection, Recorded};

/// Follows the log with a checkpoint.
#[derive(Clone)]
pub struct Reader(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Projection(Arc<dyn AnyProjection>),
    Duty(Arc<dyn Duty>),
}

impl Reader {
    pub fn projection<P: Projection>() -> Self {
        Self(Kind::Projection(Arc::new(Of::<P>(PhantomData))))
    }

    pub fn duty(duty: impl Duty) -> Self {
        Self(Kind::Duty(Arc::new(duty)))
    }

    pub fn name(&self) -> &'static str {
        match &self.0 {
            Kind::Projection(projection) => projection.name(),
            Kind::Duty(duty) => duty.name(),
        }
    }

    /// A duty has one version: its reactions are not repeated.
    pub fn version(&self) -> i16 {
        match &self.0 {
            Kind::Projection(projection) => projection.version(),
            Kind::Duty(_) => 1,
        }
    }

    pub const fn kind(&self) -> &'static str {
        match self.0 {
            Kind::Projection(_) => "projection",
            Kind::Duty(_) => "duty",
        }
    }

    pub(super) fn event_types(&self) -> &'static [&'static str] {
        match &self.0 {
            Kind::Projection(projection) => projection.event_types(),
            Kind::Duty(duty) => duty.event_types(),
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
