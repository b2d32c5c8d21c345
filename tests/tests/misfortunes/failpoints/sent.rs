//! Requests that were sent to a node that died: each is sent again to the next one.

use futures_util::future::join_all;
use tests::{Answer, Installation, TestServer};

use super::requests::Request;

/// The first event of a command has its id.
const COUNT_COMMANDS: &str = "select count(*) from event_log.events
    where request = $1 and event_type = $2 and command_id is not null";

/// A request that was sent to a node that died, with the answer if it came.
pub struct Sent {
    pub request: Request,
    pub answer: Option<Answer>,
    /// The caller of the load that holds or gave back a seat by it.
    pub seat_of: Option<usize>,
    /// A later request of the same caller has undone it: it is not sent again.
    pub is_undone: bool,
}

impl Sent {
    pub fn new(request: Request, answer: Option<Answer>) -> Self {
        Self { request, answer, seat_of: None, is_undone: false }
    }

    pub async fn by(request: Request, base: &str) -> Self {
        let answer = request.send(base).await;
        Self::new(request, answer)
    }

    /// Whether one event of this type comes of it.
    pub fn brings(&self, event: &str) -> bool {
        let follow: &[&str] = match self.request.event {
            Some("run.requested") => &["run.started", "run.succeeded", "run.log_sealed"],
            _ => &[],
        };
        self.request.event == Some(event) || follow.contains(&event)
    }
}

fn is_success(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// Everything that was answered before the kill is in the log.
pub async fn are_in_log(installation: &Installation, failpoint: &str, sent: &[Sent]) {
    let log = installation.log().await;
    for sent in sent {
        if let Some(answer) = &sent.answer {
            assert!(is_success(answer), "{failpoint}: {}: {}", answer.status, answer.text());
        }
        let (Some(answer), Some(event)) = (&sent.answer, sent.request.event) else { continue };
        let position = answer.header("lethe-position");
        assert!(position.is_some(), "{failpoint}: {event} has no position");
        let request = answer.request();
        let found = log.query_one(COUNT_COMMANDS, &[&request, &event]).await.unwrap();
        let found: i64 = found.get(0);
        assert_eq!(found, 1, "{failpoint}: {event} of request {request} was answered");
    }
}

/// Sends every request again, twice: whoever got an answer gets the same, and whoever got none gets
/// one that stays. Returns the answers, in the order of `sent`.
pub async fn send_again(node: &TestServer, failpoint: &str, sent: &[Sent]) -> Vec<Answer> {
    join_all(sent.iter().map(|sent| again(node, failpoint, sent))).await
}

async fn again(node: &TestServer, failpoint: &str, sent: &Sent) -> Answer {
    let Sent { request, answer, .. } = sent;
    if let Some(answer) = answer.as_ref().filter(|_| sent.is_undone) {
        return answer.clone();
    }
    let try_again = async || request.send(node.api()).await.expect("a node that lives answers");
    let again = try_again().await;
    let (status, text) = (again.status, again.text());
    assert!(request.again.contains(&status), "{failpoint}: {status}: {text}");
    if !is_success(&again) {
        return again;
    }
    if let Some(first) = answer {
        assert_eq!(request.difference(first, &again), None, "{failpoint}: before and after");
    }
    if request.is_repeatable {
        let third = try_again().await;
        assert_eq!(request.difference(&again, &third), None, "{failpoint}: sent for a third time");
    }
    again
}
