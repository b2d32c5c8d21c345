//! What a replay reads of the log, and how many streams it may park.

use crate::harness::LogHarness;
use crate::readers::add;
use crate::replay::small;
use crate::tally::Tally;
use domain::ActorId;
use infra::log::{
    Origin, Poison, Projection, Reader, Reads, Recorded, ReplayError, ReplayOptions, parked, replay,
};
use tokio::sync::watch;
use uuid::Uuid;

/// Looks at who has caused an event, and at nothing else; of one event type, or of all.
struct Actors<const ALL: bool>;

infra::row! {
    /// What there was of an event for the fold to see.
    pub struct Seen {
        pub stream: Uuid,
        pub data: String,
        pub is_sealed: bool,
        pub actor: Option<ActorId>,
        pub causes: i64,
        pub subjects: i64,
        pub position: i64,
    }
}

impl<const ALL: bool> Projection for Actors<ALL> {
    const NAME: &'static str = if ALL { "all_actors" } else { "actors" };
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = if ALL { &[] } else { &["tally.added"] };
    const TABLE: &'static str = "create table {table} (stream uuid primary key, data text not null,
        is_sealed boolean not null, actor uuid, causes bigint not null, subjects bigint not null,
        position bigint not null)";
    const INDEXES: &'static str = "";
    const READS: Reads = Reads { data: false, sealed: false, actor: true, causes: false };
    type Key = Uuid;
    type Row = Seen;

    fn key(event: &Recorded) -> Uuid {
        event.stream_id()
    }

    fn origin(row: &Seen) -> Origin {
        Origin::Stream(row.stream)
    }

    fn fold(row: &mut Option<Seen>, event: &Recorded) -> Result<(), Poison> {
        let causes = [
            event.session().is_some(),
            event.request().is_some(),
            event.correlation().is_some(),
            event.causation().is_some(),
        ];
        *row = Some(Seen {
            stream: event.stream_id(),
            data: event.data().to_owned(),
            is_sealed: event.sealed().is_some(),
            actor: event.actor(),
            causes: causes.into_iter().map(i64::from).sum(),
            subjects: i64::try_from(event.subjects().len()).unwrap(),
            position: event.position(),
        });
        Ok(())
    }
}

async fn seen<P: Projection<Key = Uuid, Row = Seen>>(harness: &LogHarness, stream: Uuid) -> Seen {
    let (_keep, cancel) = watch::channel(false);
    let reader = Reader::projection::<P>();
    replay(&harness.pool, &reader, small(), cancel, |_| {}).await.unwrap();
    harness.row::<P>(stream).await.unwrap()
}

#[tokio::test]
async fn a_replay_reads_of_an_event_what_the_fold_looks_at() {
    let harness = LogHarness::new().await;
    let stream = Uuid::from_u128(0xaf);
    let sealed = Some(b"sealed".to_vec());
    harness.append("tally", stream, "tally.added", 1, r#"{"add":"a"}"#, sealed).await;

    let of_one_type = seen::<Actors<false>>(&harness, stream).await;
    let of_all_types = seen::<Actors<true>>(&harness, stream).await;

    for seen in [of_one_type, of_all_types] {
        assert_eq!(seen.actor, Some(ActorId(stream)));
        assert_eq!((seen.data.as_str(), seen.is_sealed), ("{}", false));
        assert_eq!((seen.causes, seen.subjects), (0, 0));
    }
}

#[tokio::test]
async fn a_replay_that_parks_too_many_streams_fails_and_the_table_stays() {
    let harness = LogHarness::new().await;
    let tally = Reader::projection::<Tally>();
    for number in 0..5 {
        let stream = Uuid::from_u128(0xb000 + number);
        for letter in ["a", "!"] {
            let data = format!(r#"{{"add":"{letter}"}}"#);
            harness.append("tally", stream, "tally.added", 1, &data, None).await;
        }
    }
    let readers = harness.read(vec![tally.clone()]).await;
    harness.caught_up(&["tally"]).await;
    readers.stop().await;
    let before = harness.checksum("read_models.tally").await;
    assert!(before.starts_with("5 "), "{before}");
    let replayed = async |parked_max: usize| {
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions { parked_max, ..small() };
        replay(&harness.pool, &tally, options, cancel, |_| {}).await
    };

    let failed = replayed(4).await;

    assert!(matches!(failed, Err(ReplayError::Parks { streams: 5 })), "{failed:?}");
    assert_eq!(harness.checksum("read_models.tally").await, before);
    assert_eq!(parked(&harness.pool, None, None, 10).await.unwrap().len(), 5);

    assert_eq!(replayed(5).await.unwrap().parked, 5);
    assert_eq!(harness.checksum("read_models.tally").await, before);
}

#[tokio::test]
async fn what_a_replay_parks_waits_for_its_generation_and_goes_with_it() {
    const PARKED: &str =
        "select string_agg(format('%s %s', generation, replay), ', ' order by generation)
        from readers.parked";
    let harness = LogHarness::new().await;
    let (tally, stream) = (Reader::projection::<Tally>(), Uuid::from_u128(0xb100));
    add(&harness, stream, "a!").await;
    let waiting = async |promote: bool| -> String {
        let (_keep, cancel) = watch::channel(false);
        let options = ReplayOptions { promote, ..small() };
        replay(&harness.pool, &tally, options, cancel, |_| {}).await.unwrap();
        harness.admin.query_one(PARKED, &[]).await.unwrap().get(0)
    };

    assert_eq!(waiting(true).await, "2 f", "it is shown");
    assert_eq!(parked(&harness.pool, None, None, 10).await.unwrap()[0].stream, stream);
    assert_eq!(waiting(false).await, "2 f, 3 t");
    assert_eq!(waiting(false).await, "2 f, 4 t", "the one that was joined earlier is dropped");
}
