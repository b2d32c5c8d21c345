//! The keys between Lethe and a server: the server's own, observed and approved by a person, and
//! the one that Lethe shows to it.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use domain::server::{Fingerprint, Server, ServerCommand};
use domain::workspace::WorkspaceAction;
use infra::event_store::Step;
use infra::keyring::SealError;
use infra::remote::{Identity, IdentityError};
use infra::server_credentials::ServerCredentialsError;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::member::Member;
use crate::api::auth::path_resources::PathServer;
use crate::api::auth::step_up::step_up;
use crate::api::http::answer::written;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, parsed, secret};
use crate::api::http::idempotency::IdempotencyKey;
use crate::api::http::precondition::MustMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::servers::change::answer;
use crate::api::servers::view::{CredentialView, ServerView};
use crate::operations::attach_credential::{
    AttachCredential, AttachCredentialError, AttachedCredential,
};

pub fn routes(routes: &mut Routes) {
    routes
        .add_action(WorkspaceAction::ApproveHostKey, __path_approve, approve)
        .refuses(&[ProblemKind::PasswordWrong, ProblemKind::Refused])
        .refuses_values(&[(
            "/fingerprint",
            "this is neither the observed key nor an announced one",
        )]);
    routes
        .add_action(WorkspaceAction::AttachCredential, __path_attach, attach)
        .refuses(&[ProblemKind::Refused])
        .refuses_values(&[
            ("/generate", "there is a private_key, too; or neither of them"),
            ("/passphrase", "the key does not open with it, or needs one"),
            ("/private_key", "this is no key, or of an algorithm that is not supported"),
        ]);
}

#[derive(ToSchema)]
#[schema(example = json!({ "fingerprint": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "password": "correct horse battery" }))]
pub struct ApproveHostKeyRequest {
    /// `SHA256:` and 43 letters, as `ssh-keygen -lf` shows it on the server itself.
    #[schema(
        value_type = String, min_length = 50, max_length = 50,
        pattern = r"^SHA256:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]$"
    )]
    fingerprint: Fingerprint,
    /// The password of whoever approves, once more: a stolen session is not enough.
    #[schema(value_type = String, format = Password, min_length = 1)]
    password: SecretString,
}

impl FromFields for ApproveHostKeyRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let fingerprint =
            fields.required("fingerprint", parsed("a fingerprint: SHA256: and 43 characters"));
        let password = fields.required("password", secret);
        Some(Self { fingerprint: fingerprint?, password: password? })
    }
}

/// Approves the host key that was observed, or one of the proposals in place of the approved one. From
/// then on nothing connects to a server that shows another. Only a person does this, with the password.
#[utoipa::path(
    post, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/host-key/approve", tag = "servers",
    request_body = ApproveHostKeyRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MustMatch,
        IdempotencyKey),
    responses((status = 200, body = ServerView,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn approve(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    server: PathServer,
    body: Body<ApproveHostKeyRequest>,
) -> Result<HttpResponse, Problem> {
    member.in_person()?;
    member.authorise()?;
    let (form, bytes) = body.read()?;
    let mut request = member.request(&caller, bytes);
    // A repeated request needs no password, whatever has become of it since.
    if let Some(earlier) = api.app.executor.find_earlier(&request).await? {
        return Ok(answer(&api, &member, server.id, &earlier).await);
    }
    let approves = ServerCommand::ApproveHostKey { fingerprint: form.fingerprint };
    let step = matches.0.on_path(Step::new::<Server>(server.id.0, approves), &server)?;
    step_up(&api, &mut request, member.account, &form.password).await?;
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    Ok(answer(&api, &member, server.id, &receipt).await)
}

/// Either `generate`, or a key of one's own.
#[derive(ToSchema)]
#[schema(example = json!({ "generate": true }))]
pub struct AttachCredentialRequest {
    /// Makes a new ed25519 key, whose private half nobody ever sees.
    #[schema(value_type = Option<bool>)]
    generate: bool,
    /// In OpenSSH's format, PKCS#1 or PKCS#8: ed25519, ECDSA, or RSA of 2048 bits at least.
    #[schema(value_type = Option<String>, format = Password, min_length = 1)]
    private_key: Option<SecretString>,
    /// Used once, to open the key; it is not kept.
    #[schema(value_type = Option<String>, format = Password, min_length = 1)]
    passphrase: Option<SecretString>,
}

impl FromFields for AttachCredentialRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let generate = fields.optional("generate", |value| {
            value.as_bool().ok_or_else(|| "this must be true or false".to_owned())
        });
        let private_key = fields.optional("private_key", secret);
        let passphrase = fields.optional("passphrase", secret);
        Some(Self {
            generate: generate?.unwrap_or_default(),
            private_key: private_key?,
            passphrase: passphrase?,
        })
    }
}

