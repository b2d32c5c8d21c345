//! A log as server-sent events: each line once, in order, from the line that the reader saw last.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use domain::run::{LogSeal, Run, Target};
use futures_util::stream;
use infra::run_log::{LogKey, Watch};
use serde::Serialize;
use tokio::sync::watch;

use crate::api::ApiData;
use crate::api::auth::member::Member;
use crate::api::auth::readmission::Readmission;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::runs::log_line::to_json;
use crate::api::runs::stream_slots::StreamSlot;

/// The state of an attempt that another one followed.
pub const SUPERSEDED: &str = "superseded";

const LINES: usize = 500;
/// Lines that another node keeps are found by asking.
const POLL: Duration = Duration::from_millis(200);
const PING: Duration = Duration::from_secs(10);

/// The line that the client saw last.
pub fn last_event(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let value = request.headers().get("Last-Event-ID");
    let read = |text: &str| text.parse::<i64>().ok().and_then(|line| u64::try_from(line).ok());
    let line = value.map(|value| value.to_str().ok().and_then(read));
    match line {
        None => Ok(None),
        Some(Some(line)) => Ok(Some(line)),
        Some(None) => Err(Problem::header(
            "Last-Event-ID",
            "this must be the number of a line, as `id` of an event has it",
        )),
    }
}

pub fn answer(
    api: &ApiData,
    member: &Member,
    request: &HttpRequest,
    task: LogKey,
    after: u64,
) -> Result<HttpResponse, Problem> {
    let slot = api.stream_slots.open(member.account);
    let slot = slot.ok_or_else(|| Problem::of(ProblemKind::TooManyStreams))?;
    let following = Following {
        api: api.clone(),
        readmission: Readmission::of_member(request),
        task,
        after,
        state: "",
        lines: api.app.run_logs.watch(&task),
        stopping: api.app.stopping.subscribe(),
        stage: StreamStage::Begun,
        _slot: slot,
    };
    let events = stream::unfold(following, |mut following| async move {
        match following.next().await {
            Ok(Some(events)) => Some((Ok::<_, Problem>(events), following)),
            Ok(None) => None,
            Err(problem) => {
                following.stage = StreamStage::Over;
                Some((Err(problem), following))
            }
        }
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(events)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StreamStage {
    Begun,
    Following,
    Over,
}

struct Following {
    api: ApiData,
    readmission: Readmission,
    task: LogKey,
    /// The last line that was sent.
    after: u64,
    /// The last state that was sent.
    state: &'static str,
    lines: Watch,
    stopping: watch::Receiver<bool>,
    stage: StreamStage,
    _slot: StreamSlot,
}

#[derive(Serialize)]
struct StateEvent {
    state: &'static str,
}

#[derive(Serialize)]
struct EndEvent {
    state: &'static str,
    /// Absent where nothing is sealed: the attempt never started, or may be found again.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogSeal>,
}

impl Following {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        match self.stage {
            StreamStage::Begun => {
                self.stage = StreamStage::Following;
                return Ok(Some(Bytes::from_static(b"retry: 1000\n\n")));
            }
            StreamStage::Over => return Ok(None),
            StreamStage::Following => {}
        }
        let since = Instant::now();
        loop {
            let lines = self.read().await?;
            if !self.goes_on().await? {
                return Ok(None);
            }
            if lines.is_some() {
                return Ok(lines);
            }
            let event = self.look().await?;
            if !self.goes_on().await? {
                return Ok(None);
            }
            if event.is_some() {
                return Ok(event);
            }
            if since.elapsed() >= PING {
                return Ok(Some(Bytes::from_static(b": ping\n\n")));
            }
            tokio::select! {
                () = self.lines.changed() => {}
                () = tokio::time::sleep(POLL) => {}
                _ = self.stopping.changed() => {}
            }
        }
    }

    /// A stream ends with the session, the membership or the right of whoever reads it. A client whose node
    /// stops comes back, to another node.
    async fn goes_on(&mut self) -> Result<bool, Problem> {
        Ok(!*self.stopping.borrow() && self.readmission.stands().await?)
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Problem> {
        let lines = self.api.app.run_logs.read(&self.task, self.after, LINES).await?;
        let mut events = Vec::new();
        for line in lines {
            self.after = line.number;
            events
                .extend_from_slice(format!("id: {}\nevent: line\ndata: ", line.number).as_bytes());
            events.extend(to_json(line)?);
            events.extend_from_slice(b"\n\n");
        }
        Ok((!events.is_empty()).then(|| Bytes::from(events)))
    }

    /// The run as it is now on the server whose log is read.
    async fn target(&self) -> Result<Target, Problem> {
        let LogKey { workspace, run, server, .. } = self.task;
        let loaded = self.api.app.executor.load::<Run>(workspace.into(), run.0).await?;
        let target = loaded.state.requested().and_then(|run| run.targets.get(&server)).cloned();
        target.ok_or_else(|| Problem::of(ProblemKind::NotFound))
    }

    /// A changed state, or the end. Sent after all lines, since lines are stored before the end.
    async fn look(&mut self) -> Result<Option<Bytes>, Problem> {
        let LogKey { attempt, .. } = self.task;
        let target = self.target().await?;
        let last = target.attempt == attempt;
        let state = if last { target.as_str() } else { SUPERSEDED };
        if target.is_ended() || !last {
            if let Some(lines) = self.read().await? {
                return Ok(Some(lines));
            }
            self.stage = StreamStage::Over;
            let log = if last { target.log } else { None };
            return event("end", &EndEvent { state, log }).map(Some);
        }
        if self.state == state {
            return Ok(None);
        }
        self.state = state;
        event("state", &StateEvent { state }).map(Some)
    }
}

fn event(name: &str, data: &impl Serialize) -> Result<Bytes, Problem> {
    let data = serde_json::to_string(data).map_err(|error| Problem::internal(&error))?;
    Ok(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
}
