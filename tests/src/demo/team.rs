//! A workspace, a colleague, two seats, and a third person who is refused one.

use reqwest::Method;
use serde_json::json;

use super::claims::Claims;
use super::person::{Actor, Device};
use super::story::Story;
use crate::{Answer, Client, Mailbox, until};

/// Grace's workspace, and the devices on which its people are signed in.
pub struct Team {
    pub path: String,
    pub grace: Device,
    pub ada: Device,
}

impl Team {
    /// Grace's, with Ada in it.
    pub async fn gather(claims: &mut Claims, story: &mut Story, ada: &Device) -> Self {
        claims.chapter("Grace creates a workspace, and invites Ada");
        let laptop = story.grace.laptop.clone();
        let grace = story.grace.sign_in(&laptop).await;
        grace.client.account().await;
        let made = grace.client.post_once("/v1/workspaces", json!({ "name": "Compilers" })).await;
        let workspace = made.expect(201).field("/workspace_id");
        let path = format!("/v1/workspaces/{workspace}");
        let team = Self { path, grace, ada: ada.at(ada.client.base()) };
        claims.holds("to Ada it is not there", team.status(&team.ada.client).await == 404);
        team.invite(&story.ada, &team.ada.client, &story.mailbox, 2).await;
        claims.holds("invited by mail, she is in", team.status(&team.ada.client).await == 200);
        let members = team.grace.client.get(&format!("{}/members", team.path)).await;
        claims.see(members.text());

        claims.chapter("Two seats: Grace and Ada take them, Alan is refused");
        let limit = format!("/v1/admin/workspaces/{workspace}/seat-limit");
        let limited = story.operator.put(&limit, "*", json!({ "limit": 2 })).await;
        claims.holds("the operator sets the limit", limited.status == 200);
        for device in [&team.grace, &team.ada] {
            claims.see(team.take_seat(&device.client).await.expect(201).text());
        }
        let alan = team.newcomer(&story.grace, &story.mailbox).await;
        let refused = team.take_seat(&alan.client).await;
        claims.see(refused.text());
        let why = refused.status == 409 && refused.field("/type").ends_with("seat-limit-reached");
        claims.holds("the third person is refused, with the reason", why);
        let seats = until("the seats are shown", async || {
            let seats = team.grace.client.get(&format!("{}/seats", team.path)).await;
            if seats.status == 200 { Ok(seats) } else { Err(seats.text()) }
        })
        .await;
        claims.see(seats.text());
        let cause = seats.json().pointer("/limit_cause/event_id").is_some();
        claims.holds("the pool says which event set its limit", cause);
        team
    }

    /// The same people, on a server at another address.
    pub fn at(&self, base: &str) -> Self {
        Self { path: self.path.clone(), grace: self.grace.at(base), ada: self.ada.at(base) }
    }

    async fn status(&self, from: &Client) -> u16 {
        from.get(&self.path).await.status
    }

    async fn take_seat(&self, from: &Client) -> Answer {
        from.post_once(&format!("{}/seat-leases", self.path), json!({})).await
    }

    /// `mail` counts the mails to the address, the invitation included.
    async fn invite(&self, actor: &Actor, from: &Client, mailbox: &Mailbox, mail: usize) {
        let body = json!({ "email": actor.person.email, "role": "operator" });
        let path = format!("{}/invitations", self.path);
        self.grace.client.post_once(&path, body).await.expect(201);
        let body = json!({ "token": mailbox.mail(&actor.person.email, mail).await.token() });
        from.call(Method::POST, "/v1/invitations/accept").json(body).send().await.expect(200);
    }

    async fn newcomer(&self, grace: &Actor, mailbox: &Mailbox) -> Device {
        let mark = grace.person.username.trim_start_matches("grace-").to_owned();
        let base = self.grace.client.base();
        let mut alan = Actor::new(base, "Alan", "Turing", &format!("{mark}t"), "192.0.2.44");
        alan.register().await;
        alan.verify(mailbox).await;
        let laptop = alan.laptop.clone();
        let device = alan.sign_in(&laptop).await;
        self.invite(&alan, &device.client, mailbox, 2).await;
        device
    }
}
