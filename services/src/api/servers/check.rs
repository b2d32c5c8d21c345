//! Checks a server during a request: which stage a connection reaches. The answer does not hold what
//! the server sent, or whether a port is closed or silent, so that Lethe cannot be used as a scanner.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use domain::server::ConnectFailure;
use domain::workspace::WorkspaceAction;
use infra::event_store::Receipt;
use infra::remote::{Connection, Limits, RemoteError};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::http::answer::{if_read, written};
use crate::api::http::body::Body;
use crate::api::http::fields::Nothing;
use crate::api::http::precondition::etag;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::servers::preflight::{self, PreflightFact, look_for_runs};
use crate::api::servers::view::{HostKeyProposal, HostKeyView, WatchStopped, proposals, stopped};
use crate::api::{Api, ApiData};
use crate::operations::connect::{
    ConnectError, address, announce_host_keys, connect_to, observe_host_key,
};
use crate::operations::watch_again::watch_again;

/// Together with the next one shorter than an answer may take.
const WITHIN: Duration = Duration::from_secs(12);
/// For the proofs of announced host keys. What is not appended in time is announced to the next connection.
const ANNOUNCED_WITHIN: Duration = Duration::from_secs(2);
const COMMAND: &str = "true";
const COMMAND_LIMITS: Limits = Limits { within: Duration::from_secs(5), bytes_max: 4096 };

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::CheckServer, __path_check, check)
        .refuses(&[ProblemKind::Refused]);
}

/// What a connection goes through, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStage {
    /// The name has an address, and the egress policy lets us go there.
    Address,
    /// TCP, identification and key exchange, as one.
    Connection,
    /// It is the key that a person approved.
    HostKey,
    Authentication,
    Command,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageResult {
    Ok,
    Failed,
    NotTried,
}

#[derive(Serialize, ToSchema)]
pub struct CheckedStage {
    stage: CheckStage,
    result: StageResult,
}

#[derive(Serialize, ToSchema)]
pub struct CheckServerResponse {
    /// Whether a command ran on the server, and nothing is known that keeps runs from being started there.
    ok: bool,
    stages: Vec<CheckedStage>,
    /// Why it went no further, where there is more to say than which stage it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    host_key: HostKeyView,
    /// As of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key_proposals: Option<Vec<HostKeyProposal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch_stopped: Option<WatchStopped>,
    /// What the server is like for runs. Absent where no command was answered, or there was no time for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Vec<PreflightFact>>,
}

/// How far a check came: the first stage that failed, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed(CheckStage),
    /// Nothing is wrong so far, and a person has to do something before it goes on.
    Waits(CheckStage, &'static str),
}

const ALL: [CheckStage; 5] = [
    CheckStage::Address,
    CheckStage::Connection,
    CheckStage::HostKey,
    CheckStage::Authentication,
    CheckStage::Command,
];

const APPROVE: &str = "Compare the fingerprint with the server's own, and approve it.";
const MISMATCH: &str = "The server shows another host key than the approved one. Nothing connects \
                        to it until a person approves one of the two.";
const ATTACH: &str = "The server has no credential yet.";
const UNFIT: &str =
    "No run starts on the server: preflight says what it lacks, and what can be done.";

impl Outcome {
    fn stages(self) -> Vec<CheckedStage> {
        let result = |stage| match self {
            Self::Done => StageResult::Ok,
            Self::Failed(failed) | Self::Waits(failed, _) if stage < failed => StageResult::Ok,
            Self::Failed(failed) if stage == failed => StageResult::Failed,
            Self::Failed(_) | Self::Waits(..) => StageResult::NotTried,
        };
        ALL.into_iter().map(|stage| CheckedStage { stage, result: result(stage) }).collect()
    }

    const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Done | Self::Failed(_) => None,
            Self::Waits(_, detail) => Some(detail),
        }
    }
}

const fn stage(cause: ConnectFailure) -> CheckStage {
    match cause {
        ConnectFailure::Address => CheckStage::Address,
        ConnectFailure::Tcp | ConnectFailure::Identification => CheckStage::Connection,
        ConnectFailure::HostKey => CheckStage::HostKey,
        ConnectFailure::Authentication => CheckStage::Authentication,
        ConnectFailure::Command => CheckStage::Command,
    }
}

