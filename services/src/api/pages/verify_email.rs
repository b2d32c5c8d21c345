//! The link that proves an address, and another mail with it.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::form::{PageForm, Seal};
use super::html::{Page, alert, button, form, hidden, way_on};
use super::next::{Next, go_to};
use super::{ACCOUNT, SIGN_IN, VERIFY_EMAIL, link, signed_in};
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::address_of;
use crate::api::accounts::register::{VERIFIES, mail_again, verify_by};
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return without_link(&request, &api, None).await;
    };
    if let Err(problem) = LinkRequest::new(token.clone()).look(&api, &VERIFIES).await {
        return refused(&request, problem).await;
    }
    let seal = Seal::new(&request, &api, VERIFY_EMAIL).await?;
    let fields = html! { (hidden("token", &token)) (button("Yes, it is mine")) };
    let content = html! {
        p {
            "An account was opened with the address that this link was mailed to. Confirm that the address is \
             yours, and that it was you."
        }
        (form(VERIFY_EMAIL, &seal, fields))
    };
    Ok(Page::new("Is this your address?", content).sealed(seal).answer())
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, VERIFY_EMAIL).await?;
    let token = sent.value("token");
    if token.is_empty() {
        return mail_another(&request, &api, &sent).await;
    }
    let link = LinkRequest::new(token.to_owned());
    match verify_by(&link, &api, &sent.caller, sent.bytes.clone()).await {
        Ok(_) => Ok(confirmed(&request).await?.answer()),
        Err(problem) => refused(&request, problem).await,
    }
}

async fn confirmed(request: &HttpRequest) -> Result<Page, Problem> {
    let way_on = match signed_in(request).await? {
        Some(_) => way_on(ACCOUNT, "Go on"),
        None => way_on(SIGN_IN, "Sign in"),
    };
    let content = html! { p { "We know now that mail to it reaches you." } (way_on) };
    Ok(Page::new("Your address is confirmed", content))
}

async fn refused(request: &HttpRequest, problem: Problem) -> Result<HttpResponse, Problem> {
    if problem.kind() == ProblemKind::AlreadyDone {
        return Ok(confirmed(request).await?.answer());
    }
    Ok(link::refused(problem, way_on(VERIFY_EMAIL, "Mail another link"))?.answer())
}

/// Whoever is signed in gets another mail.
async fn without_link(
    request: &HttpRequest,
    api: &Api,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let title = "Confirm your address";
    let Some(signed_in) = signed_in(request).await? else {
        let content = html! {
            p { "Follow the link in the mail that we sent you. To get another mail, sign in." }
            (way_on(&Next::to(VERIFY_EMAIL).after(SIGN_IN), "Sign in"))
        };
        return Ok(Page::new(title, content).taking_old_links().answer());
    };
    let email = address_of(api, signed_in.account).await?;
    let seal = Seal::new(request, api, VERIFY_EMAIL).await?;
    let content = html! {
        (alert(problem))
        p {
            "Follow the link in the mail that we sent to " strong { (email.expose()) } ". It is not there? \
             We mail another one, and the earlier link no longer works."
        }
        (form(VERIFY_EMAIL, &seal, button("Mail another link")))
    };
    Ok(Page::new(title, content).refusing(problem).sealed(seal).taking_old_links().answer())
}

async fn mail_another(
    request: &HttpRequest,
    api: &Api,
    sent: &PageForm,
) -> Result<HttpResponse, Problem> {
    let Some(signed_in) = signed_in(request).await? else {
        return Ok(go_to(&Next::to(VERIFY_EMAIL).after(SIGN_IN)).finish());
    };
    match mail_again(api, &signed_in, &sent.caller, sent.bytes.clone()).await {
        Ok(_) => {
            let text = "Another link is on its way. It works for three days, and the earlier one no longer.";
            Ok(Page::new("Look into your mail", html! { p { (text) } }).answer())
        }
        Err(problem) if problem.kind() == ProblemKind::AlreadyDone => {
            Ok(confirmed(request).await?.answer())
        }
        Err(problem) => without_link(request, api, Some(&problem)).await,
    }
}
