//! What a command is answered when something fails, how often it is tried, and what is measured.

#![allow(clippy::large_stack_arrays, reason = "three requests")]

use std::sync::Arc;
use std::time::Duration;

use domain::operator::{Operator, OperatorCommand, Scope};
use domain::{CommandId, TenantId};
use tempfile::TempDir;
use test_support::Databases;
use uuid::Uuid;

use super::super::{ExecuteError, Executor, ExecutorConfig, Receipt, Request, Step};
use super::{owner, pool};
use crate::clock::Clock;
use crate::keyring::{Keyring, KeyringOptions, RootFolder};
use crate::metrics::Metrics;

const ALWAYS_IN_CONFLICT: &str = include_str!("always_in_conflict.sql");
const FORBID_READING: &str = "revoke select on event_log.events from lethe_app";
const ALLOW_READING: &str = "grant select on event_log.events to lethe_app";
pub(super) const TOKEN: Uuid = Uuid::from_u128(7);

pub(super) struct TestExecutor {
    pub executor: Executor,
    metrics: Arc<Metrics>,
    pub databases: Databases,
    keyring: Keyring,
    _roots: TempDir,
}

impl TestExecutor {
    /// Its log holds the token `TOKEN`, issued by command 1.
    pub async fn new() -> Self {
        let databases = super::databases().await;
        let roots = tempfile::tempdir().unwrap();
        let keys = pool(&databases.keyring_url).await;
        let folder = Arc::new(RootFolder::open(roots.path(), None).unwrap());
        let options = KeyringOptions::default();
        let keyring = Keyring::start(keys, folder, options, Clock::system()).await.unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let (log, url) = (pool(&databases.log_url).await, &databases.log_url);
        let config = ExecutorConfig::default();
        let (sealer, macs) = (keyring.sealer.clone(), keyring.request_macs.clone());
        let starting = Executor::start(config, log, url, sealer, macs, Arc::clone(&metrics));
        let executor = starting.await.unwrap();
        let expires_at = Clock::system().now() + Duration::from_hours(24);
        let issue = OperatorCommand::IssueToken { scope: Scope::Admin, expires_at };
        executor.execute(&request(1), &[Step::new::<Operator>(TOKEN, issue)]).await.unwrap();
        Self { executor, metrics, databases, keyring, _roots: roots }
    }

    /// Another node of the same installation, with a cache of its own.
    pub async fn another(&self) -> Executor {
        let (log, url) = (pool(&self.databases.log_url).await, &self.databases.log_url);
        let (sealer, macs) = (self.keyring.sealer.clone(), self.keyring.request_macs.clone());
        let metrics = Arc::new(Metrics::new().unwrap());
        Executor::start(ExecutorConfig::default(), log, url, sealer, macs, metrics).await.unwrap()
    }

    pub fn conflicts(&self) -> u64 {
        self.metrics.conflicts.get()
    }

    pub async fn export(&self, request: &Request) -> Result<Receipt, ExecuteError> {
        let export = OperatorCommand::StartExport { through: 1 };
        self.executor.execute(request, &[Step::new::<Operator>(TOKEN, export)]).await
    }

    fn measured(&self) -> u64 {
        self.metrics.append_seconds.get_sample_count()
    }
}

pub(super) fn request(command: u128) -> Request {
    Request::new(TenantId(Uuid::from_u128(1)), CommandId(Uuid::from_u128(command)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_command_whose_events_cannot_be_looked_up_may_have_been_executed() {
    let node = TestExecutor::new().await;
    let first = node.export(&request(2)).await.unwrap();
    let admin = owner(&node.databases.log_url).await;

    admin.batch_execute(FORBID_READING).await.unwrap();
    let unknown = node.export(&request(2)).await;

    assert!(matches!(unknown, Err(ExecuteError::Unavailable(_))), "{unknown:?}");
    admin.batch_execute(ALLOW_READING).await.unwrap();
    let again = node.export(&request(2)).await.unwrap();
    assert!(again.replayed());
    assert_eq!(again.events(), first.events());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_always_meets_a_conflict_is_tried_33_times() {
    let node = TestExecutor::new().await;
    let admin = owner(&node.databases.log_url).await;
    admin.batch_execute(ALWAYS_IN_CONFLICT).await.unwrap();

    let refused = node.export(&request(2)).await;

    assert!(matches!(refused, Err(ExecuteError::Conflict)), "{refused:?}");
    let attempts = admin.query_one("select last_value from public.attempts", &[]).await.unwrap();
    assert_eq!(attempts.get::<_, i64>(0), 33);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_command_is_measured_whatever_comes_of_it() {
    let node = TestExecutor::new().await;
    let with = |body: &str| Request { body: Some(body.as_bytes().to_vec()), ..request(2) };
    let admin = owner(&node.databases.log_url).await;
    assert_eq!(node.measured(), 1);

    node.export(&with("one")).await.unwrap();
    assert_eq!(node.measured(), 2);

    let reused = node.export(&with("two")).await;
    assert!(matches!(reused, Err(ExecuteError::Reused)), "{reused:?}");
    assert_eq!(node.measured(), 3);

    admin.batch_execute(FORBID_READING).await.unwrap();
    let unknown = node.export(&with("one")).await;
    assert!(unknown.is_err(), "{unknown:?}");
    assert_eq!(node.measured(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_former_version_executed_is_recognised_in_its_form() {
    let node = TestExecutor::new().await;
    let with = |command, body: &str, former_body: Option<&str>| Request {
        body: Some(body.as_bytes().to_vec()),
        former_body: former_body.map(|body| body.as_bytes().to_vec()),
        ..request(command)
    };
    let first = node.export(&with(2, "one", None)).await.unwrap();

    let again = node.export(&with(2, "*\none", Some("one"))).await.unwrap();
    assert_eq!((again.events(), again.replayed()), (first.events(), true));
    let found = node.executor.find_earlier(&with(2, "*\none", Some("one"))).await.unwrap();
    assert_eq!(found.unwrap().events(), first.events());

    for other in [with(2, "*\none", None), with(2, "*\ntwo", Some("two"))] {
        let reused = node.export(&other).await;
        assert!(matches!(reused, Err(ExecuteError::Reused)), "{reused:?}");
    }
    // What this version has executed is compared in its own form.
    node.export(&with(3, "*\none", Some("one"))).await.unwrap();
    let reused = node.export(&with(3, "7\none", Some("one"))).await;
    assert!(matches!(reused, Err(ExecuteError::Reused)), "{reused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_request_is_another_one_for_another_body() {
    let node = TestExecutor::new().await;
    let id = async |command, body: &[u8], label| {
        let request = Request { body: Some(body.to_vec()), ..request(command) };
        node.executor.id_of(&request, label).await.unwrap()
    };
    let one = id(2, b"one", "row").await;
    assert_eq!(id(2, b"one", "row").await, one);
    for other in [id(2, b"other", "row"), id(3, b"one", "row"), id(2, b"one", "log")] {
        assert_ne!(other.await, one);
    }
}