/// Connects to the server as far as it is let. Without an approved host key that is to its key,
/// which is kept to be approved; with one, and with a credential, to a command. Other host keys that the
/// server announces then and proves to hold are kept as proposals. If nobody watched the server any more,
/// since it refused its credential, it is watched again once a command ran. What a run needs of the server is
/// looked at then, `sudo -n true` included, of which a server may keep a record.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/check", tag = "servers",
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path)),
    responses((status = 200, body = CheckServerResponse,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn check(
    api: ApiData,
    member: Member,
    server: PathServer,
    body: Body<Nothing>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    body.read()?;
    member.readmit(&api).await?;
    api.limits.server_check(member.account)?;
    // The body may come long after the admission: a host key that was stopped since is not used.
    let server = server.reload(&api, member.tenant()).await?;
    let began = Instant::now();
    let (mut observed, mut reached, mut found) = (None, None, None);
    let outcome = if server.live()?.is_usable() {
        timeout(WITHIN, run_check(&api, &member, &server, &mut reached)).await
    } else {
        timeout(WITHIN, look(&api, &member, &server, &mut observed)).await
    };
    let was_cut_short = outcome.is_err();
    let outcome = outcome.unwrap_or(Ok(Outcome::Failed(CheckStage::Connection)))?;
    if let Some(connection) = reached {
        found = look_for_runs(&connection, WITHIN.saturating_sub(began.elapsed())).await;
        let announced = announce_host_keys(&api.app, member.workspace, server.id, &connection);
        // What the check has found does not depend on it.
        let _ = timeout(ANNOUNCED_WITHIN, announced).await;
    }
    if outcome == Outcome::Done {
        observed = watch_again(&api.app, member.workspace, server.id, server.live()?).await?;
    }
    let read = async {
        let after = server.reload(&api, member.tenant()).await?;
        let live = after.live()?;
        let is_unfit = found.as_ref().is_some_and(|found| found.blocker().is_some());
        let checked = CheckServerResponse {
            ok: outcome == Outcome::Done && !is_unfit,
            stages: outcome.stages(),
            detail: outcome.detail().or(is_unfit.then_some(UNFIT)),
            host_key: live.host_key.into(),
            host_key_proposals: proposals(&live.proposals),
            watch_stopped: stopped(live.watch),
            preflight: found.as_ref().map(preflight::view),
        };
        Ok::<_, Problem>((after.version, checked))
    };
    // What was appended is answered, whatever can be read behind it.
    let may_have_appended =
        observed.is_some() || was_cut_short || outcome == Outcome::Failed(CheckStage::HostKey);
    let read = if may_have_appended { if_read(read).await } else { Some(read.await?) };
    let answer = observed.map(|receipt| written(StatusCode::OK, &receipt));
    let mut answer = answer.unwrap_or_else(HttpResponse::Ok);
    Ok(match read {
        Some((version, checked)) => {
            answer.insert_header((header::ETAG, etag(version))).json(checked)
        }
        None => answer.finish(),
    })
}

/// To the server's key, and no further.
async fn look(
    api: &Api,
    member: &Member,
    server: &PathServer,
    observed: &mut Option<Receipt>,
) -> Result<Outcome, Problem> {
    let live = server.live()?;
    let address = address(&api.app.keyring.sealer, member.workspace, live).await?;
    let approved = live.host_key.pinned().map(|key| key.algorithm);
    let seen = match api.app.remote.observe_first(&address, approved).await {
        Ok(seen) => seen,
        Err(error) => return Ok(Outcome::Failed(stage(error.cause()))),
    };
    let loaded = server.loaded();
    *observed = observe_host_key(&api.app, member.workspace, server.id, &loaded, seen).await?;
    Ok(match live.host_key.pinned() {
        Some(approved) if approved.fingerprint == seen.fingerprint => {
            Outcome::Waits(CheckStage::Authentication, ATTACH)
        }
        Some(_) => Outcome::Failed(CheckStage::HostKey),
        None if matches!(live.host_key, domain::server::HostKey::Mismatched { .. }) => {
            Outcome::Waits(CheckStage::HostKey, MISMATCH)
        }
        None => Outcome::Waits(CheckStage::HostKey, APPROVE),
    })
}

/// `reached` is the connection on which a command was answered.
async fn run_check(
    api: &Api,
    member: &Member,
    server: &PathServer,
    reached: &mut Option<Connection>,
) -> Result<Outcome, Problem> {
    let connection = match connect_to(&api.app, member.workspace, server.id, &server.loaded()).await
    {
        Ok(connection) => connection,
        Err(ConnectError::Remote(error)) => return Ok(Outcome::Failed(stage(error.cause()))),
        Err(ConnectError::NotApproved) => return Ok(Outcome::Waits(CheckStage::HostKey, APPROVE)),
        Err(ConnectError::NoCredential) => {
            return Ok(Outcome::Waits(CheckStage::Authentication, ATTACH));
        }
        Err(ConnectError::Unknown) => return Err(Problem::of(ProblemKind::NotFound)),
        Err(error @ ConnectError::Unavailable(_)) => return Err(Problem::unavailable(&error)),
    };
    let ran = connection.exec(COMMAND, &[], COMMAND_LIMITS).await;
    match ran {
        Ok(ran) => {
            *reached = Some(connection);
            let did = ran.exit == Some(0);
            Ok(if did { Outcome::Done } else { Outcome::Failed(CheckStage::Command) })
        }
        Err(
            RemoteError::Address(_)
            | RemoteError::HostKey { .. }
            | RemoteError::Refused(_)
            | RemoteError::TimedOut(_)
            | RemoteError::Lost(_)
            | RemoteError::TooMuch,
        ) => Ok(Outcome::Failed(CheckStage::Command)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(outcome: Outcome) -> Vec<StageResult> {
        outcome.stages().into_iter().map(|stage| stage.result).collect()
    }

    #[test]
    fn what_comes_after_a_failure_was_not_tried() {
        use StageResult::{Failed, NotTried, Ok};
        assert_eq!(results(Outcome::Done), [Ok; 5]);
        let failed = Outcome::Failed(CheckStage::HostKey);
        assert_eq!(results(failed), [Ok, Ok, Failed, NotTried, NotTried]);
        let waits = Outcome::Waits(CheckStage::HostKey, APPROVE);
        assert_eq!(results(waits), [Ok, Ok, NotTried, NotTried, NotTried]);
    }

    #[test]
    fn a_closed_port_and_a_silent_one_look_the_same() {
        assert_eq!(stage(ConnectFailure::Tcp), stage(ConnectFailure::Identification));
    }
}
