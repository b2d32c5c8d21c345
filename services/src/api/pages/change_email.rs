//! The link that proves another address.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use domain::AccountId;
use maud::html;

use super::form::SentForm;
use super::html::{Page, alert, button, form, hidden};
use super::next::Next;
use super::{CHANGE_EMAIL, link};
use crate::api::accounts::email::{CONFIRMS, confirm_by, requested_address};
use crate::api::accounts::link::LinkRequest;
use crate::api::http::problem::Problem;
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return Ok(link::paste(CHANGE_EMAIL, "Confirm your new address").answer());
    };
    draw(&request, &api, &SentForm::opened(&token, &Next::ACCOUNT), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    let account = match confirm(&request, &api, &sent).await {
        Ok(account) => account,
        Err(problem) if link::is_of_link(&problem) => return Ok(refused(&problem)),
        Err(problem) => return draw(&request, &api, &sent, Some(&problem)).await,
    };
    let content = html! {
        p { "Sign in with it from now on." }
        (link::way_on_of(&request, &api, account, &Next::ACCOUNT).await)
    };
    Ok(Page::new("Your address is changed", content).answer())
}

async fn confirm(request: &HttpRequest, api: &Api, sent: &SentForm) -> Result<AccountId, Problem> {
    let caller = sent.caller(request, api, CHANGE_EMAIL).await?;
    let link = LinkRequest::new(sent.value("token").to_owned());
    Ok(confirm_by(&link, api, &caller, sent.bytes.clone()).await?.0)
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let token = sent.value("token");
    let email = match link::account_of(api, token, (&CONFIRMS, problem)).await {
        Ok(Some(account)) => Some(requested_address(api, account).await?),
        Ok(None) => None,
        Err(over) if link::is_of_link(&over) => return Ok(refused(&over)),
        Err(over) => return Err(over),
    };
    let seal = sent.seal(request, api, (CHANGE_EMAIL, problem)).await?;
    let fields = html! { (hidden("token", token)) (button("Use this address")) };
    let content = html! {
        (alert(problem))
        @if let Some(email) = email {
            p { strong { bdi { (email.expose()) } } }
        }
        p { "It becomes the address of your account, and no mail goes to the old one." }
        p { "Was it not you? Close this page." }
        (form(CHANGE_EMAIL, &seal, fields))
    };
    let title = "Use this address from now on?";
    Ok(Page::new(title, content).refusing(problem).sealed(seal).answer())
}

fn refused(problem: &Problem) -> HttpResponse {
    let instead = html! { p { "A change of address lasts a day, and a new password ends it." } };
    link::refused(problem, instead).answer()
}
