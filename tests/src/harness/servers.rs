//! Servers of the workspace, on a real sshd.

use serde_json::{Value, json};
use test_support::{Machine, MachineUser};

use super::Harness;
use crate::{Answer, Client, Sshd, until};

impl Harness {
    /// Registers it; answers the path of the server.
    pub async fn register_server(&self, port: u16, user: &str) -> String {
        let body = json!({ "name": "web", "host": "127.0.0.1", "port": port, "user": user });
        let made = self.try_register_server(body).await.expect(201);
        assert!(made.field("/next").contains("observed"), "{}", made.text());
        made.header("location").unwrap().to_owned()
    }

    pub async fn try_register_server(&self, body: Value) -> Answer {
        let key = format!("registers-{body}");
        let key: String = key.chars().filter(char::is_ascii_graphic).take(120).collect();
        let call = self.ada.call(reqwest::Method::POST, &format!("{}/servers", self.path));
        call.header("Idempotency-Key", &key).json(body).send().await
    }

    /// Checks a server that answers.
    pub async fn check_server(&self, server: &str) -> Value {
        checked(&self.ada, server).await.json()
    }

    /// Checks it once, whether it answers or not.
    pub async fn try_check_server(&self, server: &str) -> Value {
        try_check(&self.ada, server).await.json()
    }

    pub async fn approve_host_key(&self, server: &str, body: Value) -> Answer {
        let call = self.ada.call(reqwest::Method::POST, &format!("{server}/host-key/approve"));
        call.header("If-Match", &self.etag_of(server).await).json(body).send().await
    }

    /// Attaches a new key; answers the line for `authorized_keys`.
    pub async fn generate_credential(&self, server: &str) -> String {
        let body = json!({ "generate": true });
        let etag = self.etag_of(server).await;
        let made = self.ada.put(&format!("{server}/credential"), &etag, body).await;
        made.expect(200).field("/public_line")
    }

    /// Registered, approved, with a key that its sshd lets in.
    pub async fn usable_server(&self, sshd: &Sshd) -> String {
        self.usable_server_at(sshd, sshd.port()).await
    }

    pub async fn usable_server_at(&self, sshd: &Sshd, port: u16) -> String {
        let server = register_server(&self.ada, &self.path, sshd, port).await;
        self.at(&format!("servers/{server}"))
    }
}

/// Registers, approves and gives a key to a server; answers its id.
pub async fn register_server(ada: &Client, workspace: &str, sshd: &Sshd, port: u16) -> String {
    let server = register(ada, workspace, port, sshd.user()).await;
    approve_sshd(ada, &format!("{workspace}/servers/{server}"), sshd).await;
    server
}

/// The same of a whole machine, on which Lethe is this user.
pub async fn register_machine(
    ada: &Client,
    workspace: &str,
    machine: &Machine,
    user: MachineUser,
) -> String {
    let server = register(ada, workspace, machine.port(), user.name()).await;
    let fingerprint = machine.host_key_fingerprint().unwrap();
    let authorize = |line: &str| machine.authorize(line).unwrap();
    approve_server(ada, &format!("{workspace}/servers/{server}"), &fingerprint, authorize).await;
    server
}

/// Changes the address of a server to that of the sshd, which it is to be let in by.
pub async fn move_server(ada: &Client, server: &str, sshd: &Sshd) {
    let place = json!({ "host": "127.0.0.1", "port": sshd.port(), "user": sshd.user() });
    ada.put(&format!("{server}/address"), "*", place).await.expect(200);
    approve_sshd(ada, server, sshd).await;
}

async fn register(ada: &Client, workspace: &str, port: u16, user: &str) -> String {
    let place = json!({ "name": "engine", "host": "127.0.0.1", "port": port, "user": user });
    let made = ada.post_once(&format!("{workspace}/servers"), place).await;
    made.expect(201).field("/server_id")
}

async fn approve_sshd(ada: &Client, server: &str, sshd: &Sshd) {
    let fingerprint = sshd.host_key_fingerprint().unwrap();
    let authorize = |line: &str| sshd.authorize(line).unwrap();
    approve_server(ada, server, &fingerprint, authorize).await;
}

/// Approves the host key of a server, and gives it a key.
async fn approve_server(ada: &Client, server: &str, fingerprint: &str, authorize: impl Fn(&str)) {
    let at = |rest: &str| format!("{server}{rest}");
    let checked = checked(ada, &at("")).await;
    let approval = json!({ "fingerprint": fingerprint, "password": ada.person().await.password });
    let approve = ada.call("POST".parse().unwrap(), &at("/host-key/approve"));
    let approved = approve.header("If-Match", &checked.etag()).json(approval).send().await;
    let etag = approved.expect(200).etag();
    let attached = ada.put(&at("/credential"), &etag, json!({ "generate": true })).await;
    authorize(&attached.expect(200).field("/public_line"));
}

/// Checks a server until it was reached: each stage has seconds, and a loaded machine may take longer.
async fn checked(ada: &Client, server: &str) -> Answer {
    until("the server is reached", async || {
        let checked = try_check(ada, server).await;
        let is_reached = results(&checked.json())[1] == "ok";
        if is_reached { Ok(checked) } else { Err(checked.text()) }
    })
    .await
}

async fn try_check(ada: &Client, server: &str) -> Answer {
    ada.post(&format!("{server}/check"), json!({})).await.expect(200)
}

/// The results of a check, in order.
pub fn results(checked: &Value) -> Vec<&str> {
    let stages = checked["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["result"].as_str().unwrap()).collect()
}
