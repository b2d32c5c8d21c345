//! Somebody who registers, signs in, and may be forgotten.

use serde_json::json;

use crate::{Answer, Client, Installation, until};

#[derive(Clone, Debug)]
pub struct Person {
    pub email: String,
    pub name: String,
    pub username: String,
    pub password: String,
}

impl Person {
    /// With values of this person's own, made of one word.
    pub fn named(word: &str) -> Self {
        Self {
            email: format!("{word}@example.org"),
            name: format!("{word} of Example"),
            username: format!("{word}.x"),
            password: format!("a password of {word}"),
        }
    }

    pub async fn try_register(&self, client: &Client) -> Answer {
        let Self { email, name, username, password } = self;
        let body =
            json!({ "email": email, "name": name, "username": username, "password": password });
        client.post("/v1/accounts", body).await
    }

    /// Answers the account's id.
    pub async fn register(&self, client: &Client) -> String {
        self.try_register(client).await.expect(201).field("/account_id")
    }

    /// Follows the link of the first mail.
    pub async fn verify(&self, client: &Client, installation: &Installation) {
        let mail = installation.mail(&self.email, 1).await;
        let link = json!({ "token": mail.token() });
        client.post("/v1/email-verifications", link).await.expect(204);
    }

    pub async fn try_sign_in(&self, client: &Client) -> Answer {
        let body = json!({ "email": self.email, "password": self.password, "kind": "client" });
        client.post("/v1/sessions", body).await
    }

    /// The client that this person's new session speaks through.
    pub async fn sign_in(&self, client: &Client) -> Client {
        client.bearing(&self.try_sign_in(client).await.expect(201).field("/token"))
    }

    /// Registers, proves the address and signs in, and waits until the account is shown.
    pub async fn settle(&self, client: &Client, installation: &Installation) -> Client {
        self.register(client).await;
        self.verify(client, installation).await;
        let signed_in = self.sign_in(client).await;
        signed_in.account().await;
        signed_in
    }

    /// Asks for erasure at once, and waits until it is complete; answers the claim code.
    pub async fn erase(&self, signed_in: &Client) -> String {
        let asks = json!({ "password": self.password, "grace_days": 0 });
        let code = signed_in.ask_for_erasure(asks).await.expect(202).field("/claim_code");
        let path = format!("/v1/erasures/{code}");
        until("the erasure is complete", async || {
            let state = signed_in.get(&path).await.expect(200).field("/state");
            matches!(state.as_str(), "completed" | "backup_proven").then_some(())
        })
        .await;
        code
    }
}
