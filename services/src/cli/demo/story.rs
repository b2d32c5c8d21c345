//! What happens through the API alone, on any Lethe: two people come, and one asks to be forgotten.

use std::time::Duration;

use super::api::{Answer, Api};
use super::mailbox::Mailbox;
use super::person::{Device, Person};
use super::told::Told;
use crate::cli::CliError;

const ERASED_WITHIN: Duration = Duration::from_mins(1);

/// Ada, who will be forgotten, and Grace, who stays.
pub struct Story {
    pub ada: Person,
    pub grace: Person,
    pub operator: Api,
    pub mailbox: Mailbox,
}

impl Story {
    pub fn new(base: &str, token: &str, mailbox: Mailbox, mark: &str) -> Self {
        Self {
            ada: Person::new(base, "Ada", "Lovelace", &format!("{mark}a"), "203.0.113.77"),
            grace: Person::new(base, "Grace", "Hopper", &format!("{mark}g"), "198.51.100.23"),
            operator: Api::new(base, "192.0.2.1", "lethe-demo").bearing(token),
            mailbox,
        }
    }

    /// The same Lethe, started again elsewhere.
    pub fn at(&mut self, base: &str) {
        self.ada.move_on(base);
        self.grace.move_on(base);
        self.operator = self.operator.at(base);
    }

    /// Answers the device on which Ada is left signed in.
    pub async fn begin(&mut self, told: &mut Told) -> Result<Device, CliError> {
        told.chapter("Two people register and verify their addresses");
        for person in [&mut self.ada, &mut self.grace] {
            person.register().await?;
            person.verify(&self.mailbox).await?;
            told.see(format_args!(
                "{} <{}> is account {}",
                person.name, person.email, person.account
            ));
        }
        told.chapter("Ada signs in on two devices, and closes one");
        let (laptop, phone) = (self.ada.laptop.clone(), self.ada.phone.clone());
        let laptop = self.ada.sign_in(&laptop).await?;
        let phone = self.ada.sign_in(&phone).await?;
        told.holds(
            "both devices are let in",
            is_let_in(&laptop).await? && is_let_in(&phone).await?,
        );
        let path = format!("/v1/me/sessions/{}", phone.session);
        laptop.api.delete(&path, None).await?.expect(204, "closing a session")?;
        told.holds("the closed device is refused at once", !is_let_in(&phone).await?);
        told.holds("the other is still let in", is_let_in(&laptop).await?);

        told.chapter("Ada changes her address");
        let new = self.ada.email.replace("@home", "@work");
        self.ada.move_to(&new, &laptop, &self.mailbox).await?;
        let me = laptop.api.get("/v1/me").await?.expect(200, "one's own account")?;
        told.see(&me.body);
        told.holds("her account shows the new address", me.body.to_string().contains(&new));
        Ok(laptop)
    }

    /// The record of what was done, without anybody's data.
    pub async fn trail(&self, told: &mut Told) -> Result<(), CliError> {
        told.chapter("The audit trail, as an operator sees it");
        let trail = self.operator.get("/v1/audit-events?limit=200").await?;
        let trail = trail.expect(200, "the audit trail")?;
        let events = trail.body.pointer("/items").and_then(|items| items.as_array());
        let mut seen = 0;
        for event in events.into_iter().flatten() {
            let field = |name: &str| event.get(name).map_or(String::new(), ToString::to_string);
            if event.to_string().contains(&self.ada.account) {
                let (position, kind) = (field("position"), field("type"));
                told.see(format_args!(
                    "{position:>4}  {:<32}{}",
                    kind.trim_matches('"'),
                    field("data")
                ));
                seen += 1;
            }
        }
        told.holds("every one of Ada's steps stands in it", seen >= 7);
        let clear = self.ada.said().iter().any(|said| trail.body.to_string().contains(said));
        told.holds("and nothing that she typed", !clear);
        Ok(())
    }

    /// With no grace; answers the claim code once it is done.
    pub async fn erase(&self, told: &mut Told, device: &Device) -> Result<String, CliError> {
        told.chapter("Ada asks to be erased, with no grace");
        let code = self.ada.be_forgotten(device).await?;
        told.holds("she is signed out everywhere at once", !is_let_in(device).await?);
        let done = self.certificate(&code, &["completed", "backup_proven"]).await?;
        told.see(&done.body);
        told.holds("the erasure is certified", true);
        told.holds(
            "she cannot sign in",
            self.ada.try_sign_in(&self.ada.laptop).await?.status == 401,
        );
        let mails = self.mailbox.mails(&self.ada.email);
        told.holds("her mails are gone from the mail folder", mails.is_empty());
        Ok(code)
    }

    /// The certificate once more, when no backup of keys opens anything either.
    pub async fn proven(&self, told: &mut Told, code: &str) -> Result<(), CliError> {
        let proven = self.certificate(code, &["backup_proven"]).await?;
        let at = proven.text("/certificate/backup_proven_at");
        told.holds(
            &format!("her certificate says that no backup of keys opens anything since {at}"),
            true,
        );
        Ok(())
    }

    async fn certificate(&self, code: &str, states: &[&str]) -> Result<Answer, CliError> {
        let path = format!("/v1/erasures/{code}");
        let reached = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let answer = self.ada.laptop.get(&path).await?.expect(200, "the certificate")?;
                if states.contains(&answer.text("/state").as_str()) {
                    return Ok(answer);
                }
            }
        };
        let reached = tokio::time::timeout(ERASED_WITHIN, reached).await;
        reached
            .map_err(|_| CliError::Failed(format!("the erasure is not {}", states.join(", "))))?
    }

    /// Whether Grace gets in and sees her own name.
    pub async fn serves_grace(&mut self, base: Option<&str>) -> Result<bool, CliError> {
        let from = base.map_or_else(|| self.grace.laptop.clone(), |base| self.grace.at(base));
        let Ok(device) = self.grace.sign_in(&from).await else { return Ok(false) };
        let me = device.api.get("/v1/me").await?;
        Ok(me.status == 200 && me.body.to_string().contains(&self.grace.name))
    }
}

async fn is_let_in(device: &Device) -> Result<bool, CliError> {
    Ok(device.api.get("/v1/me").await?.status == 200)
}
