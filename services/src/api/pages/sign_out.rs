//! Signing out in this browser.

use actix_web::http::header;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use domain::session::CloseReason;
use maud::html;

use super::form::{PageForm, Seal};
use super::html::{Page, button, form, hidden, way_on};
use super::next::Next;
use super::{SIGN_IN, SIGN_OUT, signed_in};
use crate::api::ApiData;
use crate::api::accounts::me::address_of;
use crate::api::auth::sessions::end;
use crate::api::auth::signed_in::cookie_cleared;
use crate::api::http::problem::Problem;

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let next = Next::of(&request);
    let Some(signed_in) = signed_in(&request).await? else { return Ok(signed_out(&next).answer()) };
    let seal = Seal::new(&request, &api, SIGN_OUT).await?;
    let email = address_of(&api, signed_in.account).await?;
    let fields = html! { (hidden("next", &next.to_string())) (button("Sign out")) };
    let content = html! {
        p { "You are signed in as " strong { (email.expose()) } " in this browser." }
        (form(SIGN_OUT, &seal, fields))
    };
    Ok(Page::new("Sign out?", content).sealed(seal).answer())
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, SIGN_OUT).await?;
    if let Some(signed_in) = signed_in(&request).await? {
        end(&api, &signed_in, &sent.caller, signed_in.session, CloseReason::SignedOut).await?;
    }
    let page = signed_out(&Next::read(sent.value("next")));
    Ok(page.with_header(header::SET_COOKIE, cookie_cleared()).answer())
}

fn signed_out(next: &Next) -> Page {
    let content = html! {
        p { "Nobody is signed in in this browser." }
        (way_on(&next.after(SIGN_IN), "Sign in"))
    };
    Page::new("You are signed out", content)
}
