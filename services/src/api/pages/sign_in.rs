//! Signing in, and going on from there.

use actix_web::cookie::Cookie;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::form::SentForm;
use super::html::{Input, InputKind, Page, alert, button, form, hidden};
use super::next::{Next, go_to};
use super::{REGISTER, RESET_PASSWORD, SIGN_IN, signed_in};
use crate::api::auth::sign_in::BrowserSignIn;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let next = Next::of(&request);
    if signed_in(&request).await?.is_some() {
        return Ok(go_to(&next.to_string()).finish());
    }
    draw(&request, &api, &SentForm::opened("", &next), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    let next = sent.next().to_string();
    let problem = match sign_in(&request, &api, &sent).await {
        Ok(cookie) => return Ok(go_to(&next).cookie(cookie).finish()),
        Err(problem) => problem,
    };
    // The first of two clicks, or another tab, has signed in.
    if problem.kind() == ProblemKind::FormOver && signed_in(&request).await?.is_some() {
        return Ok(go_to(&next).finish());
    }
    draw(&request, &api, &sent, Some(&problem)).await
}

async fn sign_in(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
) -> Result<Cookie<'static>, Problem> {
    let caller = sent.caller(request, api, SIGN_IN).await?;
    let BrowserSignIn(form) = sent.fields(&["email", "password"])?;
    let opened = form.sign_in(api, &caller, sent.bytes.clone()).await?;
    // The form is sent again after what it opened is over.
    opened.cookie().ok_or_else(|| Problem::of(ProblemKind::FormOver))
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let (seal, next) = (sent.seal(request, api, (SIGN_IN, problem)).await?, sent.next());
    let address = Input {
        name: "email",
        label: "E-mail address",
        kind: InputKind::Email,
        autocomplete: "username",
        value: sent.value("email"),
        hint: "",
        is_required: true,
    };
    let password = Input {
        name: "password",
        label: "Password",
        kind: InputKind::Password,
        autocomplete: "current-password",
        value: "",
        hint: "",
        is_required: true,
    };
    let fields = html! {
        (hidden("next", &next.to_string()))
        (address.draw(problem))
        (password.draw(problem))
        (button("Sign in"))
    };
    let content = html! {
        (alert(problem))
        (form(SIGN_IN, &seal, fields))
        nav {
            a href=(next.after(REGISTER)) { "Open an account" }
            a href=(RESET_PASSWORD) { "Forgot the password?" }
        }
    };
    Ok(Page::new("Sign in", content).refusing(problem).sealed(seal).answer())
}
