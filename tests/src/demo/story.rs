//! What happens through the API alone, on any server: two people come, and one asks to be erased.

use serde_json::Value;

use super::claims::Claims;
use super::person::{Actor, Device};
use crate::{Answer, Client, Mailbox, until};

/// Ada, who will be erased, and Grace, who stays.
pub struct Story {
    pub ada: Actor,
    pub grace: Actor,
    pub operator: Client,
    pub mailbox: Mailbox,
}

impl Story {
    pub fn new(base: &str, token: &str, mailbox: Mailbox, mark: &str) -> Self {
        let operator = Client::new(base).saying("X-Forwarded-For", "192.0.2.1");
        Self {
            ada: Actor::new(base, "Ada", "Lovelace", &format!("{mark}a"), "203.0.113.77"),
            grace: Actor::new(base, "Grace", "Hopper", &format!("{mark}g"), "198.51.100.23"),
            operator: operator.bearing(token),
            mailbox,
        }
    }

    /// The server was started again, at another address.
    pub fn move_to_server(&mut self, base: &str) {
        self.ada.move_to_server(base);
        self.grace.move_to_server(base);
        self.operator = self.operator.at(base);
    }

    /// Answers the device on which Ada is left signed in.
    pub async fn begin(&mut self, claims: &mut Claims) -> Device {
        claims.chapter("Two people register and verify their addresses");
        for actor in [&mut self.ada, &mut self.grace] {
            actor.register().await;
            actor.verify(&self.mailbox).await;
            let (name, email) = (&actor.person.name, &actor.person.email);
            claims.see(format_args!("{name} <{email}> is account {}", actor.account));
        }
        claims.chapter("Ada signs in on two devices, and closes one");
        let (laptop, phone) = (self.ada.laptop.clone(), self.ada.phone.clone());
        let laptop = self.ada.sign_in(&laptop).await;
        laptop.client.account().await;
        let phone = self.ada.sign_in(&phone).await;
        let both = laptop.is_let_in().await && phone.is_let_in().await;
        claims.holds("both devices are let in", both);
        laptop.client.delete(&format!("/v1/me/sessions/{}", phone.session)).await.expect(204);
        claims.holds("the closed device is refused at once", !phone.is_let_in().await);
        claims.holds("the other is still let in", laptop.is_let_in().await);

        claims.chapter("Ada changes her address");
        let new = self.ada.person.email.replace("@home", "@work");
        let changed = self.ada.change_email(&new, &laptop, &self.mailbox).await;
        let me = laptop.client.get_at("/v1/me", &changed).await.expect(200);
        claims.see(me.text());
        claims.holds("her account shows the new address", me.text().contains(&new));
        laptop
    }

    /// The record of what was done, without anybody's data.
    pub async fn trail(&self, claims: &mut Claims) {
        claims.chapter("The audit trail, as an operator sees it");
        let trail = self.operator.get_read("/v1/audit-events?limit=200").await;
        let trail = trail.expect(200).json();
        let mut seen = 0;
        for event in trail["items"].as_array().into_iter().flatten() {
            if event.to_string().contains(&self.ada.account) {
                let (position, data) = (&event["position"], &event["data"]);
                let event_type = event["type"].as_str().unwrap_or_default();
                claims.see(format_args!("{position:>4}  {event_type:<32}{data}"));
                seen += 1;
            }
        }
        claims.holds("every one of Ada's steps stands in it", seen >= 7);
        let clear = self.ada.values().iter().any(|value| trail.to_string().contains(value));
        claims.holds("and nothing that she typed", !clear);
    }

    /// With no grace; answers the claim code once it is done.
    pub async fn erase(&self, claims: &mut Claims, device: &Device) -> String {
        claims.chapter("Ada asks to be erased, with no grace");
        let code = self.ada.ask_for_erasure(device).await;
        claims.holds("she is signed out everywhere at once", !device.is_let_in().await);
        let done = self.certificate(&code, &["completed", "backup_proven"]).await;
        claims.see(done.text());
        let certificate = &done.json()["certificate"];
        let certified = is_time(&certificate["completed_at"]) && certificate["keys_destroyed"] != 0;
        claims.holds("the erasure is certified", certified);
        let refused = self.ada.person.try_sign_in(&self.ada.laptop).await.status == 401;
        claims.holds("she cannot sign in", refused);
        let mails = self.mailbox.mails(&self.ada.person.email);
        claims.holds("her mails are gone from the mail folder", mails.is_empty());
        code
    }

    /// The certificate once more, when no backup of keys opens anything either.
    pub async fn proven(&self, claims: &mut Claims, code: &str) {
        let proven = self.certificate(code, &["backup_proven"]).await;
        let at = proven.json()["certificate"]["backup_proven_at"].clone();
        claims.see(&at);
        let claim = "her certificate says since when no backup of keys opens anything";
        claims.holds(claim, is_time(&at));
    }

    async fn certificate(&self, code: &str, states: &[&str]) -> Answer {
        let path = format!("/v1/erasures/{code}");
        until(&format!("the erasure is {}", states.join(" or ")), async || {
            let answer = self.ada.laptop.get(&path).await.expect(200);
            let state = answer.field("/state");
            if states.contains(&state.as_str()) { Ok(answer) } else { Err(state) }
        })
        .await
    }

    /// Whether Grace gets in and sees her own name, on the server at `base`.
    pub async fn serves_grace(&mut self, base: &str) -> bool {
        let from = self.grace.laptop.at(base);
        if self.grace.person.try_sign_in(&from).await.status != 201 {
            return false;
        }
        let device = self.grace.sign_in(&from).await;
        let me = device.client.get("/v1/me").await;
        me.status == 200 && me.text().contains(&self.grace.person.name)
    }
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok())
}
