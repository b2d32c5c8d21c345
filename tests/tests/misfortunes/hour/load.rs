//! What people do all day, at a steady pace: what takes longer than before is then seen.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Client, Harness, Person};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

const CONSENT: &str = "/v1/me/consents/product_news";
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// Who comes registers, signs in, and every other one asks to be forgotten.
const ONE_COMES: Duration = Duration::from_secs(1);

pub const ACTS: [&str; 5] = ["command", "read", "seat", "registration", "erasure asked for"];

/// How long each act took.
type Took = BTreeMap<&'static str, Vec<Duration>>;

pub struct Load {
    over: Arc<AtomicBool>,
    took: Arc<Mutex<Took>>,
    tasks: JoinSet<()>,
}

/// Somebody who goes on until it is over.
#[derive(Clone)]
struct Caller {
    over: Arc<AtomicBool>,
    took: Arc<Mutex<Took>>,
}

impl Load {
    pub async fn start(harness: &Arc<Harness>) -> Self {
        let (over, took) = (Arc::default(), Arc::default());
        let caller = Caller { over: Arc::clone(&over), took: Arc::clone(&took) };
        let mut tasks = JoinSet::new();
        for number in 0..CALLERS {
            let person = harness.person(&format!("caller{number}")).await;
            tasks.spawn(caller.clone().change_and_read(person));
        }
        tasks.spawn(caller.clone().hold_seats(Arc::clone(harness)));
        tasks.spawn(caller.come_and_go(harness.node.client()));
        Self { over, took, tasks }
    }

    /// What was done since this was asked last.
    pub fn take(&self) -> Took {
        std::mem::take(&mut *self.took.lock().unwrap())
    }

    /// Whether every act was done since then.
    pub fn has_done_all(&self) -> bool {
        self.took.lock().unwrap().len() == ACTS.len()
    }

    pub async fn stop(mut self) {
        self.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

impl Caller {
    async fn timed<T>(&self, act: &'static str, what: impl Future<Output = T>) -> T {
        let since = Instant::now();
        let done = what.await;
        self.took.lock().unwrap().entry(act).or_default().push(since.elapsed());
        done
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn change_and_read(self, person: Client) {
        let mut ticks = every(PAUSE);
        while !self.is_over() {
            ticks.tick().await;
            let gives = person.call(reqwest::Method::PUT, CONSENT);
            let gives = gives.json(json!({ "policy_version": 1 })).send();
            self.timed("command", gives).await.expect(200);
            self.timed("command", person.delete(CONSENT)).await.expect(204);
            self.timed("read", person.get("/v1/me")).await.expect(200);
        }
    }

    async fn hold_seats(self, harness: Arc<Harness>) {
        let mut ticks = every(PAUSE);
        while !self.is_over() {
            let (lease, fence) = harness.lease(&harness.ada).await;
            for _ in 0..20 {
                ticks.tick().await;
                let renewed = self.timed("seat", harness.renew(&harness.ada, &lease, fence)).await;
                renewed.expect(200);
            }
            harness.give_back(&harness.ada, &lease).await.expect(204);
        }
    }

    async fn come_and_go(self, anybody: Client) {
        let mut ticks = every(ONE_COMES);
        for number in 0_u32.. {
            ticks.tick().await;
            if self.is_over() {
                return;
            }
            let person = Person::named(&format!("guest{number}"));
            self.timed("registration", person.register(&anybody)).await;
            let signed_in = person.sign_in(&anybody).await;
            if number % 2 == 0 {
                let asks = json!({ "password": person.password, "grace_days": 0 });
                let path = "/v1/me/erasure";
                let mut asked = self.timed("erasure asked for", signed_in.post(path, &asks)).await;
                // It is not known yet whether others depend on the account.
                while asked.status == 503 {
                    ticks.tick().await;
                    asked = signed_in.post(path, &asks).await;
                }
                asked.expect(202);
            }
        }
    }
}

fn every(pause: Duration) -> Interval {
    let mut ticks = tokio::time::interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
