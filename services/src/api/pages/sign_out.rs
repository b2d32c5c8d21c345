//! Signing out in this browser.

use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use domain::session::CloseReason;
use maud::html;

use super::form::SentForm;
use super::html::{Page, alert, button, form, hidden, way_on};
use super::next::Next;
use super::{SIGN_IN, SIGN_OUT, signed_in};
use crate::api::accounts::me::address_of;
use crate::api::auth::sessions::end;
use crate::api::auth::signed_in::cookie_cleared;
use crate::api::http::problem::Problem;
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    draw(&request, &api, &SentForm::opened("", &Next::of(&request)), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    if let Err(problem) = sign_out(&request, &api, &sent).await {
        return draw(&request, &api, &sent, Some(&problem)).await;
    }
    let page = signed_out(&sent.next());
    Ok(page.with_header(header::SET_COOKIE, cookie_cleared()).answer())
}

async fn sign_out(request: &HttpRequest, api: &Api, sent: &SentForm) -> Result<(), Problem> {
    let caller = sent.caller(request, api, SIGN_OUT).await?;
    if let Some(signed_in) = signed_in(request).await? {
        end(api, &signed_in, &caller, signed_in.session, CloseReason::SignedOut).await?;
    }
    Ok(())
}

/// Whatever is wrong with the form: where nobody is signed in, nothing is left to do.
async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let next = sent.next();
    let Some(signed_in) = signed_in(request).await? else { return Ok(signed_out(&next).answer()) };
    let seal = sent.seal(request, api, (SIGN_OUT, problem)).await?;
    let email = address_of(api, signed_in.account).await?;
    let fields = html! { (hidden("next", &next.to_string())) (button("Sign out")) };
    let content = html! {
        (alert(problem))
        p { "You are signed in as " strong { bdi { (email.expose()) } } " in this browser." }
        (form(SIGN_OUT, &seal, fields))
    };
    Ok(Page::new("Sign out?", content).refusing(problem).sealed(seal).answer())
}

fn signed_out(next: &Next) -> Page {
    let content = html! {
        p { "Nobody is signed in in this browser." }
        (way_on(&next.after(SIGN_IN), "Sign in"))
    };
    Page::new("You are signed out", content)
}
