//! The link that proves another address.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::form::{PageForm, Seal};
use super::html::{Page, button, form, hidden, way_on};
use super::{ACCOUNT, CHANGE_EMAIL, link};
use crate::api::ApiData;
use crate::api::accounts::email::{CONFIRMS, confirm_by};
use crate::api::accounts::link::LinkRequest;
use crate::api::http::problem::Problem;

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return Ok(link::paste(CHANGE_EMAIL, "Confirm your new address").answer());
    };
    if let Err(problem) = LinkRequest::new(token.clone()).look(&api, &CONFIRMS).await {
        return refused(problem);
    }
    let seal = Seal::new(&request, &api, CHANGE_EMAIL).await?;
    let fields = html! { (hidden("token", &token)) (button("Use this address")) };
    let content = html! {
        p { "From then on your account has the address that this link was mailed to, and no mail goes to the old one." }
        (form(CHANGE_EMAIL, &seal, fields))
    };
    Ok(Page::new("Use this address from now on?", content).sealed(seal).answer())
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, CHANGE_EMAIL).await?;
    let link = LinkRequest::new(sent.value("token").to_owned());
    if let Err(problem) = confirm_by(&link, &api, &sent.caller, sent.bytes.clone()).await {
        return refused(problem);
    }
    let content = html! {
        p { "Sign in with it from now on." }
        (way_on(ACCOUNT, "Go on"))
    };
    Ok(Page::new("Your address is changed", content).answer())
}

fn refused(problem: Problem) -> Result<HttpResponse, Problem> {
    let instead = html! { p { "A change of address lasts a day, and a new password ends it." } };
    Ok(link::refused(problem, instead)?.answer())
}
