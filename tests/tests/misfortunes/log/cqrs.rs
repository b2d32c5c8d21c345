//! The log as cqrs-es knows it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use cqrs_es::{AggregateError, CqrsFramework, EventStore};
use domain::operator::{Operator, OperatorCommand, OperatorError, OperatorEvent, Scope};

use test_support::{NodeHarness, TENANT};

fn metadata(harness: &NodeHarness) -> HashMap<String, String> {
    HashMap::from([
        ("command_id".to_owned(), harness.ids.uuid().to_string()),
        ("actor".to_owned(), harness.ids.uuid().to_string()),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_of_cqrs_es_runs_on_the_log() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let store = node.executor.cqrs::<Operator>(TENANT);
    let operators = CqrsFramework::new(store.clone(), vec![], ());
    let token = harness.ids.uuid().to_string();
    let expires_at: DateTime<Utc> = DateTime::UNIX_EPOCH;
    let issue = OperatorCommand::IssueToken { scope: Scope::Audit, expires_at };

    operators.execute_with_metadata(&token, issue.clone(), metadata(&harness)).await.unwrap();
    let revoke = OperatorCommand::RevokeToken;
    operators.execute_with_metadata(&token, revoke, metadata(&harness)).await.unwrap();
    let again = operators.execute_with_metadata(&token, issue, metadata(&harness)).await;

    assert!(matches!(again, Err(AggregateError::UserError(OperatorError::AlreadyExists))));
    let events = store.load_events(&token).await.unwrap();
    let stored: Vec<_> = events.into_iter().map(|event| (event.sequence, event.payload)).collect();
    let issued = OperatorEvent::TokenIssued { scope: Scope::Audit, expires_at };
    assert_eq!(stored, [(1, issued), (2, OperatorEvent::TokenRevoked {})]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_commits_on_one_version_are_a_conflict() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let store = node.executor.cqrs::<Operator>(TENANT);
    let token = harness.ids.uuid().to_string();
    let contexts =
        [store.load_aggregate(&token).await.unwrap(), store.load_aggregate(&token).await.unwrap()];
    let issued =
        OperatorEvent::TokenIssued { scope: Scope::Audit, expires_at: DateTime::UNIX_EPOCH };

    let [first, second] = contexts;
    store.commit(vec![issued.clone()], first, metadata(&harness)).await.unwrap();
    let conflict = store.commit(vec![issued], second, metadata(&harness)).await;

    assert!(matches!(conflict, Err(AggregateError::AggregateConflict)));
}
