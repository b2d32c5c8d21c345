//! Refusals in the words of somebody who looks at a page.

#![allow(clippy::wildcard_enum_match_arm, reason = "the others speak to people as well")]

use actix_web::http::header;
use chrono::{DateTime, Utc};

use crate::api::http::problem::{Problem, ProblemKind};

/// What happened, and what to do.
pub fn wording(problem: &Problem) -> (String, String) {
    let kind = problem.kind();
    let (title, text) = match kind {
        ProblemKind::BadBody => {
            ("Please look at this again", "What to change stands at each field.")
        }
        ProblemKind::ContentType | ProblemKind::ForeignOrigin => {
            ("This did not come from our page", "Open the page here, and send its form.")
        }
        ProblemKind::IdempotencyKeyReused => {
            ("This form was sent before", "It did something else then. Send it again.")
        }
        ProblemKind::FormOver => (
            "The form is over",
            "It is more than a day old, or you have signed in or out since, or the browser keeps no cookies: \
             send it again.",
        ),
        ProblemKind::InFlight => {
            ("This form is being worked on", "Wait a moment, and send it again.")
        }
        ProblemKind::Internal => (
            "We made a mistake",
            "We do not know whether it was done: look at your account first, then try again. Please tell us.",
        ),
        ProblemKind::MethodNotAllowed => {
            ("This page cannot do that", "Open it, and send the form that it shows.")
        }
        ProblemKind::TooLarge | ProblemKind::BadHeader => {
            ("We cannot read this form", "Open the page again, and write less into it.")
        }
        ProblemKind::Unauthorised => ("You are signed out", "Sign in again, and go on from there."),
        ProblemKind::LinkInvalid => (
            "This link is not complete",
            "Open it from the mail once more, or copy the whole of it.",
        ),
        ProblemKind::LinkGone => {
            return ("This link no longer works".to_owned(), sentence(problem));
        }
        ProblemKind::NotInvited => (
            "This invitation is for another address",
            "It opens for the account with the confirmed address that it was mailed to.",
        ),
        ProblemKind::SignInRefused => {
            ("The address or the password is wrong", "Check both, and try again.")
        }
        ProblemKind::TooManyRequests => return ("Too many tries".to_owned(), wait(problem)),
        ProblemKind::TimedOut | ProblemKind::Unavailable => {
            ("This does not work right now", "Wait a moment, and try again.")
        }
        _ => return (kind.title().to_owned(), sentence(problem)),
    };
    (title.to_owned(), text.to_owned())
}

pub fn date(at: DateTime<Utc>) -> String {
    at.format("%-d %B %Y, %H:%M UTC").to_string()
}

/// Reasons of the domain begin with a small letter, and have no full stop.
fn sentence(problem: &Problem) -> String {
    let text = problem.detail();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

fn wait(problem: &Problem) -> String {
    let seconds = problem.header_values(header::RETRY_AFTER).next();
    let seconds = seconds.and_then(|value| value.to_str().ok()?.parse::<u64>().ok()).unwrap_or(60);
    match seconds {
        0..=90 => format!("Wait {seconds} seconds, and try again."),
        _ => format!("Wait {} minutes, and try again.", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use domain::account::AccountError;

    use super::*;

    #[test]
    fn a_reason_is_a_sentence() {
        let (title, text) = wording(&AccountError::LinkExpired.into());
        assert_eq!(title, "This link no longer works");
        assert_eq!(text, "This link has expired: ask for a new one.");
    }

    #[test]
    fn whoever_has_to_wait_reads_for_how_long() {
        let after = |seconds: u64| {
            let problem = Problem::of(ProblemKind::TooManyRequests);
            wording(&problem.with_header(header::RETRY_AFTER, seconds)).1
        };
        assert_eq!(after(30), "Wait 30 seconds, and try again.");
        assert_eq!(after(301), "Wait 6 minutes, and try again.");
    }

    #[test]
    fn every_refusal_says_something() {
        for kind in ProblemKind::ALL {
            let (title, text) = wording(&Problem::of(*kind));
            assert!(!title.is_empty() && text.len() > 5, "{}", kind.slug());
        }
    }

    #[test]
    fn what_pages_are_refused_with_has_no_words_for_programmers() {
        for kind in [
            ProblemKind::AddressTaken,
            ProblemKind::AlreadyDone,
            ProblemKind::BadBody,
            ProblemKind::BadHeader,
            ProblemKind::ContentType,
            ProblemKind::ErasureRequested,
            ProblemKind::ForeignOrigin,
            ProblemKind::FormOver,
            ProblemKind::IdempotencyKeyReused,
            ProblemKind::InFlight,
            ProblemKind::Internal,
            ProblemKind::LinkGone,
            ProblemKind::LinkInvalid,
            ProblemKind::MethodNotAllowed,
            ProblemKind::NotInvited,
            ProblemKind::SignInRefused,
            ProblemKind::TimedOut,
            ProblemKind::TooLarge,
            ProblemKind::TooManyRequests,
            ProblemKind::Unauthorised,
            ProblemKind::Unavailable,
            ProblemKind::WorkspaceDeleting,
        ] {
            let (title, text) = wording(&Problem::of(kind));
            let words = format!("{title} {text}").to_lowercase();
            for of_programmers in ["token", "header", "json", "`", "body", "key"] {
                assert!(!words.contains(of_programmers), "{}: {words}", kind.slug());
            }
        }
    }
}
