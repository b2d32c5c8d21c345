//! Signing in, and going on from there.

use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use maud::html;

use super::html::{Input, InputKind, button, hidden};
use super::next::go_to;
use super::visit::{FormPage, Outcome, Visit};
use super::{REGISTER, RESET_PASSWORD, SIGN_IN};
use crate::api::auth::sign_in::BrowserSignIn;
use crate::api::http::problem::{Problem, ProblemKind};

pub struct SignIn;

impl FormPage for SignIn {
    const NAME: &'static str = SIGN_IN;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        let next = visit.next();
        if visit.problem.is_none() && visit.signed_in().await?.is_some() {
            return Ok(go_to(&next.to_string()).finish());
        }
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
            (Input::address(visit.value("email")).draw(visit.problem))
            (password.draw(visit.problem))
            (button("Sign in"))
        };
        let page = visit.page((SIGN_IN, "Sign in"), fields, |form| {
            html! {
                (form)
                nav {
                    a href=(next.after(REGISTER)) { "Open an account" }
                    a href=(RESET_PASSWORD) { "Forgot the password?" }
                }
            }
        });
        Ok(page.await?.answer())
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let mut goes = go_to(&visit.next().to_string());
        match sign_in(visit).await {
            Ok(cookie) => Ok(Outcome::Goes(goes.cookie(cookie).finish())),
            // The first of two clicks, or another tab, has signed in.
            Err(problem)
                if problem.kind() == ProblemKind::FormOver
                    && visit.signed_in().await?.is_some() =>
            {
                Ok(Outcome::Goes(goes.finish()))
            }
            Err(problem) => Err(problem),
        }
    }
}

async fn sign_in(visit: &Visit<'_>) -> Result<Cookie<'static>, Problem> {
    let (caller, bytes) = visit.caller(SIGN_IN).await?;
    let BrowserSignIn(form) = visit.sent.fields(&["email", "password"])?;
    let opened = form.sign_in(visit.api, &caller, bytes).await?;
    // The form is sent again after what it opened is over.
    opened.cookie().ok_or_else(|| Problem::of(ProblemKind::FormOver))
}
