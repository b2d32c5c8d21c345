//! The log of a run on one server: lines, bytes, or a stream of lines as they come.

use actix_web::body::SizedStream;
use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use domain::ServerId;
use domain::workspace::WorkspaceAction;
use futures_util::{StreamExt, stream};
use infra::run_log::{LogKey, LogPage, LogPart};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::ApiData;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::{PathId, PathRun};
use crate::api::auth::readmission::Readmission;
use crate::api::http::body::Query;
use crate::api::http::byte_range::{ByteRange, Ranged};
use crate::api::http::fields::{Fields, FromFields, digits, one_of};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::runs::log_line::to_json;
use crate::api::runs::log_over::{refuse_if_damaged, refuse_if_over};
use crate::api::runs::log_stream;

const LINES: i64 = 500;
const LINES_MAX: i64 = 2000;
const PIECE_BYTES: u64 = 256 * 1024;
/// The `after` of the next page.
const NEXT: &str = "Lethe-Log-Next";
/// How many of the first lines are over.
const OVER: &str = "Lethe-Log-Over";

pub fn routes(routes: &mut Routes) {
    routes.add_action(WorkspaceAction::ReadRunLog, __path_read, read).refuses(&[
        ProblemKind::BadHeader,
        ProblemKind::LogExpired,
        ProblemKind::RangeNotSatisfiable,
        ProblemKind::TooManyStreams,
    ]);
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Out,
    Err,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogQuery {
    /// By default the last one.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 4_294_967_295i64)]
    attempt: Option<u32>,
    /// The line after which to go on; by default from the first.
    #[param(value_type = Option<i64>, minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    after: Option<u64>,
    /// Of lines. A page has fewer at the end of what is stored, and where they have 4 MiB.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 2000)]
    limit: usize,
    /// `out` or `err` alone; as bytes just as it was written and masked.
    #[param(value_type = Option<String>, pattern = r"^(?:out|err)$")]
    stream: Option<Side>,
}

impl LogQuery {
    const fn part(&self) -> LogPart {
        match self.stream {
            Some(Side::Out) => LogPart::Out,
            Some(Side::Err) => LogPart::Err,
            None => LogPart::All,
        }
    }
}

impl FromFields for LogQuery {
    fn read(fields: &mut Fields) -> Option<Self> {
        let attempt = fields.optional("attempt", digits(1, i64::from(u32::MAX)));
        let after = fields.optional("after", digits(0, i64::MAX));
        let limit = fields.optional("limit", digits(1, LINES_MAX));
        let stream = fields.optional("stream", one_of("out, err"));
        Some(Self {
            attempt: attempt?.and_then(|attempt| u32::try_from(attempt).ok()),
            after: after?.map(i64::unsigned_abs),
            limit: usize::try_from(limit?.unwrap_or(LINES)).ok()?,
            stream: stream?,
        })
    }
}

/// A log, by what is accepted: `application/x-ndjson` (a line of JSON each, and by default),
/// `text/plain` (bytes, with ranges) or `text/event-stream` (lines as they come; it goes on after
/// Last-Event-ID, and its `end` has the final state and the log's SHA-256). A page of lines names the next one,
/// as long as more is stored, by `Lethe-Log-Next` (its `after`) and `Link`. Lines are kept for 30 days: a log of
/// which some are over begins with a line of the stream `lethe` that says so, its other lines and bytes keep their
/// numbers, and `Lethe-Log-Over` says how many lines are over; one of which all are over is 410.
#[utoipa::path(
    get, path = "/v1/workspaces/{workspace_id}/runs/{run_id}/servers/{server_id}/log", tag = "runs",
    params(("workspace_id" = Uuid, Path), ("run_id" = Uuid, Path), ("server_id" = Uuid, Path), LogQuery,
        ("Last-Event-ID" = Option<i64>, Header, minimum = 0, maximum = 9_223_372_036_854_775_807i64),
        ("Range" = Option<String>, Header)),
    responses(
        (status = 200, content(
            (String = "application/x-ndjson"),
            (String = "text/plain"),
            (String = "text/event-stream"),
        ), headers(("Lethe-Run-State" = String), ("Lethe-Log-Next" = i64), ("Lethe-Log-Over" = i64),
            ("Link" = String))),
        (status = 206, content_type = "text/plain", body = String),
    ),
)]
async fn read(
    api: ApiData,
    member: Member,
    run: PathRun,
    server: PathId<ServerId>,
    query: Query<LogQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let Query(query) = query;
    let server = server.get()?;
    let last = run.target(server)?;
    let attempt = query.attempt.unwrap_or(last.attempt);
    if attempt > last.attempt {
        return Err(Problem::of(ProblemKind::NotFound));
    }
    let task = LogKey { workspace: member.workspace, run: run.id, server, attempt };
    let state = if attempt == last.attempt { last.as_str() } else { log_stream::SUPERSEDED };
    let accepted = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let accepts = |kind| accepted.is_some_and(|accepted| accepted.contains(kind));
    if accepts("text/event-stream") {
        let after = match log_stream::last_event(&request)? {
            Some(last) => last,
            None => query.after.unwrap_or_default(),
        };
        refuse_if_over(&api, &run, &task).await?;
        return log_stream::answer(&api, &member, &request, (task, query.part()), after);
    }
    if accepts("text/plain") {
        return bytes(&api, &request, &run, (task, query.part()), state).await;
    }
    let after = query.after.unwrap_or_default();
    let page = api.app.run_logs.read(&task, query.part(), after, query.limit).await?;
    if page.lines.is_empty() {
        refuse_if_over(&api, &run, &task).await?;
    }
    refuse_if_damaged(&api, run.id, page.over).await?;
    lines(page, &next_of(&request, &query, attempt), state)
}

