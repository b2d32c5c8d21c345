//! A person each of whose values appears nowhere else.

use serde_json::json;
use tests::{Client, Installation, Person};

pub const IP: &str = "203.0.113.177";
pub const CLIENT: &str = "Quillfeather-Browser/77.31 (Ada's own; \"beta\")";
const NEW_EMAIL: &str = "zephyrine.after.7731@canary-two.example";
const NEW_NAME: &str = "Zephyrine \"Zee\" Quillfeather-Ümlaut-Second";
const NEW_USERNAME: &str = "zephyr.quill.second.7731";
const PENDING_EMAIL: &str = "zephyrine.pending.7731@canary-three.example";
const NEW_PASSWORD: &str = "quillfeather's \\ second \"password\" 7731";
const WRONG_PASSWORD: &str = "quillfeather guessed wrong 7731";

pub struct Ada {
    pub person: Person,
    /// What she was called first.
    before: Person,
}

impl Ada {
    pub fn planted() -> Self {
        let before = Person {
            email: "zephyrine.before.7731@canary-one.example".to_owned(),
            name: "Zephyrine Quillfeather-Ümlaut".to_owned(),
            username: "zephyr.quill.7731".to_owned(),
            password: "quillfeather's first password 7731".to_owned(),
        };
        let person = Person {
            email: NEW_EMAIL.to_owned(),
            name: NEW_NAME.to_owned(),
            username: NEW_USERNAME.to_owned(),
            password: NEW_PASSWORD.to_owned(),
        };
        Self { person, before }
    }

    /// Does everything once that takes a personal value.
    pub async fn live(&self, client: &Client, installation: &Installation) -> Client {
        let client = client.saying("X-Forwarded-For", IP).saying("User-Agent", CLIENT);
        let signed_in = self.before.settle(&client, installation).await;
        self.move_house(&signed_in, installation).await;
        self.rename(&signed_in).await;
        self.guess(&client).await;
        let signed_in = self.change_password(&signed_in, &client).await;
        let ask = json!({ "email": PENDING_EMAIL, "password": NEW_PASSWORD });
        signed_in.put("/v1/me/email", "*", ask).await.expect(202);
        client.post("/v1/password-resets", json!({ "email": NEW_EMAIL })).await.expect(202);
        installation.mail(PENDING_EMAIL, 1).await;
        signed_in
    }

    async fn move_house(&self, signed_in: &Client, installation: &Installation) {
        let ask = json!({ "email": NEW_EMAIL, "password": self.before.password });
        signed_in.put("/v1/me/email", "*", ask).await.expect(202);
        let link = json!({ "token": installation.mail(NEW_EMAIL, 1).await.token() });
        signed_in.post("/v1/email-changes", link).await.expect(204);
    }

    async fn rename(&self, signed_in: &Client) {
        let put_right = json!({ "name": NEW_NAME, "username": NEW_USERNAME });
        signed_in.patch("/v1/me", "*", put_right).await.expect(200);
    }

    /// Somebody tries passwords, and values where none belong.
    async fn guess(&self, client: &Client) {
        let wrong = Person { password: WRONG_PASSWORD.to_owned(), ..self.person.clone() };
        wrong.try_sign_in(client).await.expect(401);
        wrong.try_register(client).await.expect(409);
        let misplaced = json!({ "email": 7, "name": NEW_NAME, "password": NEW_EMAIL });
        assert!(client.post("/v1/accounts", misplaced).await.status >= 400);
        assert!(client.get(&format!("/v1/me?email={NEW_EMAIL}")).await.status >= 400);
    }

    async fn change_password(&self, signed_in: &Client, client: &Client) -> Client {
        let change = json!({ "current": self.before.password, "new": NEW_PASSWORD });
        signed_in.put("/v1/me/password", "*", change).await.expect(204);
        self.person.sign_in(client).await
    }

    /// What she is shown of herself.
    pub async fn view(&self, signed_in: &Client) -> Vec<u8> {
        let mut view = signed_in.get("/v1/me").await.expect(200).body;
        view.extend(signed_in.get("/v1/me/sessions").await.expect(200).body);
        view
    }

    pub async fn erase(&self, signed_in: &Client) -> String {
        self.person.erase(signed_in).await
    }

    /// Everything that nobody may find: what is personal, and what is secret.
    pub fn values(&self, signed_in: &Client) -> Vec<String> {
        let Person { email, name, username, password } = &self.before;
        let before = [email, name, username, password].map(String::as_str);
        let after = [NEW_EMAIL, NEW_NAME, NEW_USERNAME, NEW_PASSWORD, PENDING_EMAIL];
        let others = [IP, CLIENT, WRONG_PASSWORD, signed_in.token().unwrap()];
        before.into_iter().chain(after).chain(others).map(str::to_owned).collect()
    }
}
