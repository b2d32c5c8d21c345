//! Another password: the mail with the link, and the page that it opens.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::form::{PageForm, Seal};
use super::html::{Input, InputKind, Page, alert, button, form, hidden, way_on};
use super::register::PASSWORD_HINT;
use super::{RESET_PASSWORD, SIGN_IN, link};
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::password::{ForgottenPasswordRequest, RESETS, ResetPasswordRequest};
use crate::api::http::problem::Problem;
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return ask_for_address(&request, &api, "", None).await;
    };
    match LinkRequest::new(token.clone()).look(&api, &RESETS).await {
        Ok(()) => ask_for_password(&request, &api, &token, None).await,
        Err(problem) => refused(problem),
    }
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, RESET_PASSWORD).await?;
    let token = sent.value("token");
    if token.is_empty() {
        return match mail(&api, &sent).await {
            Ok(()) => Ok(mailed(sent.value("email")).answer()),
            Err(problem) => {
                ask_for_address(&request, &api, sent.value("email"), Some(&problem)).await
            }
        };
    }
    match reset(&api, &sent).await {
        Ok(()) => Ok(done().answer()),
        Err(problem) if problem.of_field("password").is_some() => {
            ask_for_password(&request, &api, token, Some(&problem)).await
        }
        Err(problem) => refused(problem),
    }
}

async fn mail(api: &Api, sent: &PageForm) -> Result<(), Problem> {
    let form: ForgottenPasswordRequest = sent.fields(&["email"])?;
    form.mail(api, &sent.caller, sent.bytes.clone()).await
}

async fn reset(api: &Api, sent: &PageForm) -> Result<(), Problem> {
    let form: ResetPasswordRequest = sent.fields(&["token", "password"])?;
    form.reset(api, &sent.caller, sent.bytes.clone()).await?;
    Ok(())
}

/// Says the same whether or not anybody has the address.
fn mailed(email: &str) -> Page {
    let content = html! {
        p {
            "If an account has the address " strong { (email) } ", a link is on its way there. It works for an \
             hour, and your password until then."
        }
    };
    Page::new("Look into your mail", content)
}

fn done() -> Page {
    let content = html! {
        p {
            "You are signed out everywhere, and your API tokens have ended. Sign in with the new password."
        }
        (way_on(SIGN_IN, "Sign in"))
    };
    Page::new("Your password is changed", content)
}

fn refused(problem: Problem) -> Result<HttpResponse, Problem> {
    Ok(link::refused(problem, way_on(RESET_PASSWORD, "Mail another link"))?.answer())
}

async fn ask_for_address(
    request: &HttpRequest,
    api: &Api,
    email: &str,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = Seal::new(request, api, RESET_PASSWORD).await?;
    let address = Input {
        name: "email",
        label: "E-mail address",
        kind: InputKind::Email,
        autocomplete: "username",
        value: email,
        hint: "",
        is_required: true,
    };
    let fields = html! { (address.draw(problem)) (button("Mail the link")) };
    let content = html! {
        (alert(problem))
        p { "We mail you a link with which you choose another one." }
        (form(RESET_PASSWORD, &seal, fields))
        nav { a href=(SIGN_IN) { "Back to the sign-in" } }
    };
    let page = Page::new("A new password", content).refusing(problem);
    Ok(page.sealed(seal).taking_old_links().answer())
}

async fn ask_for_password(
    request: &HttpRequest,
    api: &Api,
    token: &str,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = Seal::new(request, api, RESET_PASSWORD).await?;
    let password = Input {
        name: "password",
        label: "New password",
        kind: InputKind::NewPassword,
        autocomplete: "new-password",
        value: "",
        hint: PASSWORD_HINT,
        is_required: true,
    };
    let fields = html! {
        (hidden("token", token))
        (password.draw(problem))
        (button("Change the password"))
    };
    let content = html! {
        (alert(problem))
        p { "It signs you out everywhere, and ends your API tokens." }
        (form(RESET_PASSWORD, &seal, fields))
    };
    Ok(Page::new("Choose a new password", content).refusing(problem).sealed(seal).answer())
}
