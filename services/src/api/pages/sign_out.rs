//! Signing out in this browser.

use actix_web::HttpResponse;
use actix_web::http::header;
use domain::session::CloseReason;
use maud::html;

use super::html::{Page, button, hidden, way_on};
use super::next::{Next, go_to};
use super::visit::{FormPage, Outcome, Visit};
use super::{SIGN_IN, SIGN_OUT};
use crate::api::accounts::me::address_of;
use crate::api::auth::sessions::end;
use crate::api::auth::signed_in::cookie_cleared;
use crate::api::http::problem::Problem;

pub struct SignOut;

impl FormPage for SignOut {
    const NAME: &'static str = SIGN_OUT;

    /// Whatever is wrong with the form: where nobody is signed in, nothing is left to do.
    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        let next = visit.next();
        let Some(signed_in) = visit.signed_in().await? else {
            return Ok(signed_out(&next).answer());
        };
        let email = address_of(visit.api, signed_in.account).await?;
        let fields = html! { (hidden("next", &next.to_string())) (button("Sign out")) };
        let page = visit.page((SIGN_OUT, "Sign out?"), fields, |form| {
            html! {
                p { "You are signed in as " strong { bdi { (email.expose()) } } " in this browser." }
                (form)
            }
        });
        Ok(page.await?.answer())
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let (caller, _) = visit.caller(SIGN_OUT).await?;
        if let Some(own) = visit.signed_in().await? {
            end(visit.api, &own, &caller, own.session, CloseReason::SignedOut).await?;
        }
        let mut goes = go_to(&visit.next().after(SIGN_OUT));
        goes.insert_header((header::SET_COOKIE, cookie_cleared()));
        Ok(Outcome::Goes(goes.finish()))
    }
}

fn signed_out(next: &Next) -> Page {
    let content = html! {
        p { "Nobody is signed in in this browser." }
        (way_on(&next.after(SIGN_IN), "Sign in"))
    };
    Page::new("You are signed out", content)
}