/// The address of the next page, without the number after which it begins.
fn next_of(request: &HttpRequest, query: &LogQuery, attempt: u32) -> String {
    let stream = match query.stream {
        Some(Side::Out) => "&stream=out",
        Some(Side::Err) => "&stream=err",
        None => "",
    };
    format!("{}?attempt={attempt}&limit={}{stream}&after=", request.path(), query.limit)
}

fn lines(page: LogPage, next_of: &str, state: &'static str) -> Result<HttpResponse, Problem> {
    let mut body = Vec::new();
    for line in page.lines {
        body.extend(to_json(line)?);
        body.push(b'\n');
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("Lethe-Run-State", state)).content_type("application/x-ndjson");
    if let Some(next) = page.next {
        answer
            .insert_header((NEXT, next.to_string()))
            .insert_header((header::LINK, format!("<{next_of}{next}>; rel=\"next\"")));
    }
    if page.over > 0 {
        answer.insert_header((OVER, page.over.to_string()));
    }
    Ok(answer.body(body))
}

async fn bytes(
    api: &ApiData,
    request: &HttpRequest,
    run: &PathRun,
    (task, part): (LogKey, LogPart),
    state: &'static str,
) -> Result<HttpResponse, Problem> {
    let extent = api.app.run_logs.extent(&task, part).await?;
    if extent.begins == extent.ends {
        refuse_if_over(api, run, &task).await?;
    }
    refuse_if_damaged(api, run.id, extent.over).await?;
    let Ranged { status, from, until } =
        ByteRange::of(request).within(extent.begins, extent.ends)?;
    let is_whole = status == StatusCode::OK && part == LogPart::All;
    let remark = (is_whole && extent.over > 0)
        .then(|| Bytes::from(api.app.run_logs.remark_of_over(extent.over)));
    let length = until - from + remark.as_ref().map_or(0, |remark| remark.len() as u64);
    let (api, readmission) = (api.clone(), Readmission::of_member(request));
    let pieces = stream::try_unfold((from, readmission), move |(at, mut readmission)| {
        let api = api.clone();
        async move {
            if at >= until {
                return Ok::<_, Problem>(None);
            }
            let end = until.min(at + PIECE_BYTES);
            let piece = api.app.run_logs.read_range(&task, part, at, end).await?;
            // The client sees that the body is shorter than it should be.
            if !readmission.stands().await? {
                return Err(Problem::of(ProblemKind::Unauthorised));
            }
            let next = at + piece.len() as u64;
            Ok((!piece.is_empty()).then(|| (Bytes::from(piece), (next, readmission))))
        }
    });
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header(("Lethe-Run-State", state))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .content_type("text/plain; charset=utf-8");
    if extent.over > 0 {
        answer.insert_header((OVER, extent.over.to_string()));
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let last = until.saturating_sub(1);
        let range = format!("bytes {from}-{last}/{}", extent.ends);
        answer.insert_header((header::CONTENT_RANGE, range));
    }
    let body = stream::iter(remark.map(Ok)).chain(pieces);
    Ok(answer.body(SizedStream::new(length, Box::pin(body))))
}
