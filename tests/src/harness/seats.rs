//! Seats of the workspace.

use infra::ids::Ids;
use reqwest::Method;
use serde_json::{Value, json};

use super::Harness;
use crate::{Answer, Client, until};

impl Harness {
    pub async fn take_seat(&self, who: &Client) -> Answer {
        self.take_seat_as(who, &Ids::system().uuid().to_string()).await
    }

    pub async fn take_seat_as(&self, who: &Client, key: &str) -> Answer {
        let call = who.call(Method::POST, &self.at("seat-leases"));
        call.header("Idempotency-Key", key).send().await
    }

    /// Leases a seat, which there is; answers the lease and its fence.
    pub async fn lease(&self, who: &Client) -> (String, u64) {
        lease_of(&self.take_seat(who).await.expect(201))
    }

    pub async fn renew(&self, who: &Client, lease: &str, fence: u64) -> Answer {
        let path = self.at(&format!("seat-leases/{lease}/renew"));
        who.post(&path, json!({ "fence": fence })).await
    }

    pub async fn take_over(&self, who: &Client, lease: &str) -> Answer {
        who.post(&self.at(&format!("seat-leases/{lease}/take-over")), json!({})).await
    }

    pub async fn give_back(&self, who: &Client, lease: &str) -> Answer {
        who.delete(&self.at(&format!("seat-leases/{lease}"))).await
    }

    /// The seats as they are shown once `so` is true of them.
    pub async fn seats(&self, so: impl Fn(&Value) -> bool) -> Value {
        until("the seats are so", async || {
            let shown = self.ada.get(&self.at("seats")).await;
            (shown.status == 200).then(|| shown.json()).filter(|shown| so(shown))
        })
        .await
    }

    /// The time of the lease is over, and nobody has renewed it.
    pub async fn end_lease(&self, lease: &str) {
        let end = "update working.seat_leases set expires_at = clock_timestamp()
            where lease_id::text = $1";
        assert_eq!(self.installation.log().await.execute(end, &[&lease]).await.unwrap(), 1);
    }

    /// There are so many rows of leases once the worker has followed: it writes the row of a lease that
    /// was acquired before it deletes that of one that has ended.
    pub async fn seat_rows(&self, rows: i64) {
        let count = "select count(*) from working.seat_leases";
        let log = self.installation.log().await;
        until("the rows of the leases are so many", async || {
            (log.query_one(count, &[]).await.unwrap().get::<_, i64>(0) == rows).then_some(())
        })
        .await;
    }
}

/// The id and the fence of the lease that was answered.
pub fn lease_of(answer: &Answer) -> (String, u64) {
    let fence = answer.json()["fence"].as_u64().unwrap();
    (answer.field("/lease_id"), fence)
}

/// What kind of problem it is.
#[track_caller]
pub fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    answer.field("/type").trim_start_matches("/problems/").to_owned()
}
