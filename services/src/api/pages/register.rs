//! Opening an account.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::form::SentForm;
use super::html::{Input, InputKind, Page, alert, button, form, hidden, way_on};
use super::next::{Next, go_to};
use super::{REGISTER, SIGN_IN, signed_in};
use crate::api::accounts::register::RegisterRequest;
use crate::api::http::problem::Problem;
use crate::api::{Api, ApiData};

const FIELDS: [&str; 4] = ["name", "username", "email", "password"];

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
    match register(&request, &api, &sent).await {
        Ok(()) => Ok(registered(sent.value("email"), &sent.next()).answer()),
        Err(problem) => draw(&request, &api, &sent, Some(&problem)).await,
    }
}

async fn register(request: &HttpRequest, api: &Api, sent: &SentForm) -> Result<(), Problem> {
    let caller = sent.caller(request, api, REGISTER).await?;
    let form: RegisterRequest = sent.fields(&FIELDS)?;
    form.register(api, &caller, sent.bytes.clone()).await?;
    Ok(())
}

fn registered(email: &str, next: &Next) -> Page {
    let content = html! {
        p {
            "Your account is open. We mailed a link to " strong { bdi { (email) } } ". Follow it within three \
             days: it shows that the address is yours."
        }
        @if next.is_invitation() {
            p { "First follow that link. Then open the invitation again." }
            (way_on(&next.to_string(), "Open the invitation"))
        } @else {
            (way_on(&next.after(SIGN_IN), "Sign in"))
        }
    };
    Page::new("Look into your mail", content)
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let seal = sent.seal(request, api, (REGISTER, problem)).await?;
    let next = sent.next();
    let fields = html! {
        (hidden("next", &next.to_string()))
        @for input in inputs(|name| sent.value(name)) { (input.draw(problem)) }
        (button("Open the account"))
    };
    let content: Markup = html! {
        (alert(problem))
        (form(REGISTER, &seal, fields))
        nav { a href=(next.after(SIGN_IN)) { "I have an account" } }
    };
    Ok(Page::new("Open an account", content).refusing(problem).sealed(seal).answer())
}

fn inputs<'a>(typed: impl Fn(&'static str) -> &'a str) -> [Input<'a>; 4] {
    let input = |name: &'static str, label, kind: InputKind, autocomplete, hint| {
        let value = if kind == InputKind::NewPassword { "" } else { typed(name) };
        let is_required = name != "username";
        Input { name, label, kind, autocomplete, value, hint, is_required }
    };
    [
        input("name", "Name", InputKind::Text, "name", ""),
        input("username", "Username", InputKind::Text, "nickname", ""),
        input("email", "E-mail address", InputKind::Email, "email", ""),
        input("password", "Password", InputKind::NewPassword, "new-password", PASSWORD_HINT),
    ]
}

/// What a new password needs.
pub const PASSWORD_HINT: &str =
    "At least 12 characters: a few words in a row are easy to keep in mind.";
