//! The people of the story, and what they do through the API.

use serde_json::json;

use super::api::{Answer, Api};
use super::mailbox::Mailbox;
use crate::cli::CliError;

/// Everything that is ever typed, sent or shown of a person: what is searched for later.
pub struct Person {
    pub name: String,
    pub username: String,
    pub email: String,
    pub password: String,
    pub laptop: Api,
    pub phone: Api,
    pub account: String,
    said: Vec<String>,
}

/// A device that is signed in.
pub struct Device {
    pub api: Api,
    pub session: String,
}

impl Device {
    /// The same device, at another Lethe.
    pub fn at(&self, base: &str) -> Self {
        Self { api: self.api.at(base), session: self.session.clone() }
    }
}

impl Person {
    /// `mark` makes every value one that nothing else holds.
    pub fn new(base: &str, first: &str, last: &str, mark: &str, address: &str) -> Self {
        let (small, laptop) = (first.to_lowercase(), format!("{first}s-Laptop-{mark}/1.0"));
        let phone = format!("{first}s-Phone-{mark}/2.0");
        let mut person = Self {
            name: format!("{first} {last}-{mark}"),
            username: format!("{small}-{mark}"),
            email: format!("{small}.{mark}@home.example"),
            password: format!("correct horse {first} {mark}"),
            laptop: Api::new(base, address, &laptop),
            phone: Api::new(base, address, &phone),
            account: String::new(),
            said: Vec::new(),
        };
        person.said = vec![
            person.name.clone(),
            person.username.clone(),
            person.email.clone(),
            person.password.clone(),
            address.to_owned(),
            laptop,
            phone,
        ];
        person
    }

    /// Goes on at another Lethe.
    pub fn move_on(&mut self, base: &str) {
        self.laptop = self.laptop.at(base);
        self.phone = self.phone.at(base);
    }

    /// The same laptop, at another Lethe.
    pub fn at(&self, base: &str) -> Api {
        self.laptop.at(base)
    }

    pub fn said(&self) -> Vec<&str> {
        self.said.iter().map(String::as_str).collect()
    }

    pub async fn register(&mut self) -> Result<(), CliError> {
        let body = json!({
            "email": self.email, "name": self.name, "username": self.username,
            "password": self.password,
        });
        let answer = self.laptop.post("/v1/accounts", body).await?.expect(201, "registering")?;
        self.account = answer.text("/account_id");
        Ok(())
    }

    pub async fn verify(&self, mailbox: &Mailbox) -> Result<(), CliError> {
        let token = mailbox.secret(&self.email, 1).await?;
        let body = json!({ "token": token });
        self.laptop.post("/v1/email-verifications", body).await?.expect(204, "verifying")?;
        Ok(())
    }

    pub async fn sign_in(&mut self, from: &Api) -> Result<Device, CliError> {
        let answer = self.try_sign_in(from).await?.expect(201, "signing in")?;
        let token = answer.text("/token");
        self.said.push(token.clone());
        Ok(Device { api: from.bearing(&token), session: answer.text("/session_id") })
    }

    pub async fn try_sign_in(&self, from: &Api) -> Result<Answer, CliError> {
        let body = json!({ "email": self.email, "password": self.password, "kind": "client" });
        from.post("/v1/sessions", body).await
    }

    /// Follows the link that is sent to the new address.
    pub async fn move_to(
        &mut self,
        email: &str,
        device: &Device,
        mailbox: &Mailbox,
    ) -> Result<(), CliError> {
        let me = device.api.get("/v1/me").await?.expect(200, "one's own account")?;
        let body = json!({ "email": email, "password": self.password });
        let asked = device.api.put("/v1/me/email", body, me.etag()).await?;
        asked.expect(202, "asking for another address")?;
        let token = mailbox.secret(email, 1).await?;
        let body = json!({ "token": token });
        self.laptop.post("/v1/email-changes", body).await?.expect(204, "changing the address")?;
        email.clone_into(&mut self.email);
        self.said.push(email.to_owned());
        Ok(())
    }

    /// With no grace; answers the claim code.
    pub async fn be_forgotten(&self, device: &Device) -> Result<String, CliError> {
        let body = json!({ "password": self.password, "grace_days": 0 });
        let asked = device.api.post("/v1/me/erasure", body).await?;
        Ok(asked.expect(202, "asking to be erased")?.text("/claim_code"))
    }
}
