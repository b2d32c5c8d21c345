//! Another password: the mail with the link, and the page that it opens.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use domain::AccountId;
use maud::html;

use super::form::SentForm;
use super::html::{Input, InputKind, Page, alert, button, form, hidden, way_on};
use super::next::Next;
use super::register::PASSWORD_HINT;
use super::{RESET_PASSWORD, SIGN_IN, link};
use crate::api::accounts::password::{ForgottenPasswordRequest, RESETS, ResetPasswordRequest};
use crate::api::http::problem::Problem;
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let token = link::token(&request).unwrap_or_default();
    draw(&request, &api, &SentForm::opened(&token, &Next::ACCOUNT), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    if sent.value("token").is_empty() {
        return match mail(&request, &api, &sent).await {
            Ok(()) => Ok(mailed(sent.value("email")).answer()),
            Err(problem) => draw(&request, &api, &sent, Some(&problem)).await,
        };
    }
    match reset(&request, &api, &sent).await {
        Ok(account) => Ok(done(&request, &api, account).await.answer()),
        Err(problem) if link::is_of_link(&problem) => Ok(refused(&problem)),
        Err(problem) => draw(&request, &api, &sent, Some(&problem)).await,
    }
}

async fn mail(request: &HttpRequest, api: &Api, sent: &SentForm) -> Result<(), Problem> {
    let caller = sent.caller(request, api, RESET_PASSWORD).await?;
    let form: ForgottenPasswordRequest = sent.fields(&["email"])?;
    form.mail(api, &caller, sent.bytes.clone()).await
}

async fn reset(request: &HttpRequest, api: &Api, sent: &SentForm) -> Result<AccountId, Problem> {
    let caller = sent.caller(request, api, RESET_PASSWORD).await?;
    let form: ResetPasswordRequest = sent.fields(&["token", "password"])?;
    Ok(form.reset(api, &caller, sent.bytes.clone()).await?.0)
}

/// Says the same whether or not anybody has the address.
fn mailed(email: &str) -> Page {
    let content = html! {
        p {
            "If an account has the address " strong { bdi { (email) } } ", a link is on its way there. It works for an \
             hour, and your password until then."
        }
        nav { a href=(RESET_PASSWORD) { "No mail comes?" } }
    };
    Page::new("Look into your mail", content)
}

async fn done(request: &HttpRequest, api: &Api, account: AccountId) -> Page {
    let content = html! {
        p {
            "You are signed out everywhere, and your API tokens have ended. Sign in with the new password."
        }
        (link::way_on_of(request, api, account, &Next::ACCOUNT).await)
    };
    Page::new("Your password is changed", content)
}

fn refused(problem: &Problem) -> HttpResponse {
    link::refused(problem, way_on(RESET_PASSWORD, "Mail another link")).answer()
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let token = sent.value("token");
    if token.is_empty() {
        return ask_for_address(request, api, sent, problem).await;
    }
    match link::account_of(api, token, (&RESETS, problem)).await {
        Ok(_) => ask_for_password(request, api, sent, problem).await,
        Err(over) if link::is_of_link(&over) => Ok(refused(&over)),
        Err(over) => Err(over),
    }
}

async fn ask_for_address(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = sent.seal(request, api, (RESET_PASSWORD, problem)).await?;
    let address = Input {
        name: "email",
        label: "E-mail address",
        kind: InputKind::Email,
        autocomplete: "username",
        value: sent.value("email"),
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
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = sent.seal(request, api, (RESET_PASSWORD, problem)).await?;
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
        (hidden("token", sent.value("token")))
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
