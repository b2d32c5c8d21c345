//! Samples: written for many servers at once, read as series.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use domain::ServerId;
use tokio_postgres::Row;

use super::Monitors;
use crate::postgres::PgError;
use crate::statement::{execute, query};

const INSERT: &str = include_str!("insert_samples.sql");
const CREATE_DAYS: &str = "select working.create_sample_partitions($1, $2)";
const DELETE_DAYS: &str = "select working.drop_sample_partitions($1)";
const AGGREGATE: &str = include_str!("aggregate.sql");

/// Days whose partitions are created ahead: one in case a node is late, one in case its clock is.
const DAYS_AHEAD: i32 = 3;

/// One measurement of a server. What it did not show is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Busy share of all cores since the previous sample, 0 to 1; `None` for the first sample of a
    /// connection.
    pub cpu_share: Option<f64>,
    /// Bytes, here and below.
    pub memory_used: Option<i64>,
    /// In all.
    pub memory_total: Option<i64>,
    /// Of the file system of `/`.
    pub disk_used: Option<i64>,
    /// Of the same, in all.
    pub disk_total: Option<i64>,
    /// Load average of the last minute.
    pub load: Option<f64>,
    /// Since the server was started.
    pub uptime_seconds: Option<i64>,
}

/// A sample, and the fence under which it was taken.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the fields say what they hold")]
pub struct Measured {
    pub server: ServerId,
    pub fence: i64,
    pub taken_at: DateTime<Utc>,
    pub sample: Sample,
}

/// A time range, `to` excluded, and the length of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the sentence above says what they are")]
pub struct Span {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub step: TimeDelta,
}

/// Average and maximum within one step.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the sentence above says what they are")]
pub struct Series {
    pub average: f64,
    pub highest: f64,
}

/// One step of a series that has samples. A metric that none of them has is missing.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "the fields are those of `Sample`")]
pub struct Point {
    /// The number of the step, from 0.
    pub step: i64,
    /// How many samples the step has.
    pub samples: i64,
    pub cpu_share: Option<Series>,
    pub memory_used: Option<Series>,
    /// The highest of the step.
    pub memory_total: Option<i64>,
    pub disk_used: Option<Series>,
    /// The highest of the step.
    pub disk_total: Option<i64>,
    pub load: Option<Series>,
    /// The highest of the step.
    pub uptime_seconds: Option<i64>,
}

impl Monitors {
    /// Writes the samples whose fence is still valid; returns how many.
    pub async fn write(&self, measured: &[Measured]) -> Result<u64, PgError> {
        if measured.is_empty() {
            return Ok(0);
        }
        macro_rules! column {
            ($one:ident => $value:expr) => {
                measured.iter().map(|$one| $value).collect::<Vec<_>>()
            };
        }
        let (servers, fences) = (column!(one => one.server.0), column!(one => one.fence));
        let (at, cpu) = (column!(one => one.taken_at), column!(one => one.sample.cpu_share));
        let memory_used = column!(one => one.sample.memory_used);
        let memory_total = column!(one => one.sample.memory_total);
        let disk_used = column!(one => one.sample.disk_used);
        let disk_total = column!(one => one.sample.disk_total);
        let (load, up) =
            (column!(one => one.sample.load), column!(one => one.sample.uptime_seconds));
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] = [
            &servers,
            &fences,
            &at,
            &cpu,
            &memory_used,
            &memory_total,
            &disk_used,
            &disk_total,
            &load,
            &up,
        ];
        execute(&self.pool, INSERT, &values).await
    }

    /// Creates the tables of the next days, from yesterday's on.
    pub async fn create_days(&self) -> Result<(), PgError> {
        let first = self.today().checked_sub_days(Days::new(1)).unwrap_or(self.today());
        query(&self.pool, CREATE_DAYS, &[&first, &DAYS_AHEAD]).await.map(drop)
    }

    /// Drops the tables of days that ended more than `days` days ago; returns how many.
    pub async fn delete_days(&self, days: u32) -> Result<i32, PgError> {
        let first = self.today().checked_sub_days(Days::new(days.into())).unwrap_or_default();
        let rows = query(&self.pool, DELETE_DAYS, &[&first]).await?;
        Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// The steps that have samples, in order.
    pub async fn series(&self, server: ServerId, span: Span) -> Result<Vec<Point>, PgError> {
        let seconds = span.step.num_seconds().max(1);
        let step = i32::try_from(seconds).unwrap_or(i32::MAX);
        let rows = query(&self.pool, AGGREGATE, &[&server.0, &span.from, &span.to, &step]).await?;
        rows.iter().map(point).collect()
    }

    pub(super) fn today(&self) -> NaiveDate {
        self.clock.now().date_naive()
    }
}

fn point(row: &Row) -> Result<Point, PgError> {
    let series = |of: &str| {
        let (average, highest) = (format!("{of}_avg"), format!("{of}_max"));
        let (average, highest) =
            (row.try_get::<_, Option<f64>>(&*average)?, row.try_get::<_, Option<f64>>(&*highest)?);
        Ok::<_, PgError>(average.zip(highest).map(|(average, highest)| Series { average, highest }))
    };
    Ok(Point {
        step: row.try_get("step")?,
        samples: row.try_get("samples")?,
        cpu_share: series("cpu")?,
        memory_used: series("memory")?,
        memory_total: row.try_get("memory_total")?,
        disk_used: series("disk")?,
        disk_total: row.try_get("disk_total")?,
        load: series("load")?,
        uptime_seconds: row.try_get("uptime_seconds")?,
    })
}
