//! An invitation: accepted or declined by whoever has the address that it was mailed to.

use actix_web::HttpResponse;
use maud::{Markup, html};

use super::form::may_be_done;
use super::html::{Page, hidden, way_on};
use super::next::Next;
use super::visit::{FormPage, Outcome, Visit};
use super::wording::date;
use super::{ACCEPT_INVITATION, ACCOUNT, REGISTER, SIGN_IN, SIGN_OUT, VERIFY_EMAIL, link};
use crate::api::Api;
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::{account_row, view};
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::workspaces::acceptance::join;
use crate::api::workspaces::invited::{InvitedView, decline_by, invited, is_open};

pub struct AcceptInvitation;

impl FormPage for AcceptInvitation {
    const NAME: &'static str = ACCEPT_INVITATION;

    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem> {
        let token = visit.value("token");
        if token.is_empty() && visit.problem.is_none() {
            return Ok(link::paste(ACCEPT_INVITATION, "Your invitation").answer());
        }
        let link = LinkRequest::new(token.to_owned());
        let Some(signed_in) = visit.signed_in().await? else {
            return match is_open(visit.api, &link).await {
                Ok(()) => Ok(asks_who_it_is(&back_to(token)).answer()),
                Err(over) if link::is_of_link(&over) => Ok(link::refused(&over, html! {}).answer()),
                Err(over) => Err(over),
            };
        };
        if let Some(problem) = visit.problem.filter(|problem| is_refusal_of_link(problem)) {
            return refused(visit.api, &signed_in, (token, problem)).await;
        }
        let to = match invited(visit.api, &signed_in, &link).await {
            Ok(to) => Some(to),
            // It may be over by the form that was sent: sent again, that one says so.
            Err(_) if visit.problem.is_some_and(may_be_done) => None,
            Err(over) if is_refusal_of_link(&over) => {
                return refused(visit.api, &signed_in, (token, &over)).await;
            }
            Err(over) => return Err(over),
        };
        let page = visit.page((ACCEPT_INVITATION, "You are invited"), answers(token), |form| {
            html! { @if let Some(to) = to { (described(&to)) } (form) }
        });
        Ok(page.await?.answer())
    }

    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem> {
        let Some(signed_in) = visit.signed_in().await? else { return Ok(Outcome::Again) };
        let (caller, bytes) = visit.caller(ACCEPT_INVITATION).await?;
        let link = LinkRequest::new(visit.value("token").to_owned());
        match visit.value("answer") {
            "accept" => {
                join(visit.api, &signed_in, &caller, (&link, bytes)).await?;
                Ok(Outcome::Done("joined"))
            }
            "decline" => {
                decline_by(&link, visit.api, &signed_in, (&caller, bytes)).await?;
                Ok(Outcome::Done("declined"))
            }
            _ => Ok(Outcome::Again),
        }
    }

    async fn done(_: &Visit<'_>, what: &str) -> Option<Page> {
        let (title, text) = if what == "joined" {
            ("Welcome", "You are a member of the workspace now.")
        } else {
            let text = "The link no longer works, and the workspace keeps nothing of your address.";
            ("You declined", text)
        };
        Some(Page::new(title, html! { p { (text) } (way_on(ACCOUNT, "Go on")) }))
    }
}

fn is_refusal_of_link(problem: &Problem) -> bool {
    problem.kind() == ProblemKind::NotInvited || link::is_of_link(problem)
}

fn described(to: &InvitedView) -> Markup {
    html! {
        dl {
            dt { "Workspace" }
            dd { bdi { (to.workspace_name.expose()) } }
            dt { "You would be" }
            dd { (to.role.as_str()) }
            dt { "The invitation ends" }
            dd { (date(to.expires_at)) }
        }
    }
}

fn answers(token: &str) -> Markup {
    html! {
        (hidden("token", token))
        button type="submit" name="answer" value="accept" { "Join the workspace" }
        button.second type="submit" name="answer" value="decline" { "Decline" }
    }
}

fn back_to(token: &str) -> Next {
    Next::read(&format!("{ACCEPT_INVITATION}?token={token}"))
}

fn asks_who_it_is(back: &Next) -> Page {
    let content = html! {
        p {
            "Somebody invites you to a workspace. Sign in with the address that the invitation was mailed to, or \
             open an account with it, and you come back here."
        }
        (way_on(&back.after(SIGN_IN), "Sign in"))
        nav { a href=(back.after(REGISTER)) { "Open an account" } }
    };
    Page::new("You are invited", content)
}

/// Whoever has another address, or none that is confirmed, reads what to do about that.
async fn refused(
    api: &Api,
    signed_in: &SignedIn,
    (token, problem): (&str, &Problem),
) -> Result<HttpResponse, Problem> {
    if problem.kind() != ProblemKind::NotInvited {
        return Ok(link::refused(problem, way_on(ACCOUNT, "Go on")).answer());
    }
    let me = view(api, &account_row(api, signed_in.account).await?).await?;
    let (back, email) = (back_to(token), me.email.as_ref().map_or("", |email| email.expose()));
    let who = html! { p { "You are signed in as " strong { bdi { (email) } } "." } };
    let other = back.after(SIGN_OUT);
    if me.email_verified {
        let page = Page::of_problem(problem).adding(who);
        return Ok(page.adding(way_on(&other, "Sign in with another address")).answer());
    }
    let content = html! {
        (who)
        p { "Follow the link that we mailed to this address. Then open the invitation again." }
        (way_on(&back.after(VERIFY_EMAIL), "Confirm this address"))
        nav { a href=(other) { "Sign in with another address" } }
    };
    Ok(Page::new("Confirm your address first", content).refusing(Some(problem)).answer())
}
