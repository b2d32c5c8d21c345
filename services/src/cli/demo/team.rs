//! A workspace, a colleague, two seats, and a third person who is refused one.

use serde_json::json;

use super::api::Api;
use super::mailbox::Mailbox;
use super::person::{Device, Person};
use super::story::Story;
use super::told::Told;
use crate::cli::CliError;

/// Grace's workspace, and the devices on which its people are signed in.
pub struct Team {
    pub path: String,
    pub grace: Device,
    pub ada: Device,
}

impl Team {
    /// Grace's, with Ada in it.
    pub async fn gather(
        told: &mut Told,
        story: &mut Story,
        ada: &Device,
    ) -> Result<Self, CliError> {
        told.chapter("Grace creates a workspace, and invites Ada");
        let laptop = story.grace.laptop.clone();
        let grace = story.grace.sign_in(&laptop).await?;
        let made = grace.api.post("/v1/workspaces", json!({ "name": "Compilers" })).await?;
        let workspace = made.expect(201, "creating a workspace")?.text("/workspace_id");
        let team = Self {
            path: format!("/v1/workspaces/{workspace}"),
            grace,
            ada: ada.at(ada.api.base()),
        };
        told.holds("to Ada it is not there", team.status(&team.ada.api).await? == 404);
        team.invite(&story.ada, &team.ada.api, &story.mailbox, 2).await?;
        told.holds("invited by mail, she is in", team.status(&team.ada.api).await? == 200);
        let members = team.grace.api.get(&format!("{}/members", team.path)).await?;
        told.see(&members.body);

        told.chapter("Two seats: Grace and Ada take them, Alan is refused");
        let limit = format!("/v1/admin/workspaces/{workspace}/seat-limit");
        let limited = story.operator.put(&limit, json!({ "limit": 2 }), "*").await?;
        told.holds("the operator sets the limit", limited.status == 204);
        for device in [&team.grace, &team.ada] {
            let seat = team.seat(&device.api).await?.expect(201, "taking a seat")?;
            told.see(&seat.body);
        }
        let alan = team.newcomer(&story.grace, &story.mailbox).await?;
        let refused = team.seat(&alan.api).await?;
        told.see(&refused.body);
        told.holds("the third person is refused, and told why", refused.status == 409);
        let seats = team.grace.api.get(&format!("{}/seats", team.path)).await?;
        told.see(&seats.body);
        told.holds(
            "the pool says which event set its limit",
            seats.body.pointer("/limit_cause/event_id").is_some(),
        );
        Ok(team)
    }

    /// The same people at a Lethe that was started again.
    pub fn at(&self, base: &str) -> Self {
        Self { path: self.path.clone(), grace: self.grace.at(base), ada: self.ada.at(base) }
    }

    async fn status(&self, from: &Api) -> Result<u16, CliError> {
        Ok(from.get(&self.path).await?.status)
    }

    async fn seat(&self, from: &Api) -> Result<super::api::Answer, CliError> {
        from.post(&format!("{}/seat-leases", self.path), json!({})).await
    }

    /// `mail` counts the mails to the address, the invitation included.
    async fn invite(
        &self,
        person: &Person,
        from: &Api,
        mailbox: &Mailbox,
        mail: usize,
    ) -> Result<(), CliError> {
        let body = json!({ "email": person.email, "role": "operator" });
        let invited = self.grace.api.post(&format!("{}/invitations", self.path), body).await?;
        invited.expect(201, "inviting")?;
        let token = mailbox.secret(&person.email, mail).await?;
        let accepted = from.post("/v1/invitations/accept", json!({ "token": token })).await?;
        if accepted.status < 300 { Ok(()) } else { accepted.expect(204, "accepting").map(drop) }
    }

    async fn newcomer(&self, grace: &Person, mailbox: &Mailbox) -> Result<Device, CliError> {
        let mark = grace.username.trim_start_matches("grace-").to_owned();
        let base = self.grace.api.base();
        let mut alan = Person::new(base, "Alan", "Turing", &format!("{mark}t"), "192.0.2.44");
        alan.register().await?;
        alan.verify(mailbox).await?;
        let laptop = alan.laptop.clone();
        let device = alan.sign_in(&laptop).await?;
        self.invite(&alan, &device.api, mailbox, 2).await?;
        Ok(device)
    }
}
