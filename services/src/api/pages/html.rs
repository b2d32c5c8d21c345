//! What all pages look like. Whatever is put into one is escaped, by `maud`.

use actix_web::HttpResponse;
use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use maud::{DOCTYPE, Markup, html};

use super::form::{FIELD, Seal};
use super::wording::wording;
use crate::api::http::problem::Problem;

const POLICY: &str = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";
/// Of a page that a link of a former version may lead to.
const POLICY_OLD_LINKS: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
                                form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A page that is to be answered.
pub struct Page {
    status: StatusCode,
    title: String,
    content: Markup,
    headers: Vec<(HeaderName, HeaderValue)>,
    cookies: Vec<Cookie<'static>>,
    takes_old_links: bool,
}

impl Page {
    /// Its title is its heading, too.
    pub fn new(title: &str, content: Markup) -> Self {
        let (headers, cookies) = (vec![], vec![]);
        let title = title.to_owned();
        Self { status: StatusCode::OK, title, content, headers, cookies, takes_old_links: false }
    }

    /// A refusal and nothing else.
    pub fn of_problem(problem: &Problem) -> Self {
        let (title, text) = wording(problem);
        Self::new(&title, html! { p { (text) } }).refusing(Some(problem))
    }

    /// Has the status of the problem. A browser knows no challenge for a 401.
    #[must_use]
    pub fn refusing(mut self, problem: Option<&Problem>) -> Self {
        let Some(problem) = problem else { return self };
        let status = problem.kind().status();
        let is_challenge = status == StatusCode::UNAUTHORIZED;
        self.status = if is_challenge { StatusCode::FORBIDDEN } else { status };
        for name in [header::RETRY_AFTER, header::ALLOW] {
            let values = problem.header_values(name.clone());
            self.headers.extend(values.map(|value| (name.clone(), value.clone())));
        }
        self
    }

    /// With more at its end.
    #[must_use]
    pub fn adding(mut self, content: Markup) -> Self {
        self.content = html! { (self.content) (content) };
        self
    }

    #[must_use]
    pub fn sealed(mut self, seal: Seal) -> Self {
        self.cookies.extend(seal.cookie);
        self
    }

    /// A link of a former version may lead here.
    #[must_use]
    pub fn taking_old_links(mut self) -> Self {
        self.takes_old_links = true;
        self
    }

    pub fn answer(self) -> HttpResponse {
        let policy = if self.takes_old_links { POLICY_OLD_LINKS } else { POLICY };
        let mut answer = HttpResponse::build(self.status);
        answer.content_type("text/html; charset=utf-8");
        answer.insert_header((header::CONTENT_SECURITY_POLICY, policy));
        for header in &self.headers {
            answer.append_header(header.clone());
        }
        for cookie in &self.cookies {
            answer.cookie(cookie.clone());
        }
        answer.body(self.draw().into_string())
    }

    fn draw(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { @if self.status.as_u16() >= 400 { "Error: " } (self.title) " · Lethe" }
                    link rel="stylesheet" href="pages.css";
                    @if self.takes_old_links { script src="old-links.js" {} }
                }
                body {
                    header { (mark()) "Lethe" }
                    main {
                        h1 { (self.title) }
                        (self.content)
                    }
                }
            }
        }
    }
}

/// The river.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" fill="none"
            stroke="currentColor" stroke-width="2.6" stroke-linecap="round" {
            path d="M3 11c4.3-4.5 8.7-4.5 13 0s8.7 4.5 13 0" {}
            path d="M3 21c4.3-4.5 8.7-4.5 13 0s8.7 4.5 13 0" opacity=".5" {}
        }
    }
}

/// A form that is sent to a page.
pub fn form(page: &str, seal: &Seal, content: Markup) -> Markup {
    html! {
        form method="post" action=(page) accept-charset="utf-8" {
            (hidden(FIELD, &seal.value))
            (content)
        }
    }
}

pub fn hidden(name: &str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

pub fn button(text: &str) -> Markup {
    html! { button type="submit" { (text) } }
}

/// A link that looks like a button.
pub fn way_on(to: &str, text: &str) -> Markup {
    html! { p { a.button href=(to) { (text) } } }
}

/// What is wrong with the form that was sent. A screen reader reads it first.
pub fn alert(problem: Option<&Problem>) -> Markup {
    let Some(problem) = problem else { return html! {} };
    let (title, text) = wording(problem);
    html! {
        div.alert role="alert" tabindex="-1" autofocus {
            strong { (title) }
            p { (text) }
        }
    }
}

/// A field that somebody fills in.
pub struct Input<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub kind: InputKind,
    /// What a browser fills it with (HTML, 4.10.18.7).
    pub autocomplete: &'a str,
    /// What was typed before. Never a password.
    pub value: &'a str,
    pub hint: &'a str,
    pub is_required: bool,
}

