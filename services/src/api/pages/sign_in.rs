//! Signing in, and going on from there.

use actix_web::cookie::Cookie;
use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::form::{PageForm, Seal};
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
    draw(&request, &api, (&next, ""), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = PageForm::read(&request, &api, payload, SIGN_IN).await?;
    let next = Next::read(sent.value("next"));
    match sign_in(&api, &sent).await {
        Ok(cookie) => Ok(go_to(&next.to_string()).cookie(cookie).finish()),
        Err(problem) => draw(&request, &api, (&next, sent.value("email")), Some(&problem)).await,
    }
}

async fn sign_in(api: &Api, sent: &PageForm) -> Result<Cookie<'static>, Problem> {
    let BrowserSignIn(form) = sent.fields(&["email", "password"])?;
    let opened = form.sign_in(api, &sent.caller, sent.bytes.clone()).await?;
    // The form is sent again after what it opened is over.
    opened.cookie().ok_or_else(|| Problem::of(ProblemKind::FormOver))
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    (next, email): (&Next, &str),
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = Seal::new(request, api, SIGN_IN).await?;
    let address = Input {
        name: "email",
        label: "E-mail address",
        kind: InputKind::Email,
        autocomplete: "username",
        value: email,
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
