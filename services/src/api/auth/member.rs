//! The caller in a workspace: decided before anything else of a request is looked at, so that what
//! is another tenant's looks the same as what is not there.

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use chrono::{DateTime, Utc};
use domain::workspace::{
    Acting, ActingAccount, Actor, Right, Role, Workspace, WorkspaceAction, WorkspaceCommand,
};
use domain::{AccountId, ActorId, ApiTokenId, ApiTokenSecretId, TenantId, WorkspaceId};
use infra::api_tokens::ApiTokenRow;
use infra::event_store::{Guard, Request};

use crate::api::Api;
use crate::api::auth::caller::Caller;
use crate::api::auth::path_resources::{PathWorkspace, named, nothing};
use crate::api::auth::signed_in::{SignedIn, acts, api_token};
use crate::api::http::actions::Actions;
use crate::api::http::position::PositionHolder;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::operations::lease_seat::SeatMember;

/// A live member of the workspace that the path names.
#[derive(Clone, Debug)]
pub struct Member {
    pub workspace: WorkspaceId,
    pub account: AccountId,
    pub role: Role,
    acting: Acting,
    credentials: Credentials,
    /// What the request does; `None` if no handler is for the method.
    action: Option<WorkspaceAction>,
}

/// What the caller has shown.
#[derive(Clone, Copy, Debug)]
enum Credentials {
    /// A person, with a session.
    Person(SignedIn),
    /// A token that acts for a member, with some of the member's rights.
    Token(ApiTokenId, ApiTokenSecretId),
}

impl Credentials {
    fn actor(self) -> Actor {
        match self {
            Self::Person(signed_in) => Actor::Member(signed_in.account),
            Self::Token(token, secret) => Actor::Token(token, secret),
        }
    }
}

impl Member {
    pub fn tenant(&self) -> TenantId {
        self.workspace.into()
    }

    pub fn actor(&self) -> ActorId {
        match self.credentials {
            Credentials::Person(signed_in) => signed_in.account.into(),
            Credentials::Token(token, _) => token.into(),
        }
    }

    /// # Errors
    /// A role, or a token, that does not have the right that the action needs.
    pub fn authorise(&self) -> Result<(), Problem> {
        let action = self.action.ok_or_else(|| Problem::of(ProblemKind::Internal))?;
        self.needs(action.right())
    }

    /// For a right beside that of the action: [`Self::request_with`] has the append need it, too.
    ///
    /// # Errors
    /// A role, or a token, that does not have the right.
    pub fn needs(&self, right: Right) -> Result<(), Problem> {
        Ok(self.acting.needs(right)?)
    }

    /// # Errors
    /// The caller is a token, and only people may do this.
    pub fn in_person(&self) -> Result<SignedIn, Problem> {
        match self.credentials {
            Credentials::Person(signed_in) => Ok(signed_in),
            Credentials::Token(..) => Err(Problem::new(
                ProblemKind::Forbidden,
                "An API token cannot do this: sign in as a person.",
            )),
        }
    }

    /// This member, for operations on the seats of the workspace.
    pub fn of_seats(&self) -> SeatMember {
        SeatMember { workspace: self.workspace, account: self.account }
    }

    /// A command of this member, on streams of the workspace. It is refused if, when its events are
    /// appended, the member may not do what the request does any more.
    pub fn request(&self, caller: &Caller, body: Vec<u8>) -> Request {
        self.guarded(caller, body, self.action, None)
    }

    /// As [`Self::request`], with a right beside that of the action.
    pub fn request_with(&self, also: Right, caller: &Caller, body: Vec<u8>) -> Request {
        self.guarded(caller, body, self.action, Some(also))
    }

    /// As [`Self::request`], for what whoever belongs to the workspace may do.
    pub fn request_without_right(&self, caller: &Caller, body: Vec<u8>) -> Request {
        self.guarded(caller, body, None, None)
    }

