//! A projection and a worker that can be made to fail.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex};

use async_trait::async_trait;
use infra::log::{Origin, Poison, Projection, Recorded, Worker, WorkerError};
use infra::postgres::Transaction;
use uuid::Uuid;

/// Streams whose events can be read whatever they say. All tests share it: each has ids of its own.
static CURED: LazyLock<Mutex<HashSet<Uuid>>> = LazyLock::new(Mutex::default);

pub fn cure(stream: Uuid) {
    CURED.lock().unwrap().insert(stream);
}

/// `{"add":"a"}` appends a letter; `{"add":"!"}` is poison until its stream is cured; `{"add":"#"}` panics.
fn letter(event: &Recorded) -> Result<String, Poison> {
    let data: serde_json::Value = serde_json::from_str(event.data()).unwrap();
    let letter = data["add"].as_str().unwrap_or_default().to_owned();
    if letter == "!" && !CURED.lock().unwrap().contains(&event.stream_id()) {
        return Err(Poison::Unfit(format!("event {} cannot be read", event.version())));
    }
    assert_ne!(letter, "#");
    Ok(letter)
}

pub struct Tally;

infra::row! {
    /// The letters of one stream, in order.
    pub struct Letters {
        pub stream: Uuid,
        pub text: String,
        pub position: i64,
    }
}

impl Projection for Tally {
    const NAME: &'static str = "tally";
    const VERSION: i16 = 1;
    const EVENT_TYPES: &'static [&'static str] = &["tally.added"];
    const TABLE: &'static str = "create table {table} (stream uuid primary key,
        text text not null check (text not like '%?%'), position bigint not null)";
    const INDEXES: &'static str = "create index on {table} (text)";
    type Key = Uuid;
    type Row = Letters;

    fn key(event: &Recorded) -> Uuid {
        event.stream_id()
    }

    fn origin(row: &Letters) -> Origin {
        Origin::Stream(row.stream)
    }

    fn fold(row: &mut Option<Letters>, event: &Recorded) -> Result<(), Poison> {
        let letter = letter(event)?;
        let (stream, position) = (event.stream_id(), event.position());
        let row = row.get_or_insert_with(|| Letters { stream, text: String::new(), position });
        row.text.push_str(&letter);
        Ok(())
    }
}

/// Writes each letter into `working.acts`, once.
pub struct Act;

#[async_trait]
impl Worker for Act {
    fn name(&self) -> &'static str {
        "act"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["tally.added"]
    }

    async fn react(&self, event: &Recorded, tx: &Transaction<'_>) -> Result<(), WorkerError> {
        tx.execute(
            "insert into read_models.acts select $1, coalesce(max(text), '') || $2
             from (select text from read_models.acts where stream = $1 order by at desc limit 1) last",
            &[&event.stream_id(), &letter(event).unwrap_or_else(|_| "half".to_owned())],
        )
        .await?;
        letter(event)?;
        Ok(())
    }
}

pub const ACTS: &str = "create table read_models.acts (stream uuid not null,
    text text not null check (text not like '%?%'), at bigserial);
    grant all on read_models.acts, read_models.acts_at_seq to lethe_app";
