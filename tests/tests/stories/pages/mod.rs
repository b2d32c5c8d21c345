//! What people do with a browser and no other program, without a script.

mod again;
mod forms;
mod limits;
mod links;
mod walk;

use tests::{Harness, PlainBrowser, until};

/// An address of the node.
fn at(harness: &Harness, path: &str) -> String {
    format!("{}/{path}", harness.node.api())
}

/// Fills in the form of a sign-in and sends it.
async fn sign_in(browser: &mut PlainBrowser, email: &str, password: &str) {
    browser.fill("email", email);
    browser.fill("password", password);
    browser.press("Sign in").await;
}

/// The link to this page in the mail to this address that is the first to have one, the second, and so on.
async fn link(harness: &Harness, email: &str, page: &str, count: usize) -> String {
    let begins = at(harness, &format!("{page}?token="));
    until(&format!("link {count} to {page}"), async || {
        let mails = harness.installation.mails(email);
        let mut mails = mails.iter().filter(|mail| mail.text.contains(&begins));
        mails.nth(count - 1).map(|mail| mail.link().to_owned())
    })
    .await
}
