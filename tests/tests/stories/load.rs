//! Requests that are sent one after another while something fails, and those of them that were answered.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;
use tests::{Answer, Client, until};
use tokio::task::JoinHandle;
use tokio_postgres::Client as Database;

const VERSIONS: &str = "select (data->>'policy_version')::bigint from event_log.events \
    where event_type = 'account.consent_given'";
const DENSE: &str = "select count(*) = max(position) from event_log.events";

/// Each request is answered with 200, or put off.
pub struct Load {
    goes_on: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
    /// The numbers of those that were answered.
    sending: JoinHandle<Vec<i64>>,
}

impl Load {
    /// A person who gives one consent after another. No other load has its versions, from `first` on.
    pub fn consents(client: Client, first: i64) -> Self {
        Self::start(first, move |version| {
            let call = client.call(reqwest::Method::PUT, "/v1/me/consents/product_news");
            call.json(json!({ "policy_version": version })).send()
        })
    }

    /// Somebody who reads the same thing again and again.
    pub fn reads(client: Client, path: &'static str) -> Self {
        Self::start(0, move |_| client.call(reqwest::Method::GET, path).send())
    }

    fn start<F>(first: i64, send: impl Fn(i64) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Answer> + Send,
    {
        let goes_on = Arc::new(AtomicBool::new(true));
        let (answered, refused) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let (on, yes, no) = (Arc::clone(&goes_on), Arc::clone(&answered), Arc::clone(&refused));
        let sending = tokio::spawn(async move {
            let mut numbers = Vec::new();
            for number in first.. {
                if !on.load(Ordering::Relaxed) {
                    break;
                }
                let answer = send(number).await;
                if answer.status == 200 {
                    numbers.push(number);
                    yes.fetch_add(1, Ordering::Relaxed);
                } else {
                    assert_is_put_off(&answer);
                    no.fetch_add(1, Ordering::Relaxed);
                }
            }
            numbers
        });
        Self { goes_on, answered, refused, sending }
    }

    /// Until a request that was sent after this call is answered.
    pub async fn until_answered(&self) {
        self.until_grown("it is answered", &self.answered).await;
    }

    /// Until a request that was sent after this call is put off.
    pub async fn until_put_off(&self) {
        self.until_grown("it is put off", &self.refused).await;
    }

    async fn until_grown(&self, what: &str, counter: &AtomicU32) {
        // One may be under way.
        let before = counter.load(Ordering::Relaxed) + 1;
        until(what, async || {
            let ended = self.sending.is_finished();
            assert!(!ended, "a request was neither answered nor put off");
            counter.load(Ordering::Relaxed) > before
        })
        .await;
    }

    pub async fn end(self) -> Vec<i64> {
        self.goes_on.store(false, Ordering::Relaxed);
        self.sending.await.unwrap()
    }
}

/// Ends these loads of consents. The log is whole, and has every consent that was answered.
pub async fn check(log: &Database, loads: Vec<Load>) {
    let mut answered = BTreeSet::new();
    for load in loads {
        answered.extend(load.end().await);
    }
    assert!(log.query_one(DENSE, &[]).await.unwrap().get::<_, bool>(0));
    let found = log.query(VERSIONS, &[]).await.unwrap();
    let found: BTreeSet<i64> = found.iter().map(|row| row.get(0)).collect();
    let lost: Vec<_> = answered.difference(&found).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", answered.len());
}

fn assert_is_put_off(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert!(answer.header("retry-after").is_some(), "{}", answer.text());
}
