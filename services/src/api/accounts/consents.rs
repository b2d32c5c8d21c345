//! Consent, given and withdrawn purpose by purpose. Withdrawing is as easy as giving (Art. 7(3)
//! GDPR): neither needs If-Match, since both are idempotent.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use domain::account::{Account, AccountCommand};
use domain::privacy::Purpose;
use infra::event_store::Step;
use projections::accounts::{Account as Row, Accounts};
use serde::Serialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use utoipa::ToSchema;

use crate::api::ApiData;
use crate::api::accounts::me::account_row;
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{done, shown_if_read};
use crate::api::http::body::Body;
use crate::api::http::fields::{Fields, FromFields, number};
use crate::api::http::position::MinPosition;
use crate::api::http::precondition::IfMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;

/// The purposes that rest on consent.
const PURPOSES: [(&str, Purpose); 2] =
    [("usage_analysis", Purpose::UsageAnalysis), ("product_news", Purpose::ProductNews)];

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_list, list)
        .refuses(&[ProblemKind::NotFound])
        .add(__path_give, give)
        .refuses(&[ProblemKind::NotByConsent, ProblemKind::ErasureRequested])
        .add(__path_withdraw, withdraw)
        .refuses(&[ProblemKind::NotByConsent, ProblemKind::ErasureRequested]);
}

#[derive(Serialize, ToSchema)]
pub struct Consents {
    items: Vec<ConsentTo>,
}

#[derive(Serialize, ToSchema)]
pub struct ConsentTo {
    purpose: &'static str,
    given: bool,
    /// Of the policy that was agreed to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_version: Option<u32>,
}

/// Every purpose that rests on consent, and whether it has been given.
#[utoipa::path(
    get, path = "/v1/me/consents", tag = "consents",
    params(MinPosition),
    responses((status = 200, body = Consents)),
)]
async fn list(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
) -> Result<HttpResponse, Problem> {
    least.reached::<Accounts>(&api).await?;
    let row = account_row(&api, signed_in.account).await?;
    let items = PURPOSES.map(|(name, purpose)| ConsentTo::of(&row, name, purpose));
    Ok(HttpResponse::Ok().json(Consents { items: items.into() }))
}

impl ConsentTo {
    fn of(row: &Row, name: &'static str, purpose: Purpose) -> Self {
        let consent = row.consents.0.get(&purpose);
        Self {
            purpose: name,
            given: consent.is_some_and(|consent| consent.given),
            policy_version: consent.map(|consent| consent.policy_version),
        }
    }
}

#[derive(ToSchema)]
#[schema(example = json!({ "policy_version": 1 }))]
pub struct GiveConsentRequest {
    /// Of the policy that was shown.
    #[schema(minimum = 1, maximum = 4_294_967_295u32)]
    policy_version: u32,
}

impl FromFields for GiveConsentRequest {
    fn read(fields: &mut Fields) -> Option<Self> {
        let version = fields.required("policy_version", number(1, u32::MAX.into()))?;
        u32::try_from(version).ok().map(|policy_version| Self { policy_version })
    }
}

/// Gives consent.
#[utoipa::path(
    put, path = "/v1/me/consents/{purpose}", tag = "consents", request_body = GiveConsentRequest,
    params(("purpose" = String, Path), IfMatch),
    responses((status = 200, body = ConsentTo,
        headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn give(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: IfMatch,
    purpose: web::Path<String>,
    body: Body<GiveConsentRequest>,
) -> Result<HttpResponse, Problem> {
    let (GiveConsentRequest { policy_version }, bytes) = body.read()?;
    let purpose = named(&purpose)?;
    let gives = AccountCommand::GiveConsent { purpose, policy_version };
    let step = matches.on(Step::new::<Account>(signed_in.account.0, gives))?;
    let request = signed_in.request(&caller, bytes);
    let receipt = api.app.executor.execute(&request, &[step]).await?;
    // What does not rest on consent has been refused.
    let of = PURPOSES.into_iter().find(|(_, of)| *of == purpose);
    let (name, purpose) = of.ok_or_else(unknown)?;
    let read = async {
        if !receipt.replayed() {
            let policy_version = Some(policy_version);
            return Ok((
                receipt.version(),
                ConsentTo { purpose: name, given: true, policy_version },
            ));
        }
        // The earlier answer may be over.
        let row = account_row(&api, signed_in.account).await?;
        Ok((row.version, ConsentTo::of(&row, name, purpose)))
    };
    Ok(shown_if_read(StatusCode::OK, &receipt, read).await)
}

/// Withdraws consent.
#[utoipa::path(
    delete, path = "/v1/me/consents/{purpose}", tag = "consents",
    params(("purpose" = String, Path), IfMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn withdraw(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: IfMatch,
    purpose: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let purpose = named(&purpose)?;
    let withdraws = AccountCommand::WithdrawConsent { purpose };
    let step = matches.on(Step::new::<Account>(signed_in.account.0, withdraws))?;
    let request = signed_in.request(&caller, vec![]);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}

/// A purpose by its name; whether it rests on consent is the account's to say.
fn named(name: &str) -> Result<Purpose, Problem> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    serde::Deserialize::deserialize(name).map_err(|_| unknown())
}

fn unknown() -> Problem {
    let names = PURPOSES.map(|(name, _)| name).join(", ");
    let detail = format!("There is no such purpose. Consent is for one of {names}.");
    Problem::new(ProblemKind::NotFound, detail)
}
