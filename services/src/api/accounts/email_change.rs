//! A change of address that waits for its link: seen, and cancelled.

use actix_web::HttpResponse;
use chrono::{DateTime, Utc};
use domain::account::{Account, AccountCommand};
use domain::privacy::{AccountEmail, EmailAddress};
use infra::event_store::Step;
use projections::accounts::{Account as Row, Accounts};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::accounts::me::{account_row, own};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::answer::{at_version, done};
use crate::api::http::position::MinPosition;
use crate::api::http::precondition::IfMatch;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::http::routes::Routes;
use crate::api::{Api, ApiData};
use crate::unseal::Unsealer;

pub fn routes(routes: &mut Routes) {
    routes
        .add(__path_show, show)
        .refuses(&[ProblemKind::NotFound])
        .add(__path_cancel, cancel)
        .refuses(&[ProblemKind::ErasureRequested]);
}

#[derive(Serialize, ToSchema)]
#[schema(as = EmailChange)]
pub struct EmailChangeView {
    /// The address that the link was sent to.
    #[schema(value_type = String, format = Email)]
    email: EmailAddress,
    requested_at: DateTime<Utc>,
    /// The end of the link: the change ends with it.
    expires_at: DateTime<Utc>,
}

/// The change of address that waits for its link to be followed.
#[utoipa::path(
    get, path = "/v1/me/email-change", tag = "accounts",
    params(MinPosition),
    responses((status = 200, body = EmailChangeView, headers(("ETag" = String)))),
)]
async fn show(
    api: ApiData,
    signed_in: SignedIn,
    least: MinPosition,
) -> Result<HttpResponse, Problem> {
    least.reached::<Accounts>(&api).await?;
    let row = account_row(&api, signed_in.account).await?;
    let view = waiting(&api, &row).await?;
    Ok(at_version(row.version, view))
}

/// The change that waits.
///
/// # Errors
/// None does.
pub(super) async fn waiting(api: &Api, row: &Row) -> Result<EmailChangeView, Problem> {
    let person = Unsealer::of_account(&api.app.keyring.sealer, row.account_id);
    let email = own::<AccountEmail>(&person, row.pending_email.as_deref()).await?;
    let times = row.pending_email_since.zip(row.pending_email_until);
    let waits = email.zip(times).filter(|(_, (_, until))| api.app.clock.now() < *until);
    let (email, (requested_at, expires_at)) =
        waits.ok_or_else(|| Problem::of(ProblemKind::NotFound))?;
    Ok(EmailChangeView { email, requested_at, expires_at })
}

/// Cancels the change: its link no longer works. Needs no password, since it takes nothing away.
#[utoipa::path(
    delete, path = "/v1/me/email-change", tag = "accounts",
    params(IfMatch),
    responses((status = 204, headers(("ETag" = String), ("Lethe-Position" = String)))),
)]
async fn cancel(
    api: ApiData,
    signed_in: SignedIn,
    caller: Caller,
    matches: IfMatch,
) -> Result<HttpResponse, Problem> {
    let cancels = Step::new::<Account>(signed_in.account.0, AccountCommand::CancelEmailChange);
    let step = matches.on(cancels)?;
    let request = signed_in.request(&caller, vec![]);
    Ok(done(&api.app.executor.execute(&request, &[step]).await?))
}
