//! An address that was compared, and is another one when the events are appended.

use reqwest::Method;
use serde_json::json;
use test_support::waiting_for_lock;
use tests::{Client, Installation, Person, TestServer, create_workspace, until};
use tokio::task::JoinHandle;
use tokio_postgres::Client as Log;

/// Two nodes, and Bob, whose change of address waits for its link to be followed.
struct Addresses {
    installation: Installation,
    nodes: [TestServer; 2],
    bob: Person,
    signed_in: Client,
    link: String,
}

impl Addresses {
    async fn new() -> Self {
        let installation = Installation::new().await;
        let nodes = [installation.node().await, installation.node().await];
        let bob = Person::named("bob");
        let signed_in = bob.settle(&nodes[0].client(), &installation).await;
        let body = json!({ "email": "bob@new.example", "password": bob.password });
        signed_in.put("/v1/me/email", "*", body).await.expect(202);
        let link = installation.mail("bob@new.example", 1).await.token().to_owned();
        Self { installation, nodes, bob, signed_in, link }
    }

    /// Nothing is appended until it is committed.
    async fn hold_log(&self) -> Log {
        let log = self.installation.log().await;
        log.batch_execute("begin; select event_log.lock()").await.unwrap();
        log
    }

    /// The change of address is the first that is appended once the log is free.
    async fn confirm(&self) -> JoinHandle<tests::Answer> {
        let call = self.nodes[1].client().call(Method::POST, "/v1/email-changes");
        let confirms = tokio::spawn(call.json(json!({ "token": self.link })).send());
        self.until_appends_wait(1).await;
        confirms
    }

    async fn until_appends_wait(&self, count: usize) {
        let watcher = self.installation.log().await;
        until("appends wait for the log", async || {
            let waiting = waiting_for_lock(&watcher, "event_log.append").await.len();
            if waiting == count { Ok(()) } else { Err(format!("{waiting} wait")) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_an_address_does_not_undo_a_change_that_came_meanwhile() {
    let of = Addresses::new().await;
    let log = of.hold_log().await;
    let confirms = of.confirm().await;
    let body = json!({ "email": "Bob@example.org", "password": of.bob.password });
    let respells = of.signed_in.call(Method::PUT, "/v1/me/email").header("If-Match", "*");
    let respells = tokio::spawn(respells.json(body).send());
    of.until_appends_wait(2).await;
    log.batch_execute("commit").await.unwrap();

    confirms.await.unwrap().expect(204);
    let refused = respells.await.unwrap().expect(409);
    assert_eq!(refused.field("/type"), "/problems/refused");
    assert_eq!(of.installation.events("account.email_changed").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_not_accepted_with_an_address_that_was_given_up_meanwhile() {
    let of = Addresses::new().await;
    let ada = Person::named("ada").settle(&of.nodes[0].client(), &of.installation).await;
    let workspace = create_workspace(&ada, "Engines").await;
    let invites = json!({ "email": of.bob.email, "role": "viewer" });
    ada.post(&format!("{workspace}/invitations"), invites).await.expect(201);
    let token = until("the invitation is mailed", async || {
        let mails = of.installation.mails(&of.bob.email);
        mails.into_iter().find(|mail| mail.subject == "You are invited to a workspace")
    })
    .await
    .token()
    .to_owned();
    let log = of.hold_log().await;
    let confirms = of.confirm().await;
    let accepts = of.signed_in.call(Method::POST, "/v1/invitations/accept");
    let accepts = tokio::spawn(accepts.json(json!({ "token": token })).send());
    of.until_appends_wait(2).await;
    log.batch_execute("commit").await.unwrap();

    confirms.await.unwrap().expect(204);
    let refused = accepts.await.unwrap().expect(409);
    assert_eq!(refused.field("/type"), "/problems/refused");
    assert_eq!(of.installation.events("workspace.invitation_accepted").await.len(), 0);
}
