//! The audit trail as JSON Lines: a snapshot at one position, page by page, in constant memory.

use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{HttpRequest, HttpResponse};
use bytes::BufMut;
use domain::operator::{Operator as Token, OperatorCommand};
use domain::{ActorId, CommandId, TenantId};
use futures_util::stream::{self, Stream};
use infra::event_store::{Request, Step};
use infra::ids::derived;
use infra::log::Feed;
use infra::postgres::PgError;
use ring::digest::{Context, SHA256};
use serde::Serialize;
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::audit::event::AuditEvent;
use crate::api::audit::filter::{Filter, UNFIT};
use crate::api::auth::caller::Caller;
use crate::api::auth::operator::{Audit, Operator};
use crate::api::auth::readmission::Readmission;
use crate::api::http::answer::insert_position;
use crate::api::http::body::Query;
use crate::api::http::fields::{Fields, FromFields};
use crate::api::http::listing::ListFilter;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

/// Events that are read at once.
const PAGE: i64 = 500;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_export, export).refuses_values(&UNFIT);
}

impl FromFields for Filter {
    fn read(fields: &mut Fields) -> Option<Self> {
        <Self as ListFilter>::read(fields)
    }
}

/// The trail up to now, one event a line. The last line is a trailer:
/// `{"trailer":{"events":n,"through":p,"sha256":"..."}}`, its SHA-256 over all bytes before it.
/// It breaks off without a trailer when the token is revoked or expires meanwhile.
/// To continue an export that broke off, send `after`, the last position that arrived.
#[utoipa::path(
    get, path = "/v1/audit/export", tag = "audit", params(Filter),
    responses((status = 200, content_type = "application/x-ndjson", body = String)),
)]
async fn export(
    api: ApiData,
    operator: Operator<Audit>,
    caller: Caller,
    filter: Query<Filter>,
    shown: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let Query(filter) = filter;
    let client = api.app.pool.get().await.map_err(PgError::from)?;
    let head = Feed::head(&client).await.map_err(|error| Problem::unavailable(&error))?;
    drop(client);
    let through = filter.before.map_or(head, |before| head.min(before.saturating_sub(1)));
    let actor = operator.actor();
    let request = operator.request(operator.tenant(), (&caller, vec![]));
    let starts = OperatorCommand::StartExport { through };
    let step = Step::new::<Token>(operator.id().0, starts);
    // Committed before the first byte goes out.
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let ending = Ending { api, token: operator.id().0, actor, started: request.command, through };
    let export = Export {
        after: filter.after.unwrap_or_default(),
        filter,
        hash: Context::new(&SHA256),
        readmission: Readmission::of_auditor(&shown),
        ending: Guard { ending: Some(ending), events: 0 },
        stage: ExportStage::Lines,
    };
    let mut answer = HttpResponse::Ok();
    insert_position(&mut answer, &receipt);
    Ok(answer
        .insert_header((header::CONTENT_TYPE, "application/x-ndjson"))
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\""))
        .streaming(chunks(export)))
}

fn chunks(export: Export) -> impl Stream<Item = Result<Bytes, Problem>> {
    stream::unfold(Some(export), |export| async {
        let mut export = export?;
        match export.next().await {
            Ok(Some(chunk)) => Some((Ok(chunk), Some(export))),
            Ok(None) => None,
            Err(problem) => Some((Err(problem), None)),
        }
    })
}

struct Export {
    after: i64,
    filter: Filter,
    hash: Context,
    readmission: Readmission,
    ending: Guard,
    stage: ExportStage,
}

#[derive(Clone, Copy)]
enum ExportStage {
    Lines,
    Trailer,
    Sent,
}

#[derive(Serialize)]
struct Trailer {
    trailer: Summary,
}

#[derive(Serialize)]
struct Summary {
    events: u64,
    through: i64,
    sha256: String,
}

impl Export {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            match self.stage {
                ExportStage::Lines => {
                    let chunk = self.lines().await?;
                    if !chunk.is_empty() {
                        return Ok(Some(chunk));
                    }
                }
                ExportStage::Trailer => {
                    self.stage = ExportStage::Sent;
                    return self.trailer().map(Some);
                }
                ExportStage::Sent => {
                    self.ending.finish().await?;
                    return Ok(None);
                }
            }
        }
    }

    /// The lines of the next page; none where no event of it is let through.
    async fn lines(&mut self) -> Result<Bytes, Problem> {
        let Some(Ending { api, through, .. }) = &self.ending.ending else {
            return Ok(Bytes::new());
        };
        let client = api.app.pool.get().await.map_err(PgError::from)?;
        let page = Feed::page(&client, self.after, PAGE.min(through - self.after).max(1)).await;
        drop(client);
        let page = page.map_err(|error| Problem::unavailable(&error))?;
        if !self.readmission.stands().await? {
            return Err(Problem::of(ProblemKind::OperatorNeeded));
        }
        let mut lines = BytesMut::new();
        for event in page.iter().take_while(|event| event.position() <= *through) {
            self.after = event.position();
            if !self.filter.lets_through(event) {
                continue;
            }
            let line = AuditEvent::recorded(event).map_err(|error| Problem::internal(&error))?;
            write_line(&mut lines, &line)?;
            self.ending.events += 1;
        }
        if self.after >= *through || page.is_empty() {
            self.stage = ExportStage::Trailer;
        }
        self.hash.update(&lines);
        Ok(lines.freeze())
    }

    fn trailer(&self) -> Result<Bytes, Problem> {
        let through = self.ending.ending.as_ref().map_or(0, |ending| ending.through);
        let sha256 = hex::encode(self.hash.clone().finish());
        let trailer = Trailer { trailer: Summary { events: self.ending.events, through, sha256 } };
        let mut line = BytesMut::new();
        write_line(&mut line, &trailer)?;
        Ok(line.freeze())
    }
}

fn write_line(to: &mut BytesMut, line: &impl Serialize) -> Result<(), Problem> {
    serde_json::to_writer(to.writer(), line).map_err(|error| Problem::internal(&error))?;
    to.put_u8(b'\n');
    Ok(())
}

/// Appends how an export ended, also when its client has disconnected.
struct Guard {
    ending: Option<Ending>,
    events: u64,
}

struct Ending {
    api: ApiData,
    token: Uuid,
    actor: ActorId,
    started: CommandId,
    through: i64,
}

impl Guard {
    async fn finish(&mut self) -> Result<(), Problem> {
        let Some(ending) = self.ending.take() else { return Ok(()) };
        ending.append(self.events, true).await
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let events = self.events;
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(ending), Ok(runtime)) = (self.ending.take(), runtime) {
            runtime.spawn(async move {
                if let Err(problem) = ending.append(events, false).await {
                    tracing::error!(%problem, "the event about the end of an export was not appended");
                }
            });
        }
    }
}

impl Ending {
    async fn append(self, events: u64, complete: bool) -> Result<(), Problem> {
        let command = CommandId(derived(self.started, "finish"));
        let mut request = Request::new(TenantId(self.token), command);
        request.actor = Some(self.actor);
        let finishes = OperatorCommand::FinishExport { through: self.through, events, complete };
        let step = Step::new::<Token>(self.token, finishes);
        self.api.app.executor.execute(&request, &[step]).await?;
        Ok(())
    }
}
