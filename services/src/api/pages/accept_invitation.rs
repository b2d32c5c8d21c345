//! An invitation: accepted or declined by whoever has the address that it was mailed to.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::form::{SentForm, may_be_done};
use super::html::{Page, alert, form, hidden, way_on};
use super::next::Next;
use super::wording::date;
use super::{
    ACCEPT_INVITATION, ACCOUNT, REGISTER, SIGN_IN, SIGN_OUT, VERIFY_EMAIL, link, signed_in,
};
use crate::api::accounts::link::LinkRequest;
use crate::api::accounts::me::{account_row, view};
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::workspaces::acceptance::join;
use crate::api::workspaces::invited::{InvitedView, decline_by, invited, is_open};
use crate::api::{Api, ApiData};

pub async fn show(request: HttpRequest, api: ApiData) -> Result<HttpResponse, Problem> {
    let Some(token) = link::token(&request) else {
        return Ok(link::paste(ACCEPT_INVITATION, "Your invitation").answer());
    };
    draw(&request, &api, &SentForm::opened(&token, &Next::ACCOUNT), None).await
}

pub async fn act(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    let Some(signed_in) = signed_in(&request).await? else {
        return draw(&request, &api, &sent, None).await;
    };
    match answer(&request, &api, &signed_in, &sent).await {
        Ok(Some(page)) => Ok(page.answer()),
        Ok(None) => draw(&request, &api, &sent, None).await,
        Err(problem) if is_refusal_of_link(&problem) => {
            refused(&api, &signed_in, (sent.value("token"), &problem)).await
        }
        Err(problem) => draw(&request, &api, &sent, Some(&problem)).await,
    }
}

/// `None`: no answer was given.
async fn answer(
    request: &HttpRequest,
    api: &Api,
    signed_in: &SignedIn,
    sent: &SentForm,
) -> Result<Option<Page>, Problem> {
    let caller = sent.caller(request, api, ACCEPT_INVITATION).await?;
    let (link, bytes) = (LinkRequest::new(sent.value("token").to_owned()), sent.bytes.clone());
    let (title, text) = match sent.value("answer") {
        "accept" => {
            join(api, signed_in, &caller, (&link, bytes)).await?;
            ("Welcome", "You are a member of the workspace now.")
        }
        "decline" => {
            decline_by(&link, api, signed_in, (&caller, bytes)).await?;
            let text = "The link no longer works, and the workspace keeps nothing of your address.";
            ("You declined", text)
        }
        _ => return Ok(None),
    };
    Ok(Some(Page::new(title, html! { p { (text) } (way_on(ACCOUNT, "Go on")) })))
}

fn is_refusal_of_link(problem: &Problem) -> bool {
    problem.kind() == ProblemKind::NotInvited || link::is_of_link(problem)
}

async fn draw(
    request: &HttpRequest,
    api: &Api,
    sent: &SentForm,
    problem: Option<&Problem>,
) -> Result<HttpResponse, Problem> {
    let token = sent.value("token");
    let link = LinkRequest::new(token.to_owned());
    let Some(signed_in) = signed_in(request).await? else {
        return match is_open(api, &link).await {
            Ok(()) => Ok(asks_who_it_is(&back_to(token)).answer()),
            Err(over) if link::is_of_link(&over) => Ok(link::refused(&over, html! {}).answer()),
            Err(over) => Err(over),
        };
    };
    let to = match invited(api, &signed_in, &link).await {
        Ok(to) => Some(to),
        // It may be over by the form that was sent: sent again, that one says so.
        Err(_) if problem.is_some_and(may_be_done) => None,
        Err(over) if is_refusal_of_link(&over) => {
            return refused(api, &signed_in, (token, &over)).await;
        }
        Err(over) => return Err(over),
    };
    let seal = sent.seal(request, api, (ACCEPT_INVITATION, problem)).await?;
    let content = html! {
        (alert(problem))
        @if let Some(to) = to { (described(&to)) }
        (form(ACCEPT_INVITATION, &seal, answers(token)))
    };
    Ok(Page::new("You are invited", content).refusing(problem).sealed(seal).answer())
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