/// What is typed into a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    Text,
    /// No `type="email"`: browsers rewrite domains in it, and refuse letters that are not ASCII.
    Email,
    Password,
    /// One that is chosen.
    NewPassword,
}

impl<'a> Input<'a> {
    /// Of an e-mail address by which an account is looked up.
    pub const fn address(typed: &'a str) -> Self {
        Self {
            name: "email",
            label: "E-mail address",
            kind: InputKind::Email,
            autocomplete: "username",
            value: typed,
            hint: "",
            is_required: true,
        }
    }

    pub fn draw(&self, problem: Option<&Problem>) -> Markup {
        let Self { name, label, kind, autocomplete, value, hint, is_required } = *self;
        let wrong = problem.and_then(|problem| problem.of_field(name));
        let (is_email, is_new) = (kind == InputKind::Email, kind == InputKind::NewPassword);
        let is_secret = is_new || kind == InputKind::Password;
        let described = [(wrong.is_some(), "error"), (!hint.is_empty(), "hint")];
        let described =
            described.iter().filter(|(is, _)| *is).map(|(_, of)| format!("{name}-{of}"));
        let described = described.collect::<Vec<_>>().join(" ");
        html! {
            div.field {
                label for=(name) {
                    (label)
                    @if !is_required { span { " (optional)" } }
                }
                input id=(name) name=(name) type=(if is_secret { "password" } else { "text" })
                    value=[(!is_secret).then_some(value)] autocomplete=(autocomplete)
                    required[is_required] minlength=[is_new.then_some("12")]
                    inputmode=[is_email.then_some("email")]
                    autocapitalize=[is_email.then_some("none")]
                    spellcheck=[is_email.then_some("false")]
                    aria-invalid=[wrong.map(|_| "true")]
                    aria-describedby=[Some(&described).filter(|text| !text.is_empty())];
                @if let Some(wrong) = wrong { p.error id={ (name) "-error" } { (wrong) } }
                @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::http::problem::ProblemKind;

    const TYPED: &str = r#""><script>alert('&')</script>"#;

    fn input(kind: InputKind) -> Input<'static> {
        let (name, label, autocomplete, hint) = ("email", "E-mail address", "email", "");
        Input { name, label, kind, autocomplete, value: TYPED, hint, is_required: true }
    }

    #[test]
    fn what_was_typed_is_text_and_no_markup() {
        let drawn = input(InputKind::Email).draw(None).into_string();
        let escaped = "&quot;&gt;&lt;script&gt;alert('&amp;')&lt;/script&gt;";
        assert!(drawn.contains(&format!("value=\"{escaped}\"")), "{drawn}");
        let page = Page::new(TYPED, html! { p { (TYPED) } }).draw().into_string();
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn a_password_is_never_shown_again() {
        for kind in [InputKind::Password, InputKind::NewPassword] {
            let drawn = input(kind).draw(None).into_string();
            assert!(!drawn.contains("value") && !drawn.contains("alert"), "{drawn}");
        }
    }

    #[test]
    fn a_field_that_does_not_fit_says_so_to_those_who_do_not_see_it_too() {
        let problem = Problem::field("email", "this is not an e-mail address");
        let drawn = input(InputKind::Email).draw(Some(&problem)).into_string();
        assert!(drawn.contains(r#"aria-invalid="true" aria-describedby="email-error""#), "{drawn}");
        assert!(drawn.contains(r#"id="email-error">this is not an e-mail address<"#), "{drawn}");
        let other = Problem::field("name", "this is empty");
        assert!(!input(InputKind::Email).draw(Some(&other)).into_string().contains("invalid"));
    }

    #[test]
    fn a_page_that_refuses_has_the_status_and_the_wait() {
        let problem = Problem::of(ProblemKind::TooManyRequests).with_header(header::RETRY_AFTER, 7);
        let answer = Page::of_problem(&problem).answer();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.headers().get(header::RETRY_AFTER), Some(&HeaderValue::from(7)));
        let drawn = Page::of_problem(&problem).draw().into_string();
        assert!(drawn.contains("<title>Error: "), "{drawn}");
        let challenge = Page::of_problem(&Problem::of(ProblemKind::SignInRefused)).answer();
        assert_eq!(challenge.status(), StatusCode::FORBIDDEN);
    }
}
