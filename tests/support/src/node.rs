//! Nodes in this process, without HTTP and without readers, on a log and a keyring that they share.

use std::path::Path;
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
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{Databases, LIMIT, databases};

/// Whose the commands of [`NodeHarness::request`] are.
pub const TENANT: TenantId = TenantId(Uuid::from_u128(1));

/// What one node has of the log and the keyring.
#[derive(Clone)]
pub struct TestNode {
    pub executor: Executor,
    pub keyring: Keyring,
    pub pool: Pool,
}

impl TestNode {
    pub async fn start(
        log_url: &str,
        keyring_url: &str,
        roots: &Path,
        config: ExecutorConfig,
    ) -> Self {
        // A busy machine reaches none of these.
        let patient =
            ConnectOptions { wait: LIMIT, connect_timeout: LIMIT, ..ConnectOptions::app() };
        let keys = connect(keyring_url, &patient).await.unwrap();
        let roots = Arc::new(RootFolder::open(roots, None).unwrap());
        let options = KeyringOptions::default();
        let keyring = Keyring::start(keys, roots, options, Clock::system()).await.unwrap();
        let pool = connect(log_url, &patient).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let (sealer, macs) = (keyring.sealer.clone(), keyring.request_macs.clone());
        let starting = Executor::start(config, pool.clone(), log_url, sealer, macs, metrics);
        Self { executor: starting.await.unwrap(), keyring, pool }
    }
}

/// Databases and root keys, and the ids that a test draws.
pub struct NodeHarness {
    pub databases: Databases,
    pub ids: Ids,
    roots: TempDir,
}

impl NodeHarness {
    pub async fn new() -> Self {
        let databases = databases().await.unwrap();
        Self { databases, ids: Ids::seeded(7), roots: tempfile::tempdir().unwrap() }
    }

    pub async fn node(&self) -> TestNode {
        self.node_with(ExecutorConfig::default()).await
    }

    pub async fn node_with(&self, config: ExecutorConfig) -> TestNode {
        let Databases { log_url, keyring_url, .. } = &self.databases;
        TestNode::start(log_url, keyring_url, self.roots.path(), config).await
    }

    /// A connection of the tables' owner, which may do what the programme may not.
    pub async fn owner(&self) -> Client {
        connect_one(&self.databases.log_url, &ConnectOptions::default()).await.unwrap()
    }

    pub fn request(&self) -> Request {
        Request::new(TENANT, CommandId(self.ids.uuid()))
    }

    /// A stream that takes any number of events: an operator's token.
    pub async fn token(&self, node: &TestNode) -> Uuid {
        let token = self.ids.uuid();
        let expires_at = Clock::system().now() + Duration::from_hours(24);
        let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
        let issue = [Step::new::<Operator>(token, issue)];
        node.executor.execute(&self.request(), &issue).await.unwrap();
        token
    }
}

/// An event more in the stream of an operator's token.
pub fn export(token: Uuid, through: i64) -> Step {
    Step::new::<Operator>(token, OperatorCommand::StartExport { through })
}