    fn guarded(
        &self,
        caller: &Caller,
        body: Vec<u8>,
        action: Option<WorkspaceAction>,
        also: Option<Right>,
    ) -> Request {
        let actor = Some(self.actor());
        let mut request = caller.request(self.tenant(), caller.command(actor), actor, body);
        if let Credentials::Person(signed_in) = self.credentials {
            request.session = Some(signed_in.session);
        }
        request.guards = self.guards(action, also, caller.now());
        request
    }

    fn guards(
        &self,
        action: Option<WorkspaceAction>,
        also: Option<Right>,
        now: DateTime<Utc>,
    ) -> Vec<Guard> {
        let acts = WorkspaceCommand::Act { by: self.credentials.actor(), action, also, now };
        let mut guards = vec![Guard::new::<Workspace>(self.tenant(), self.workspace.0, acts)];
        if let Credentials::Person(signed_in) = self.credentials {
            guards.push(signed_in.guard());
        }
        guards.extend(action.and_then(|action| needs_account(action, &self.acting)));
        guards
    }

    /// Whether the member may still do what the request does: for what appends nothing, once the body has
    /// come.
    ///
    /// # Errors
    /// As of [`admit`], and of [`Self::authorise`].
    pub async fn readmit(&self, api: &Api) -> Result<(), Problem> {
        api.app.executor.check(&self.guards_of_now(api)).await?;
        Ok(())
    }

    /// The member may still do what the request does: for what is written beside the log.
    pub fn guards_of_now(&self, api: &Api) -> Vec<Guard> {
        self.guards(self.action, None, api.app.clock.now())
    }
}

/// Finds the caller, for a path of a workspace's members, and keeps it with the request.
///
/// # Errors
/// Nobody is signed in; there is no such workspace, or the caller is no member of it; or it can only
/// be read until its deletion is cancelled, or somebody owns it.
pub async fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    let shown = request.request();
    if !Actions::are_at(shown) {
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

/// What the action needs of the account besides, when it is done. A service account has nobody who could leave, or an
/// address: whoever made it had one.
fn needs_account(action: WorkspaceAction, acting: &Acting) -> Option<Guard> {
    let account = acting.account;
    match action.account() {
        _ if acting.is_service_account => None,
        ActingAccount::Any => None,
        ActingAccount::Stays => Some(acts(account, false)),
        ActingAccount::Verified => Some(acts(account, true)),
    }
}

/// A method without a handler is refused like a change where nothing begins, unless it is one of these.
fn reads(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
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
        let found = found.ok_or_else(|| Problem::of(ProblemKind::Unauthorised))?;
        request.extensions_mut().insert(PositionHolder::Caller(found.workspace.into()));
        Ok(Self::Token(found))
    }

    fn limit(&self, api: &Api) -> Result<(), Problem> {
        match self {
            Self::Person(signed_in) => api.limits.account(signed_in.account),
            // Whoever has a former secret does not use up what the present one may.
            Self::Token(found) => api.limits.account(found.secret),
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
        let credentials = self.credentials();
        let acting = loaded.state.acting(credentials.actor(), api.app.clock.now())?;
        let action = Actions::of(request);
        match action {
            Some(action) => live.allows(action)?,
            None if !reads(request) => live.may_begin()?,
            None => {}
        }
        let Acting { account, role, .. } = acting;
        // Whoever lacks the right hears of that, and not of what the account lacks.
        let may = action.filter(|action| acting.needs(action.right()).is_ok());
        if let Some(guard) = may.and_then(|action| needs_account(action, &acting)) {
            api.app.executor.check(&[guard]).await?;
        }
        let member = Member { workspace, account, role, acting, credentials, action };
        Ok((member, PathWorkspace::new(workspace, loaded)))
    }

    fn may_be_of(&self, workspace: WorkspaceId) -> bool {
        match self {
            Self::Person(_) => true,
            Self::Token(found) => found.workspace == workspace,
        }
    }

    fn credentials(&self) -> Credentials {
        match *self {
            Self::Person(signed_in) => Credentials::Person(signed_in),
            Self::Token(ApiTokenRow { token, secret, .. }) => Credentials::Token(token, secret),
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
