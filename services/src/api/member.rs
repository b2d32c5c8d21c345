//! Who asks, in a workspace: decided before anything else of a request is looked at, so that what
//! is another tenant's looks the same as what is not there.

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use domain::workspace::{Right, Role, Workspace};
use domain::{AccountId, ActorId, SessionId, TenantId, WorkspaceId};
use infra::event_store::Request;

use super::Api;
use super::auth::SignedIn;
use super::caller::Caller;
use super::problem::{Kind, Problem};

/// The name of the workspace's id in a path.
pub const IN_PATH: &str = "workspace";

/// A live member of the workspace that the path names.
#[derive(Clone, Debug)]
pub struct Member {
    pub workspace: WorkspaceId,
    pub account: AccountId,
    pub role: Role,
    pub session: Option<SessionId>,
}

impl Member {
    pub fn tenant(&self) -> TenantId {
        self.workspace.into()
    }

    pub fn actor(&self) -> ActorId {
        self.account.into()
    }

    /// # Errors
    /// A role that does not have the right.
    pub fn needs(&self, right: Right) -> Result<(), Problem> {
        if self.role.may(right) {
            return Ok(());
        }
        let detail = format!("This needs the right {}.", right.word());
        Err(Problem::new(Kind::Forbidden, detail))
    }

    /// # Errors
    /// A token asks for what only people do.
    pub fn in_person(&self) -> Result<(), Problem> {
        if self.session.is_some() {
            return Ok(());
        }
        Err(Problem::new(Kind::Forbidden, "No token does this: sign in."))
    }

    /// A command of this member, on streams of the workspace.
    pub fn request(&self, caller: &Caller, body: Vec<u8>) -> Request {
        let actor = Some(self.actor());
        let mut request = caller.request(self.tenant(), caller.command(actor), actor, body);
        request.session = self.session;
        request
    }
}

/// Finds out who asks, for a path with a workspace in it, and keeps it with the request.
///
/// # Errors
/// Nobody is signed in; or there is no such workspace, or none of theirs.
pub async fn admit(request: &ServiceRequest) -> Result<(), Problem> {
    if let Some(member) = find(request.request()).await? {
        request.extensions_mut().insert(member);
    }
    Ok(())
}

/// Who asks now; none for a path without a workspace in it.
///
/// # Errors
/// As above.
pub async fn find(request: &HttpRequest) -> Result<Option<Member>, Problem> {
    let Some(workspace) = request.match_info().get(IN_PATH) else { return Ok(None) };
    let workspace: Option<WorkspaceId> = workspace.parse().ok();
    let signed_in = SignedIn::of(request).await?;
    let nothing = || Problem::of(Kind::NotFound);
    let workspace = workspace.ok_or_else(nothing)?;
    let api = Api::of(request)?;
    let loaded = api.app.executor.load::<Workspace>(workspace.into(), workspace.0).await?;
    let role = loaded.state.role_of(signed_in.account).ok_or_else(nothing)?;
    let (account, session) = (signed_in.account, Some(signed_in.session));
    Ok(Some(Member { workspace, account, role, session }))
}

impl FromRequest for Member {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = request.extensions().get::<Self>().cloned();
        std::future::ready(found.ok_or_else(|| Problem::of(Kind::NotFound)))
    }
}
