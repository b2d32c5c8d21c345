//! The race.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use infra::clock::Clock;
use infra::ids::Ids;
use reqwest::Method;
use serde_json::json;
use tests::{Answer, Installation, Person, StallWatch, until};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::answers::{Won, by_lease, most_at_once};
use super::nodes::{Call, Nodes};
use super::seat_log::SeatLog;

const CLIENTS: usize = 64;
const SEATS: usize = 5;
/// Longer than a reader's lease, and than a round on a loaded machine: what a node had begun when it was
/// killed is taken up in time, and nobody loses a seat before it is given back.
const LEASE_SECONDS: i64 = 30;
/// How long after its time a lease may be ended, at most, on a machine that never stalls.
const REAPED_WITHIN: TimeDelta = TimeDelta::seconds(1);
/// Every so many rounds somebody keeps a seat and is never heard of again.
const VANISHES: usize = 40;

/// A thousand rounds with `LETHE_LONG=1`.
fn rounds() -> usize {
    if tests::long() { 1_000 } else { 60 }
}

struct Race {
    nodes: Nodes,
    path: String,
    tokens: Vec<String>,
    ids: Ids,
    clock: Clock,
    /// Answers of the round under way.
    answers: AtomicUsize,
    answered: Notify,
    /// Requests that had no answer, since their node was killed.
    unanswered: AtomicUsize,
}

enum Outcome {
    Won(Won),
    Denied,
    /// The node died, and this client does not ask again.
    Vanished,
}

impl Race {
    async fn new() -> Self {
        let seats = SEATS.to_string();
        let seconds = LEASE_SECONDS.to_string();
        let settings = [("seat_limit_default", &*seats), ("seat_lease_seconds", &*seconds)];
        let nodes = Nodes::start(Installation::with(&settings).await).await;
        let ada = Person::named("ada").settle(&nodes.client(0), nodes.installation()).await;
        let made = ada.post("/v1/workspaces", json!({ "name": "Engines" })).await.expect(201);
        let workspace = made.field("/workspace_id");
        let tokens = nodes.installation().crowd(&workspace, CLIENTS).await;
        Self {
            nodes,
            path: format!("/v1/workspaces/{workspace}/seat-leases"),
            tokens,
            ids: Ids::system(),
            clock: Clock::system(),
            answers: AtomicUsize::new(0),
            answered: Notify::new(),
            unanswered: AtomicUsize::new(0),
        }
    }

    /// Everybody asks at once, half of them each node.
    async fn round(&self) -> Vec<(usize, Outcome)> {
        self.answers.store(0, Ordering::SeqCst);
        join_all((0..CLIENTS).map(|who| async move { (who, self.compete(who).await) })).await
    }

    async fn compete(&self, who: usize) -> Outcome {
        let key = Some(self.ids.uuid().to_string());
        let call = Call { key, ..Call::new(Method::POST, self.path.clone()) };
        let first = self.nodes.once(who, &self.tokens[who], &call).await;
        if first.is_none() {
            self.unanswered.fetch_add(1, Ordering::SeqCst);
        }
        let answer = match first {
            Some(answer) => answer,
            None if who % 4 == 1 => return Outcome::Vanished,
            // The same key: whether it was done is known by asking again.
            None => self.nodes.ask(who + 1, &self.tokens[who], &call).await,
        };
        self.answers.fetch_add(1, Ordering::SeqCst);
        self.answered.notify_waiters();
        self.outcome(&answer)
    }

    fn outcome(&self, answer: &Answer) -> Outcome {
        if answer.status == 409 {
            // Of somebody who was given a seat and never heard of it, or kept one.
            if answer.field("/type") == "/problems/seat-held" {
                return Outcome::Denied;
            }
            assert_eq!(answer.field("/type"), "/problems/seat-limit-reached");
            let body = answer.json();
            assert!(body["in_use"].as_u64().unwrap() <= SEATS as u64, "{body}");
            assert_eq!(body["limit"], SEATS);
            return Outcome::Denied;
        }
        assert_eq!(answer.status, 201, "{}", answer.text());
        let until: DateTime<Utc> = answer.field("/expires_at").parse().unwrap();
        Outcome::Won(Won {
            lease: answer.field("/lease_id"),
            fence: answer.json()["fence"].as_u64().unwrap(),
            answered: self.clock.now(),
            until,
        })
    }