impl AttachCredentialRequest {
    /// On a thread that may take its time: to open a key with a passphrase is work.
    async fn identity(self) -> Result<Identity, Problem> {
        let Self { generate, private_key, passphrase } = self;
        let key = match (generate, private_key) {
            (true, None) => return Identity::generate().map_err(unfit),
            (false, Some(key)) => key,
            (true, Some(_)) | (false, None) => {
                let either = "this must be true, or private_key must be given, and not both";
                return Err(Problem::field("generate", either));
            }
        };
        let parse = move || {
            let passphrase = passphrase.as_ref().map(ExposeSecret::expose_secret);
            Identity::parse(key.expose_secret(), passphrase)
        };
        let parsed = web::block(parse).await.map_err(|error| Problem::unavailable(&error))?;
        parsed.map_err(unfit)
    }
}

fn unfit(error: IdentityError) -> Problem {
    match error {
        IdentityError::PassphraseNeeded | IdentityError::Passphrase => {
            Problem::field("passphrase", error.to_string())
        }
        IdentityError::Format | IdentityError::Encryption | IdentityError::Algorithm => {
            Problem::field("private_key", error.to_string())
        }
        IdentityError::Random(_) => Problem::unavailable(&error),
    }
}

#[derive(Serialize, ToSchema)]
pub struct AttachCredentialResponse {
    #[serde(flatten)]
    credential: CredentialView,
    /// To be put into `authorized_keys` on the server. Absent when it has been replaced since.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_line: Option<String>,
}

/// Gives the server a key that Lethe shows to it, in place of the one before. The private half
/// stays sealed, and no answer ever holds it.
#[utoipa::path(
    put, path = "/v1/workspaces/{workspace_id}/servers/{server_id}/credential", tag = "servers",
    request_body = AttachCredentialRequest,
    params(("workspace_id" = Uuid, Path), ("server_id" = Uuid, Path), MustMatch,
        IdempotencyKey),
    responses((status = 200, body = AttachCredentialResponse,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn attach(
    api: ApiData,
    member: Member,
    caller: Caller,
    matches: MustMatch,
    server: PathServer,
    body: Body<AttachCredentialRequest>,
) -> Result<HttpResponse, Problem> {
    member.authorise()?;
    let (form, bytes) = body.read()?;
    api.limits.server_check(member.account)?;
    let identity = form.identity().await?;
    let attach = AttachCredential {
        workspace: member.workspace,
        server: server.id,
        identity,
        expected: matches.0.versions_of(&server)?,
    };
    let attached = attach.execute(&api.app, &member.request(&caller, bytes)).await?;
    let AttachedCredential { receipt, credential, public_line } = attached;
    let response = AttachCredentialResponse { credential: credential.into(), public_line };
    Ok(written(StatusCode::OK, &receipt).json(response))
}

impl From<ServerCredentialsError> for Problem {
    fn from(error: ServerCredentialsError) -> Self {
        match error {
            ServerCredentialsError::Open(error) => error.into(),
            ServerCredentialsError::Unavailable(error) => error.into(),
            ServerCredentialsError::Seal(SealError::Erased(_)) => Self::of(ProblemKind::NotFound),
            error @ (ServerCredentialsError::Seal(_) | ServerCredentialsError::Identity(_)) => {
                Self::unavailable(&error)
            }
        }
    }
}

impl From<AttachCredentialError> for Problem {
    fn from(error: AttachCredentialError) -> Self {
        match error {
            AttachCredentialError::Erased => Self::of(ProblemKind::NotFound),
            AttachCredentialError::Store(error) => error.into(),
            AttachCredentialError::Execute(error) => error.into(),
            AttachCredentialError::Postgres(error) => error.into(),
            error @ (AttachCredentialError::Feed(_)
            | AttachCredentialError::Decode(_)
            | AttachCredentialError::OtherEvent) => Self::unavailable(&error),
        }
    }
}
