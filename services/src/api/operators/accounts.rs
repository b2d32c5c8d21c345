//! Which account has an address, for an operator who was given it.

use actix_web::HttpResponse;
use domain::CommandId;
use domain::operator::{Operator as Token, OperatorCommand};
use domain::privacy::TypedAddress;
use infra::event_store::Step;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::api::ApiData;
use crate::api::auth::caller::Caller;
use crate::api::auth::operator::{Admin, Operator};
use crate::api::http::answer::insert_position;
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, text};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::http::schemas;
use crate::operations::email_addresses::owner_of_typed;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_find, find);
}

#[derive(ToSchema)]
#[schema(example = json!({ "email": "ada@example.org" }))]
pub struct FindAccountRequest {
    #[schema(schema_with = schemas::typed_email)]
    email: TypedAddress,
}

impl FromFields for FindAccountRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", text(TypedAddress::parse))?;
        Some(Self { email })
    }
}

#[derive(Serialize, ToSchema)]
pub struct FoundAccount {
    account_id: Uuid,
}

/// The account that has this address: the whole of it, since nothing is searched by a part. Each answer is
/// recorded with the operator's token (`operator.account_found`, `operator.account_not_found`) before it is given, a
/// repeated one as well. A token may ask 30 times a minute.
#[utoipa::path(
    post, path = "/v1/admin/accounts/find", tag = "operators", request_body = FindAccountRequest,
    responses((status = 200, body = FoundAccount, headers(("Lethe-Position" = i64)))),
)]
async fn find(
    api: ApiData,
    operator: Operator<Admin>,
    caller: Caller,
    body: Body<FindAccountRequest>,
) -> Result<HttpResponse, Problem> {
    let (FindAccountRequest { email }, _) = body.read()?;
    api.limits.account_search(operator.id())?;
    let found = owner_of_typed(&api.app, &email).await?;
    let finds = match found {
        Some(account) => OperatorCommand::FindAccount { account },
        None => OperatorCommand::FindNoAccount,
    };
    let mut request = operator.request(operator.tenant(), (&caller, vec![]));
    // The address may be another's by the time that a request is repeated.
    request.command = CommandId(api.app.ids.uuid());
    let step = Step::new::<Token>(operator.id().0, finds);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    let account = found.ok_or_else(|| {
        Problem::new(ProblemKind::NotFound, "No account has this address: send the whole of it.")
    })?;
    let mut answer = HttpResponse::Ok();
    insert_position(&mut answer, &receipt);
    Ok(answer.json(FoundAccount { account_id: account.0 }))
}