    async fn give_back(&self, who: usize, won: &mut Won) {
        won.until = won.until.min(self.clock.now());
        let call = Call::new(Method::DELETE, format!("{}/{}", self.path, won.lease));
        let answer = self.nodes.ask(who, &self.tokens[who], &call).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    /// Kills a node once some of the round have their answers.
    async fn kill(&self, place: usize) {
        let after = usize::try_from(self.ids.uuid().as_u128() % 40).unwrap();
        loop {
            let answered = self.answered.notified();
            if self.answers.load(Ordering::SeqCst) >= after {
                break;
            }
            answered.await;
        }
        self.nodes.replace(place).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_race_for_five_seats_and_never_six_have_one() {
    let _alone = tests::alone().await;
    let race = Arc::new(Race::new().await);
    let kills = if rounds() > 100 { 3 } else { 1 };
    let nodes = race.nodes.clone();
    let both = move || vec![nodes.client(0), nodes.client(1)];
    let stall = StallWatch::start(race.nodes.installation(), both).await;
    let (rounds, since, before) = (rounds(), Instant::now(), race.nodes.requests());
    let (mut won, mut unheard) = (Vec::new(), 0);
    let mut killing: Option<JoinHandle<()>> = None;
    for round in 0..rounds {
        if round > 0 && round.is_multiple_of(rounds / (kills + 1)) && round < rounds - kills {
            if let Some(killing) = killing.take() {
                killing.await.unwrap();
            }
            race.answers.store(0, Ordering::SeqCst);
            let race = Arc::clone(&race);
            killing = Some(tokio::spawn(async move { race.kill(1).await }));
        }
        let outcomes = race.round().await;
        let mut winners = Vec::new();
        for (who, outcome) in outcomes {
            match outcome {
                Outcome::Won(won) => winners.push((who, won)),
                Outcome::Denied => {}
                Outcome::Vanished => unheard += 1,
            }
        }
        assert!(winners.len() <= SEATS, "{} have a seat", winners.len());
        if round < VANISHES.min(rounds / (kills + 1)) {
            assert_eq!(winners.len(), SEATS, "every seat is given to somebody");
        }
        let vanishes = round % VANISHES == VANISHES - 1;
        let stay = winners.iter_mut().skip(usize::from(vanishes));
        join_all(stay.map(|(who, won)| race.give_back(*who, won))).await;
        won.extend(winners.into_iter().map(|(_, won)| won));
    }
    killing.expect("a node was killed").await.unwrap();
    let unanswered = race.unanswered.load(Ordering::SeqCst);
    assert!(unanswered > 0, "no kill fell into a round");
    let (seconds, requests) = (since.elapsed().as_secs_f64(), race.nodes.requests() - before);

    let log = until("every lease has ended", async || {
        Some(SeatLog::read(race.nodes.installation()).await).filter(SeatLog::is_empty)
    })
    .await;
    eprint!(
        "{rounds} rounds, {requests} requests in {seconds:.1} s; {unanswered} were cut short, \
         of which {unheard} never asked again; "
    );
    compare(&won, &log, &stall);
}

/// What the clients were answered, against what the log says.
fn compare(won: &[Won], log: &SeatLog, stalls: &StallWatch) {
    let answered = by_lease(won);
    for (lease, fence) in &answered {
        assert_eq!(log.leases.get(lease), Some(fence), "what was answered stands in the log");
    }
    let at_once = most_at_once(won);
    let late = log.expired.iter().map(|(since, ended)| {
        let due = *since + TimeDelta::seconds(LEASE_SECONDS);
        (*ended - due, stalls.longest_between(due, *ended))
    });
    let late: Vec<(TimeDelta, TimeDelta)> = late.collect();
    // The one for which the machine is the smallest excuse.
    let (latest, stall) =
        late.iter().copied().max_by_key(|(late, stall)| *late - *stall).expect("somebody vanished");
    eprintln!(
        "{} leases, at most {} live in the log and {at_once} by the answers; {} denials; \
         {} leases answered to nobody; {} expired, the latest {} ms after its time, in which the machine stalled for {} ms",
        log.leases.len(),
        log.most_at_once,
        log.denials,
        log.leases.len() - answered.len(),
        late.len(),
        latest.num_milliseconds(),
        stall.num_milliseconds(),
    );
    assert_eq!(log.most_at_once, SEATS);
    assert!(at_once <= SEATS, "{at_once} held a seat at once");
    for (late, stall) in late {
        let allowed = REAPED_WITHIN + stall;
        assert!(late <= allowed, "a seat was lost for {late} longer than its lease");
    }
}
