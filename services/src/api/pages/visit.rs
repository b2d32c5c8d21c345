//! What pages with a form have in common: it is drawn, sent, drawn again with what is wrong, and what was done is said on
//! a page of its own, so that loading that one again sends nothing.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::form::{self, Seal, SentForm};
use super::html::{Page, alert};
use super::next::{Next, done_at, go_to, parameter};
use super::{link, signed_in};
use crate::api::auth::caller::Caller;
use crate::api::auth::signed_in::SignedIn;
use crate::api::http::deadline::in_time_behind_write;
use crate::api::http::problem::{Problem, ProblemKind};
use crate::api::{Api, ApiData};

/// A page with a form.
pub trait FormPage: 'static {
    /// Its path.
    const NAME: &'static str;

    /// The form, or what is shown in its place.
    async fn draw(visit: &Visit<'_>) -> Result<HttpResponse, Problem>;

    /// Does what the form that was sent is for.
    async fn send(visit: &Visit<'_>) -> Result<Outcome, Problem>;

    /// Says that this was done. `None`: that needs no saying.
    fn done(_: &Visit<'_>, _: &str) -> impl Future<Output = Option<Page>> {
        std::future::ready(None)
    }
}

/// What came of a form that was sent.
pub enum Outcome {
    /// This was done: [`FormPage::done`] says so.
    Done(&'static str),
    /// The browser goes on elsewhere.
    Goes(HttpResponse),
    /// Nothing was wanted yet.
    Again,
}

/// Somebody who opens a page, or has sent its form.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    pub request: &'a HttpRequest,
    pub api: &'a Api,
    pub sent: &'a SentForm,
    /// Why what was sent was not done.
    pub problem: Option<&'a Problem>,
}

impl Visit<'_> {
    /// What was typed into a field, or what the page was opened with.
    pub fn value(&self, name: &str) -> &str {
        self.sent.value(name)
    }

    /// Where this leads to at its end.
    pub fn next(&self) -> Next {
        self.sent.next()
    }

    /// # Errors
    /// As of [`signed_in`].
    pub async fn signed_in(&self) -> Result<Option<SignedIn>, Problem> {
        signed_in(self.request).await
    }

    /// Who sent the form of this page, and its bytes.
    ///
    /// # Errors
    /// As of [`SentForm::caller`].
    pub async fn caller(&self, page: &str) -> Result<(Caller, Vec<u8>), Problem> {
        let caller = self.sent.caller(self.request, self.api, page).await?;
        Ok((caller, self.sent.bytes.clone()))
    }

    /// A page with its form, and with what is wrong with what was sent; `content` is put around the form.
    ///
    /// # Errors
    /// The keyring is not reached.
    pub async fn page(
        &self,
        (name, title): (&str, &str),
        fields: Markup,
        content: impl FnOnce(Markup) -> Markup,
    ) -> Result<Page, Problem> {
        let seal = self.sent.seal(self.request, self.api, (name, self.problem)).await?;
        let content = content(super::html::form(name, &seal, fields));
        let content = html! { (alert(self.problem)) (content) };
        Ok(Page::new(title, content).refusing(self.problem).sealed(seal))
    }

    /// Sends the browser to the page that says what was done.
    ///
    /// # Errors
    /// The keyring is not reached.
    async fn go_to_done(&self, page: &str, what: &str) -> Result<HttpResponse, Problem> {
        let seal = Seal::new(self.request, self.api, &said(page, what)).await?;
        let mut answer = go_to(&done_at(page, (what, &seal.value), &self.next()));
        if let Some(cookie) = seal.cookie {
            answer.cookie(cookie);
        }
        Ok(answer.finish())
    }

    /// What was done, if this browser was sent here to read that: nobody else can make the page say so.
    async fn was_done(&self, page: &str) -> Result<Option<String>, Problem> {
        let [what, seal] = ["done", "seal"].map(|name| parameter(self.request, name));
        if what.is_empty() {
            return Ok(None);
        }
        match form::key(self.request, self.api, (&said(page, &what), &seal)).await {
            Ok(_) => Ok(Some(what)),
            Err(problem) if problem.kind() == ProblemKind::FormOver => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// What the seal of a page is for that says what was done. No form has such a name.
fn said(page: &str, what: &str) -> String {
    format!("{page}: {what}")
}

/// Shows a page.
pub async fn show<P: FormPage>(
    request: HttpRequest,
    api: ApiData,
) -> Result<HttpResponse, Problem> {
    let token = link::token(&request).unwrap_or_default();
    let sent = SentForm::opened(&token, &Next::of(&request));
    let visit = Visit { request: &request, api: &api, sent: &sent, problem: None };
    let what = visit.was_done(P::NAME).await?;
    say::<P>(&visit, what.as_deref()).await
}

/// Says what was done; where that is nothing, draws the page.
async fn say<P: FormPage>(visit: &Visit<'_>, what: Option<&str>) -> Result<HttpResponse, Problem> {
    let done = match what {
        Some(what) => P::done(visit, what).await,
        None => None,
    };
    match done {
        Some(page) => Ok(page.answer()),
        None => P::draw(visit).await,
    }
}

/// Takes the form of a page.
pub async fn act<P: FormPage>(
    request: HttpRequest,
    api: ApiData,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let sent = SentForm::read(&request, &api, payload).await?;
    let visit = Visit { request: &request, api: &api, sent: &sent, problem: None };
    match P::send(&visit).await {
        Ok(Outcome::Goes(answer)) => Ok(answer),
        Ok(Outcome::Again) => P::draw(&visit).await,
        Ok(Outcome::Done(what)) => {
            match in_time_behind_write(visit.go_to_done(P::NAME, what)).await {
                Some(Ok(answer)) => Ok(answer),
                // It is done all the same.
                Some(Err(_)) | None => say::<P>(&visit, Some(what)).await,
            }
        }
        Err(problem) => P::draw(&Visit { problem: Some(&problem), ..visit }).await,
    }
}
