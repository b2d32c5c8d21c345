//! The people of the demo: a person, the devices, and everything that was ever typed or sent.

use serde_json::json;

use crate::{Client, Mailbox, Person, until};

pub struct Actor {
    pub person: Person,
    pub account: String,
    pub laptop: Client,
    pub phone: Client,
    /// Every value that is searched for once the person is erased.
    values: Vec<String>,
}

/// A device that is signed in.
pub struct Device {
    pub client: Client,
    pub session: String,
}

impl Device {
    /// The same device, on a server at another address.
    pub fn at(&self, base: &str) -> Self {
        Self { client: self.client.at(base), session: self.session.clone() }
    }

    pub async fn is_let_in(&self) -> bool {
        self.client.get("/v1/me").await.status == 200
    }
}

impl Actor {
    /// `mark` makes every value one that occurs nowhere else.
    pub fn new(base: &str, first: &str, last: &str, mark: &str, address: &str) -> Self {
        let small = first.to_lowercase();
        let person = Person {
            name: format!("{first} {last}-{mark}"),
            username: format!("{small}-{mark}"),
            email: format!("{small}.{mark}@home.example"),
            password: format!("correct horse {first} {mark}"),
        };
        let agents = [format!("{first}s-Laptop-{mark}/1.0"), format!("{first}s-Phone-{mark}/2.0")];
        let device = |agent: &String| {
            let client = Client::new(base).saying("X-Forwarded-For", address);
            client.saying("User-Agent", agent)
        };
        let (laptop, phone) = (device(&agents[0]), device(&agents[1]));
        let Person { name, username, email, password } = person.clone();
        let mut values = vec![name, username, email, password, address.to_owned()];
        values.extend(agents);
        Self { person, account: String::new(), laptop, phone, values }
    }

    pub fn move_to_server(&mut self, base: &str) {
        self.laptop = self.laptop.at(base);
        self.phone = self.phone.at(base);
    }

    pub fn values(&self) -> Vec<&str> {
        self.values.iter().map(String::as_str).collect()
    }

    pub async fn register(&mut self) {
        self.account = self.person.register(&self.laptop).await;
    }

    pub async fn verify(&self, mailbox: &Mailbox) {
        let mail = mailbox.mail(&self.person.email, 1).await;
        let body = json!({ "token": mail.token() });
        self.laptop.post("/v1/email-verifications", body).await.expect(204);
    }

    pub async fn sign_in(&mut self, from: &Client) -> Device {
        let answer = self.person.try_sign_in(from).await.expect(201);
        let token = answer.field("/token");
        self.values.push(token.clone());
        Device { client: from.bearing(&token), session: answer.field("/session_id") }
    }

    /// Follows the link that is sent to the new address; answers the position of the change.
    pub async fn change_email(
        &mut self,
        email: &str,
        device: &Device,
        mailbox: &Mailbox,
    ) -> String {
        let body = json!({ "email": email, "password": self.person.password });
        // The version that is shown may be one of before the last sign-in.
        until("the account is shown as it is", async || {
            let me = device.client.get("/v1/me").await.expect(200);
            let asked = device.client.put("/v1/me/email", &me.etag(), &body).await;
            if asked.status == 412 { Err(asked.text()) } else { Ok(asked.expect(202)) }
        })
        .await;
        let body = json!({ "token": mailbox.mail(email, 1).await.token() });
        let changed = self.laptop.post("/v1/email-changes", body).await.expect(204);
        email.clone_into(&mut self.person.email);
        self.values.push(email.to_owned());
        changed.position()
    }

    /// With no grace; answers the claim code.
    pub async fn ask_for_erasure(&self, device: &Device) -> String {
        let body = json!({ "password": self.person.password, "grace_days": 0 });
        device.client.ask_for_erasure(body).await.expect(202).field("/claim_code")
    }
}
