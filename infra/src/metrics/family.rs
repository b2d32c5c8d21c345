//! How a metric is declared: its doc comment is its help text.

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts,
};

/// Buckets for work inside a node: from 0.1 ms.
pub const SHORT_SECONDS: &[f64] =
    &[0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Buckets for what a client waits for: from 1 ms.
pub const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
pub const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

pub struct Shape {
    pub name: &'static str,
    pub help: &'static str,
    pub labels: &'static [&'static str],
    pub buckets: &'static [f64],
}

impl Shape {
    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help.trim())
    }

    fn histogram(&self) -> HistogramOpts {
        HistogramOpts::from(self.opts()).buckets(self.buckets.to_vec())
    }
}

pub trait Family: Collector + Clone + Sized + 'static {
    fn shaped(shape: &Shape) -> Result<Self, Error>;
}

macro_rules! shaped {
    ($($family:ty: |$shape:ident| $made:expr;)+) => {$(
        impl Family for $family {
            fn shaped($shape: &Shape) -> Result<Self, Error> {
                $made
            }
        }
    )+};
}

shaped! {
    IntCounter: |shape| Self::with_opts(shape.opts());
    IntGauge: |shape| Self::with_opts(shape.opts());
    Gauge: |shape| Self::with_opts(shape.opts());
    Histogram: |shape| Self::with_opts(shape.histogram());
    IntCounterVec: |shape| Self::new(shape.opts(), shape.labels);
    IntGaugeVec: |shape| Self::new(shape.opts(), shape.labels);
    GaugeVec: |shape| Self::new(shape.opts(), shape.labels);
    HistogramVec: |shape| Self::new(shape.histogram(), shape.labels);
}

macro_rules! families {
    ($(#[doc = $help:literal] $field:ident: $family:ty = $name:literal [$($label:literal),*] $($buckets:ident)?,)+) => {
        /// One handle for each metric. Clones share their values.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub $field: $family,)+
        }

        impl Metrics {
            fn register(registry: Registry) -> Result<Self, MetricsError> {
                $(
                    let $field = <$family>::shaped(&Shape {
                        name: $name,
                        help: $help,
                        labels: &[$($label),*],
                        buckets: families!(@ $($buckets)?),
                    })?;
                    registry.register(Box::new($field.clone()))?;
                )+
                Ok(Self { registry, $($field,)+ })
            }
        }
    };
    (@ $buckets:ident) => { $buckets };
    (@) => { &[] };
}
pub(super) use families;
