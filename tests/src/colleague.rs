//! Colleagues, past the invitations and their mails: a workspace's log says that they have joined.

use std::str::FromStr;

use infra::clock::Clock;
use infra::ids::Ids;
use infra::postgres::{ConnectOptions, connect};
use infra::sessions::{NewSession, Sessions};
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::{Client, Installation, Person};

const JOIN: &str = include_str!("join.sql");

impl Installation {
    /// Makes the account a member of the workspace.
    pub async fn join(&self, workspace: &str, account: &str, role: &str) {
        let (workspace, event) = (Uuid::from_str(workspace).unwrap(), Ids::system().uuid());
        let data = serde_json::json!({ "account": account, "role": role }).to_string();
        let log = self.log().await;
        let joined = log.query_one(JOIN, &[&workspace, &event, &data]).await.unwrap();
        assert!(joined.get::<_, Option<i64>>(0).is_some(), "somebody else was faster");
    }

    /// The tokens of people who are operators of the workspace.
    pub async fn crowd(&self, workspace: &str, count: usize) -> Vec<String> {
        let mut tokens = Vec::new();
        for _ in 0..count {
            let (account, token) = self.stranger().await;
            self.join(workspace, &account, "operator").await;
            tokens.push(token);
        }
        tokens
    }

    /// Somebody who has never registered: nothing but a session tells of them. The account, and
    /// the session's token.
    pub async fn stranger(&self) -> (String, String) {
        let pool = connect(&self.log_url(), &ConnectOptions::app()).await.unwrap();
        let account = Ids::system().uuid();
        let token = Sessions::draw_token().unwrap();
        let opening = NewSession {
            session: domain::SessionId(Ids::system().uuid()),
            account: domain::AccountId(account),
            account_version: 0,
            kind: domain::session::SessionKind::Client,
            token: token.hash,
            idle: chrono::TimeDelta::days(1),
            absolute: chrono::TimeDelta::days(1),
        };
        assert!(Sessions::new(pool, Clock::system()).open(&opening).await.unwrap());
        (account.to_string(), token.secret.expose_secret().to_owned())
    }
}

impl Client {
    /// Who has signed in, if it is somebody of [`Person::named`].
    pub async fn person(&self) -> Person {
        self.account().await;
        let email = self.get("/v1/me").await.expect(200).field("/email");
        Person::named(email.split('@').next().unwrap())
    }

    /// Whose token it bears.
    pub async fn account(&self) -> String {
        let me = crate::until("one's account is shown", async || {
            let me = self.get("/v1/me").await;
            (me.status == 200).then(|| me.field("/account_id"))
        });
        me.await
    }
}
