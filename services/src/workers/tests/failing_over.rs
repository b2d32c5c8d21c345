//! Mails of events that stood in the log at a failover.

use super::super::due::Due;
use super::super::mailer::Mailer;
use super::*;

const PARK: &str = "insert into readers.parked (reader, version, stream_id, from_position, error)
    values ('mailer', 1, $1, 1, '')";
const STATES: &str = "select state from working.outbox order by subject_id = $1 desc";

struct Drill {
    _harness: Harness,
    app: App,
}

impl Drill {
    /// A node whose mails go by SMTP, and nowhere. It has seen this database before.
    async fn new() -> Self {
        let harness = Harness::new().await;
        let nowhere = Transport::Smtp("smtp://127.0.0.1:9".parse().unwrap());
        let app = harness.node_with(nowhere, &harness.databases.log_url).await;
        let drill = Self { _harness: harness, app };
        drill.execute("select working.note_failover()").await;
        drill
    }

    /// From here on the database goes on with another history than was noted.
    async fn fail_over(&self) {
        self.execute("update working.last_failover set history = 'another'").await;
    }

    async fn execute(&self, sql: &str) {
        self.app.pool.get().await.unwrap().batch_execute(sql).await.unwrap();
    }

    async fn park(&self, person: &Person) {
        let client = self.app.pool.get().await.unwrap();
        assert_eq!(client.execute(PARK, &[&person.account.0]).await.unwrap(), 1);
    }

    /// The mailer reads the log. Answers the states of the mails, of this person first.
    async fn mail(&self, first: &Person) -> Vec<String> {
        react(&self.app, &Mailer::new(&self.app, &Arc::default())).await.unwrap();
        let client = self.app.pool.get().await.unwrap();
        let states = client.query(STATES, &[&first.account.0]).await.unwrap();
        states.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test]
async fn the_mails_of_a_stream_that_was_parked_at_a_failover_have_not_gone() {
    let drill = Drill::new().await;
    let ada = register(&drill.app, "ada@example.org").await;
    register(&drill.app, "bob@example.org").await;
    drill.park(&ada).await;

    drill.fail_over().await;

    assert_eq!(drill.mail(&ada).await, ["queued", "unknown"], "bob's may have gone");
}

#[tokio::test]
async fn a_stream_that_is_parked_after_a_failover_may_have_caused_mails_before() {
    let drill = Drill::new().await;
    let ada = register(&drill.app, "ada@example.org").await;
    drill.fail_over().await;
    drill.execute("select working.note_failover()").await;
    drill.park(&ada).await;

    assert_eq!(drill.mail(&ada).await, ["unknown"]);
}

#[tokio::test]
async fn a_failover_is_noted_before_the_mails_of_what_is_done_after_it() {
    let drill = Drill::new().await;
    drill.fail_over().await;

    Due::default().look(&drill.app).await.unwrap();

    let ada = register(&drill.app, "ada@example.org").await;
    assert_eq!(drill.mail(&ada).await, ["queued"]);
}
