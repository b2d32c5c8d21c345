//! The caller in a workspace: decided before anything else of a request is looked at, so that what
//! is another tenant's looks the same as what is not there.

use std::collections::BTreeSet;

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use domain::workspace::{Right, Role, Workspace, WorkspaceAction, WorkspaceError};
use domain::{AccountId, ActorId, ApiTokenId, SessionId, TenantId, WorkspaceId};
use infra::api_tokens::ApiTokenRow;
use infra::event_store::Request;

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::{PathWorkspace, named, nothing};
use crate::api::auth::signed_in::{SignedIn, api_token};
use crate::api::http::actions::Actions;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::operations::lease_seat::SeatMember;

/// A live member of the workspace that the path names.
#[derive(Clone, Debug)]
pub struct Member {
    pub workspace: WorkspaceId,
    pub account: AccountId,
    pub role: Role,
    /// The session of a person; or else there is a token, with some of the member's rights.
    pub session: Option<SessionId>,
    pub token: Option<Scoped>,
    /// What the request does; `None` if no handler is for the method.
    action: Option<WorkspaceAction>,
}

/// A token that acts for a member.
#[derive(Clone, Debug)]
pub struct Scoped {
    pub id: ApiTokenId,
    pub rights: BTreeSet<Right>,
}

impl Member {
    pub fn tenant(&self) -> TenantId {
        self.workspace.into()
    }

    pub fn actor(&self) -> ActorId {
        self.token.as_ref().map_or_else(|| self.account.into(), |token| token.id.into())
    }

    /// # Errors
    /// A role, or a token, that does not have the right that the action needs.
    pub fn authorise(&self) -> Result<(), Problem> {
        let action = self.action.ok_or_else(|| Problem::of(ProblemKind::Internal))?;
        self.needs(action.right())
    }

    /// For a right beside that of the action.
    ///
    /// # Errors
    /// A role, or a token, that does not have the right.
    pub fn needs(&self, right: Right) -> Result<(), Problem> {
        let in_scope = self.token.as_ref().is_none_or(|token| token.rights.contains(&right));
        if self.role.may(right) && in_scope {
            return Ok(());
        }
        let detail = format!(
            "This needs the right {}: of the member's role, and in the scopes of the token.",
            right.as_str()
        );
        Err(Problem::new(ProblemKind::Forbidden, detail))
    }

    /// # Errors
    /// The caller is a token, and only people may do this.
    pub fn in_person(&self) -> Result<(), Problem> {
        if self.session.is_some() {
            return Ok(());
        }
        Err(Problem::new(
            ProblemKind::Forbidden,
            "An API token cannot do this: sign in as a person.",
        ))
    }

    /// This member, for operations on the seats of the workspace.
    pub fn of_seats(&self) -> SeatMember {
        SeatMember { workspace: self.workspace, account: self.account }
    }

    /// A command of this member, on streams of the workspace.
    pub fn request(&self, caller: &Caller, body: Vec<u8>) -> Request {
        let actor = Some(self.actor());
        let mut request = caller.request(self.tenant(), caller.command(actor), actor, body);
        request.session = self.session;
        request
    }
}

/// Finds the caller, for a path with a workspace in it, and keeps it with the request.
///
/// # Errors
/// Nobody is signed in; there is no such workspace, or the caller is no member of it; or it can only
/// be read until its deletion is cancelled.
pub async fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let shown = request.request();
    if matches!(named::<WorkspaceId>(shown), Ok(None)) {
        return Ok(());
    }
    let authenticated = Authenticated::of(shown).await?;
    authenticated.limit(&*Api::of(shown)?)?;
    let (member, workspace) = authenticated.in_workspace(shown).await?;
    request.extensions_mut().insert(member);
    request.extensions_mut().insert(workspace);
    Ok(())
}

/// Finds the caller again, for a request that is still being answered. It is not counted as another
/// request.
///
/// # Errors
/// As of [`admit`].
pub async fn find(request: &HttpRequest) -> Result<Member, Problem> {
    let (member, _) = Authenticated::of(request).await?.in_workspace(request).await?;
    Ok(member)
}

/// Whether a request is possible before a requested deletion is cancelled. A method without a handler
/// is refused like a change, unless it is GET or HEAD.
fn is_allowed_in_grace(request: &HttpRequest, action: Option<WorkspaceAction>) -> bool {
    let reads = || matches!(*request.method(), Method::GET | Method::HEAD);
    action.map_or_else(reads, WorkspaceAction::allowed_in_grace)
}

/// How a request to a workspace is authenticated.
enum Authenticated {
    Person(SignedIn),
    Token(ApiTokenRow),
}

impl Authenticated {
    async fn of(request: &HttpRequest) -> Result<Self, Problem> {
        let Some(token) = api_token(request) else {
            return SignedIn::find(request).await.map(Self::Person);
        };
        let found = Api::of(request)?.app.api_tokens.find(token).await?;
        found.map(Self::Token).ok_or_else(|| Problem::of(ProblemKind::Unauthorised))
    }

    fn limit(&self, api: &Api) -> Result<(), Problem> {
        match self {
            Self::Person(signed_in) => api.limits.account(signed_in.account),
            Self::Token(found) => api.limits.account(found.token),
        }
    }

    async fn in_workspace(
        &self,
        request: &HttpRequest,
    ) -> Result<(Member, PathWorkspace), Problem> {
        let workspace = named::<WorkspaceId>(request).ok().flatten();
        let workspace = workspace.filter(|workspace| self.may_be_of(*workspace));
        let workspace = workspace.ok_or_else(nothing)?;
        let api = Api::of(request)?;
        let loaded = api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
        let live = loaded.state.live().ok_or_else(nothing)?;
        let mut member = self.member(workspace, &loaded.state, api.app.clock.now())?;
        let action = Actions::of(request);
        if live.deletion.is_some() && !is_allowed_in_grace(request, action) {
            return Err(WorkspaceError::DeletionRequested.into());
        }
        member.action = action;
        Ok((member, PathWorkspace::new(workspace, loaded)))
    }

    fn may_be_of(&self, workspace: WorkspaceId) -> bool {
        match self {
            Self::Person(_) => true,
            Self::Token(found) => found.workspace == workspace,
        }
    }

    fn member(
        &self,
        workspace: WorkspaceId,
        state: &Workspace,
        now: DateTime<Utc>,
    ) -> Result<Member, Problem> {
        match *self {
            Self::Person(SignedIn { account, session }) => {
                let role = state.role_of(account).ok_or_else(nothing)?;
                Ok(Member {
                    workspace,
                    account,
                    role,
                    session: Some(session),
                    token: None,
                    action: None,
                })
            }
            Self::Token(ApiTokenRow { token: id, .. }) => {
                // Revoked, or its member belongs no more.
                let (token, role) =
                    state.token(id, now).ok_or_else(|| Problem::of(ProblemKind::Unauthorised))?;
                let scoped = Scoped { id, rights: token.rights.clone() };
                let account = token.account;
                Ok(Member {
                    workspace,
                    account,
                    role,
                    session: None,
                    token: Some(scoped),
                    action: None,
                })
            }
        }
    }
}

impl FromRequest for Member {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().cloned();
        std::future::ready(found.ok_or_else(nothing))
    }
}
