//! A log as server-sent events: each line once, in order, from the line that the reader saw last.

use std::time::{Duration, Instant};

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use domain::run::{LogSeal, Run, Target};
use futures_util::stream;
use infra::run_log::{LogKey, LogPart, News, Watch};
use serde::Serialize;
use tokio::sync::watch;

use crate::api::ApiData;
use crate::api::auth::member::Member;
use crate::api::auth::readmission::Readmission;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::runs::log_line::to_json;
use crate::api::runs::log_over::refuse_if_damaged;
use crate::api::runs::stream_slots::StreamSlot;

/// The state of an attempt that another one followed.
pub const SUPERSEDED: &str = "superseded";

const LINES: usize = 500;
const PING: Duration = Duration::from_secs(10);
/// How often it is asked whether the reader would be admitted still, where nothing is to be sent.
const ASK_AGAIN: Duration = Duration::from_millis(500);

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
    (task, part): (LogKey, LogPart),
    after: u64,
) -> Result<HttpResponse, Problem> {
    let slot = api.stream_slots.open(member.account);
    let slot = slot.ok_or_else(|| Problem::of(ProblemKind::TooManyStreams))?;
    let following = Following {
        api: api.clone(),
        readmission: Readmission::of_member(request),
        task,
        part,
        through: after,
        has_more: false,
        state: "",
        looked: None,
        log: api.app.run_logs.watch(&task),
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
    part: LogPart,
    /// The line up to which all was sent.
    through: u64,
    /// More is stored than was read.
    has_more: bool,
    /// The last state that was sent.
    state: &'static str,
    /// What was known of the run when its state was read. `None`: it was not read after all lines.
    looked: Option<News>,
    log: Watch,
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
            let events = if *self.stopping.borrow() { None } else { self.events().await? };
            if !self.goes_on().await? {
                return Ok(None);
            }
            if events.is_some() {
                return Ok(events);
            }
            let left = PING.saturating_sub(since.elapsed());
            if left.is_zero() {
                return Ok(Some(Bytes::from_static(b": ping\n\n")));
            }
            tokio::select! {
                () = self.log.changed() => {}
                () = tokio::time::sleep(left.min(ASK_AGAIN)) => {}
                _ = self.stopping.changed() => {}
            }
        }
    }

    /// A stream ends with the session, the membership or the right of whoever reads it: this is asked twice a
    /// second, and before anything is sent. A client whose node stops comes back, to another node.
    async fn goes_on(&mut self) -> Result<bool, Problem> {
        Ok(!*self.stopping.borrow() && self.readmission.stands().await?)
    }

    /// The next lines, else the state where the run has news. Asks the database for nothing where there is no
    /// news of either.
    async fn events(&mut self) -> Result<Option<Bytes>, Problem> {
        let news = self.log.news();
        let has_lines = news.is_none_or(|news| news.lines > self.through);
        if (has_lines || self.has_more || self.looked.is_none())
            && let Some(lines) = self.lines().await?
        {
            return Ok(Some(lines));
        }
        let of_run = news.map(|news| News { lines: 0, ..news });
        if of_run.is_some() && of_run == self.looked {
            return Ok(None);
        }
        self.look(of_run).await
    }

    /// The next lines that are stored.
    async fn lines(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let page = self.log.read(self.part, self.through, LINES).await?;
            refuse_if_damaged(&self.api, self.task.run, page.over).await?;
            let is_end = page.through == self.through;
            (self.through, self.has_more) = (page.through, page.next.is_some());
            if is_end && page.lines.is_empty() {
                return Ok(None);
            }
            let mut events = Vec::new();
            for line in page.lines {
                let head = format!("id: {}\nevent: line\ndata: ", line.number);
                events.extend_from_slice(head.as_bytes());
                events.extend(to_json(line)?);
                events.extend_from_slice(b"\n\n");
            }
            if !events.is_empty() {
                return Ok(Some(Bytes::from(events)));
            }
        }
    }

    /// The run as it is now on the server whose log is read.
    async fn target(&self) -> Result<Target, Problem> {
        let LogKey { workspace, run, server, .. } = self.task;
        let loaded = self.api.app.executor.load::<Run>(workspace.into(), run.0).await?;
        let target = loaded.state.requested().and_then(|run| run.targets.get(&server)).cloned();
        target.ok_or_else(|| Problem::of(ProblemKind::NotFound))
    }

    /// A changed state, or the end. Sent after all lines, since lines are stored before the end. `of_run` is what
    /// was known of the run before.
    async fn look(&mut self, of_run: Option<News>) -> Result<Option<Bytes>, Problem> {
        let LogKey { attempt, .. } = self.task;
        let target = self.target().await?;
        let last = target.attempt == attempt;
        let state = if last { target.as_str() } else { SUPERSEDED };
        if target.is_ended() || !last {
            self.looked = None;
            if let Some(lines) = self.lines().await? {
                return Ok(Some(lines));
            }
            self.stage = StreamStage::Over;
            let log = if last { target.log } else { None };
            return event("end", &EndEvent { state, log }).map(Some);
        }
        self.looked = of_run;
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
