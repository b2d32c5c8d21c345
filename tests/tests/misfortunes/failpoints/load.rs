//! Callers that are on their way while a node is killed: each sends one request after another, from a
//! workspace of its own.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use tests::{Answer, Client, Installation, Person, create_workspace};

use super::requests::Request;
use super::sent::Sent;

const CALLERS: usize = 2;
/// Of one caller during one kill. A node may be killed late, and every request is sent again.
const REQUESTS_MAX: usize = 24;
/// Of these, each waits for a command on a server.
const RUNS_MAX: usize = 2;

/// What a caller does, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Register,
    CreateWorkspace,
    /// Takes a seat, or gives it back.
    Seat,
    /// Runs a command, on the server that has this id in the caller's workspace.
    Run,
}

pub struct Caller {
    name: String,
    pub client: Client,
    pub workspace: String,
    /// The server's id.
    pub server: Option<String>,
    turn: AtomicUsize,
    /// The lease that is held.
    lease: Mutex<Option<String>>,
}

pub struct Load {
    pub callers: Vec<Caller>,
    works: Vec<Work>,
}

impl Load {
    pub async fn new(
        installation: &Installation,
        client: &Client,
        group: &str,
        works: &[Work],
    ) -> Self {
        let mut callers = Vec::new();
        for number in 0..CALLERS {
            let name = format!("{group}-load-{number}");
            let client = Person::named(&name).settle(client, installation).await;
            let workspace = create_workspace(&client, &name).await;
            let (turn, lease) = (AtomicUsize::new(number), Mutex::new(None));
            callers.push(Caller { name, client, workspace, server: None, turn, lease });
        }
        Self { callers, works: works.to_vec() }
    }

    /// Sends requests until none is answered.
    pub async fn send(&self, base: &str) -> Vec<Sent> {
        let callers = self.callers.iter().enumerate();
        let sent = callers.map(|(number, caller)| caller.send(base, number, &self.works));
        join_all(sent).await.into_iter().flatten().collect()
    }

    /// Notes who holds a seat, by the last answers.
    pub fn learn(&self, sent: &[Sent], answers: &[Answer]) {
        for (sent, answer) in sent.iter().zip(answers) {
            if let Some(caller) = sent.seat_of.and_then(|number| self.callers.get(number)) {
                caller.note(answer);
            }
        }
    }
}

impl Caller {
    async fn send(&self, base: &str, number: usize, works: &[Work]) -> Vec<Sent> {
        let (mut sent, mut runs): (Vec<Sent>, usize) = (Vec::new(), 0);
        while sent.len() < REQUESTS_MAX {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let work = works[turn % works.len()];
            runs += usize::from(work == Work::Run);
            if work == Work::Run && runs > RUNS_MAX {
                continue;
            }
            let mut now = Sent::by(self.request(work, turn), base).await;
            if work == Work::Seat {
                now.seat_of = Some(number);
                let earlier = sent.iter_mut().filter(|sent| sent.seat_of.is_some());
                earlier.for_each(|sent| sent.is_undone = true);
            }
            let is_over = now.answer.is_none();
            if let Some(answer) = now.answer.as_ref().filter(|_| work == Work::Seat) {
                self.note(answer);
            }
            sent.push(now);
            if is_over {
                break;
            }
        }
        sent
    }

    /// Notes the lease that was given, or given back.
    fn note(&self, answer: &Answer) {
        let lease = (answer.status == 201).then(|| answer.field("/lease_id"));
        *self.lease.lock().unwrap() = lease;
    }

    fn request(&self, work: Work, turn: usize) -> Request {
        let name = format!("{}-{turn}", self.name);
        match work {
            Work::Register => Request::register(&self.client, &Person::named(&name)),
            Work::CreateWorkspace => Request::create_workspace(&self.client, &name),
            Work::Seat => self.seat(),
            Work::Run => {
                let command = format!("echo started >> ~/{name}");
                let body = json!({ "command": command, "server_ids": [self.server] });
                let path = format!("{}/runs", self.workspace);
                Request::post(&self.client, &path, body).moving().appends("run.requested")
            }
        }
    }

    fn seat(&self) -> Request {
        let leases = format!("{}/seat-leases", self.workspace);
        match &*self.lease.lock().unwrap() {
            None => Request::post(&self.client, &leases, json!({})).appends("seat.lease_acquired"),
            Some(lease) => Request::delete(&self.client, &format!("{leases}/{lease}"))
                .appends("seat.lease_released"),
        }
    }
}
