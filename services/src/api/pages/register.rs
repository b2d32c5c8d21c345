//! Opening an account.

use actix_web::HttpResponse;
use maud::html;

use super::html::{Input, InputKind, Page, button, hidden, way_on};
use super::next::go_to;
use super::visit::{FormPage, Outcome, Visit};
use super::{REGISTER, SIGN_IN};
use crate::api::accounts::register::RegisterRequest;
use crate::api::http::problem::Problem;

const FIELDS: [&str; 4] = ["name", "username", "email", "password"];

pub struct Register;

impl FormPage for Register {
    const NAME: &'static str = REGISTER;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        let next = visit.next();
        if visit.problem.is_none() && visit.signed_in().await?.is_some() {
            return Ok(go_to(&next.to_string()).finish());
        }
        let fields = html! {
            (hidden("next", &next.to_string()))
            @for input in inputs(|name| visit.value(name)) { (input.draw(visit.problem)) }
            (button("Open the account"))
        };
        let page = visit.page((REGISTER, "Open an account"), fields, |form| {
            html! { (form) nav { a href=(next.after(SIGN_IN)) { "I have an account" } } }
        });
        Ok(page.await?.answer())
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let (caller, bytes) = visit.caller(REGISTER).await?;
        let form: RegisterRequest = visit.sent.fields(&FIELDS)?;
        form.register(visit.api, &caller, bytes).await?;
        Ok(Outcome::Done("registered"))
    }

    async fn done(visit: &Visit<'_>, _: &str) -> Option<Page> {
        let next = visit.next();
        let content = html! {
            p {
                "Your account is open. We mailed a link to the address that you gave. Follow it within three days: it \
                 shows that the address is yours."
            }
            @if next.is_invitation() {
                p { "First follow that link. Then open the invitation again." }
                (way_on(&next.to_string(), "Open the invitation"))
            } @else {
                (way_on(&next.after(SIGN_IN), "Sign in"))
            }
        };
        Some(Page::new("Look into your mail", content))
    }
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
