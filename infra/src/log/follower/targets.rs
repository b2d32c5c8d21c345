//! What a reader writes: the table of the live generation, and those of the generations that are joined or kept. Each
//! passes over the streams that are parked for it.

use std::collections::HashSet;

use uuid::Uuid;

use crate::log::generation::{self, Target};
use crate::log::parked::{self, ParkedRow};
use crate::log::reader::ReaderKind;
use crate::log::work::Stop;
use crate::log::{Reader, Recorded};
use crate::postgres::GenericClient;

const NONE_IS_LIVE: &str = "no generation of it is live";

/// A table that the reader writes. A worker has one without a name: it acts.
#[derive(Default)]
pub(super) struct Followed {
    /// 0: of a worker.
    pub generation: i32,
    /// With its schema.
    pub table: String,
    /// The streams that it passes over.
    pub parked: HashSet<Uuid>,
    /// Why it was not written, each time since it was.
    pub failures: Vec<String>,
}

impl Followed {
    fn of(target: Target, rows: &[ParkedRow]) -> Self {
        let Target { generation, table, is_live: _ } = target;
        let rows = rows.iter().filter(|row| row.generation == generation);
        let parked = rows.map(|row| row.stream).collect();
        Self { generation, table, parked, failures: Vec::new() }
    }

    fn wants(&self, reader: &Reader, event: &Recorded) -> bool {
        reader.reads(event) && !self.parked.contains(&event.stream_id())
    }

    pub fn wanted<'e>(&self, reader: &Reader, events: &'e [Recorded]) -> Vec<&'e Recorded> {
        events.iter().filter(|event| self.wants(reader, event)).collect()
    }
}

/// The tables that a reader writes, for as long as the fence is its own: whoever changes which these are raises it.
#[derive(Default)]
pub(in crate::log) struct Targets {
    pub(super) live: Followed,
    pub(super) others: Vec<Followed>,
    pub(super) is_loaded: bool,
}

impl Targets {
    /// Loads them again. The streams that are parked for them, those of the live one last: while its row waits, a look
    /// finds the release, so that the others are not forgotten.
    pub(super) async fn load(
        &mut self,
        client: &impl GenericClient,
        reader: &Reader,
    ) -> Result<Vec<ParkedRow>, Stop> {
        let id = (reader.name(), reader.version());
        let found = match &reader.0 {
            ReaderKind::Projection(_) => generation::targets(client, id).await?,
            ReaderKind::Worker(_) => {
                vec![Target { generation: 0, table: String::new(), is_live: true }]
            }
        };
        let mut rows = parked::load(client, id).await?;
        let mut found = found.into_iter();
        let Some(live) = found.next().filter(|first| first.is_live) else {
            return Err(Stop::Unavailable(NONE_IS_LIVE.to_owned()));
        };
        let live = Followed::of(live, &rows);
        let others = found.map(|target| {
            let mut other = Followed::of(target, &rows);
            let known = self.others.iter().find(|known| known.generation == other.generation);
            other.failures = known.map(|known| known.failures.clone()).unwrap_or_default();
            other
        });
        let others = others.collect();
        *self = Self { live, others, is_loaded: true };
        // Those of a generation that is built are nothing to the reader yet.
        rows.retain(|row| self.of(row.generation).is_some());
        rows.sort_by_key(|row| row.generation == self.live.generation);
        Ok(rows)
    }

    pub(super) fn of(&self, generation: i32) -> Option<&Followed> {
        self.all().find(|followed| followed.generation == generation)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Followed> {
        std::iter::once(&self.live).chain(&self.others)
    }

    /// The stream has been read on, for this generation.
    pub(super) fn unpark(&mut self, generation: i32, stream: Uuid) {
        let all = std::iter::once(&mut self.live).chain(&mut self.others);
        for followed in all.filter(|followed| followed.generation == generation) {
            followed.parked.remove(&stream);
        }
    }

    pub(super) fn want_any(&self, reader: &Reader, events: &[Recorded]) -> bool {
        self.all().any(|followed| events.iter().any(|event| followed.wants(reader, event)))
    }
}
