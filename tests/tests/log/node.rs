//! Nodes that share one log and one keyring.

use std::sync::Arc;
use std::time::Duration;

use domain::operator::{Operator, OperatorCommand, Scope};
use domain::{CommandId, TenantId};
use infra::clock::Clock;
use infra::event_store::{Executor, ExecutorConfig, Request, Step};
use infra::ids::Ids;
use infra::keyring::{Keyring, KeyringOptions, RootFolder};
use infra::metrics::Metrics;
use infra::postgres::{ConnectOptions, Pool, connect, connect_one};
use tempfile::TempDir;
use test_support::{Databases, databases};
use tokio_postgres::Client;
use uuid::Uuid;

pub const TENANT: TenantId = TenantId(Uuid::from_u128(1));

pub struct House {
    pub databases: Databases,
    pub ids: Ids,
    roots: TempDir,
}

#[derive(Clone)]
pub struct Node {
    pub executor: Executor,
    pub pool: Pool,
}

impl House {
    pub async fn new() -> Self {
        let databases = databases().await.unwrap();
        Self { databases, ids: Ids::seeded(7), roots: tempfile::tempdir().unwrap() }
    }

    pub async fn node(&self) -> Node {
        self.node_with(ExecutorConfig::default()).await
    }

    pub async fn node_with(&self, config: ExecutorConfig) -> Node {
        let keys = connect(&self.databases.keyring_url, &ConnectOptions::app()).await.unwrap();
        let roots = Arc::new(RootFolder::open(self.roots.path(), None).unwrap());
        let options = KeyringOptions::default();
        let keyring = Keyring::start(keys, roots, options, Clock::system()).await.unwrap();
        let pool = connect(&self.databases.log_url, &ConnectOptions::app()).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let url = &self.databases.log_url;
        let executor = Executor::start(config, pool.clone(), url, keyring, metrics).await.unwrap();
        Node { executor, pool }
    }

    /// A connection of the tables' owner, which may do what the programme may not.
    pub async fn owner(&self) -> Client {
        connect_one(&self.databases.log_url, &ConnectOptions::default()).await.unwrap()
    }

    pub fn request(&self) -> Request {
        Request::new(TENANT, CommandId(self.ids.uuid()))
    }

    /// A stream that takes any number of events: an operator's token.
    pub async fn token(&self, node: &Node) -> Uuid {
        let token = self.ids.uuid();
        let expires_at = Clock::system().now() + Duration::from_hours(24);
        let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
        let issue = [Step::new::<Operator>(token, issue)];
        node.executor.execute(&self.request(), &issue).await.unwrap();
        token
    }
}

pub fn export(token: Uuid, through: i64) -> Step {
    Step::new::<Operator>(token, OperatorCommand::StartExport { through })
}
