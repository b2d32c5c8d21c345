use std::sync::Arc;

use chrono::TimeDelta;
use uuid::Uuid;

use super::*;
use crate::keyring::{Keyring, KeyringOptions, RootFolder};
use crate::postgres::{ConnectOptions, connect};
use test_support::{Databases, databases};

const WORKSPACE: WorkspaceId = WorkspaceId(Uuid::from_u128(1));
const SERVER: ServerId = ServerId(Uuid::from_u128(2));

struct Harness {
    _databases: Databases,
    _roots: tempfile::TempDir,
    clock: Clock,
    credentials: ServerCredentials,
}

async fn given() -> Harness {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let keys = connect(&databases.keyring_url, &ConnectOptions::app()).await.unwrap();
    let clock = Clock::fixed("2026-11-22T12:00:00Z".parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let roots = Arc::new(RootFolder::open(&folder.path().join("roots"), None).unwrap());
    let keyring = Keyring::start(keys, roots, KeyringOptions::default(), clock.clone());
    let sealer = keyring.await.unwrap().sealer.clone();
    let credentials = ServerCredentials::new(pool, sealer, clock.clone());
    Harness { _databases: databases, _roots: folder, clock, credentials }
}

fn credential(id: u128) -> ServerCredentialId {
    ServerCredentialId(Uuid::from_u128(id))
}

#[tokio::test]
async fn a_key_is_its_workspaces_and_stands_sealed() {
    let Harness { credentials, .. } = &given().await;
    let identity = Identity::generate().unwrap();
    credentials.insert(WORKSPACE, SERVER, credential(3), &identity).await.unwrap();
    let another = Identity::generate().unwrap();
    credentials.insert(WORKSPACE, SERVER, credential(3), &another).await.unwrap();

    let found = credentials.identity(WORKSPACE, credential(3)).await.unwrap().unwrap();
    assert_eq!(found.fingerprint(), identity.fingerprint(), "the first stays");
    let line = credentials.public_line(WORKSPACE, credential(3)).await.unwrap();
    assert_eq!(line, Some(identity.public_line()));
    let other = WorkspaceId(Uuid::from_u128(9));
    assert!(credentials.identity(other, credential(3)).await.unwrap().is_none());
    let row = credentials.find(WORKSPACE, credential(3)).await.unwrap().unwrap();
    let stored: Vec<u8> = row.get(0);
    let pem = identity.to_pem();
    assert!(!stored.windows(32).any(|window| pem.as_bytes().windows(32).any(|of| of == window)));
}

#[tokio::test]
async fn a_named_key_stays_and_those_that_were_named_before_it_go() {
    let Harness { credentials, clock, .. } = &given().await;
    for id in 3..6 {
        let identity = Identity::generate().unwrap();
        credentials.insert(WORKSPACE, SERVER, credential(id), &identity).await.unwrap();
        clock.advance(TimeDelta::seconds(1));
    }
    credentials.name(SERVER, credential(4)).await.unwrap();
    credentials.name(SERVER, credential(5)).await.unwrap();

    let there = async |id| credentials.find(WORKSPACE, credential(id)).await.unwrap().is_some();
    // Number 3 may belong to a change that is still on its way.
    assert_eq!((there(3).await, there(4).await, there(5).await), (true, false, true));
    let unnamed = credentials.unnamed(clock.now(), 10, 0).await.unwrap();
    assert_eq!(unnamed.iter().map(|of| of.credential).collect::<Vec<_>>(), [credential(3)]);
    let identity = Identity::generate().unwrap();
    credentials.insert(WORKSPACE, SERVER, credential(3), &identity).await.unwrap();
    credentials.take_back(credential(3), unnamed[0].written_at).await.unwrap();
    assert!(there(3).await, "it was written again since");
    credentials.take_back(credential(3), clock.now()).await.unwrap();
    credentials.take_back(credential(5), clock.now() - TimeDelta::seconds(1)).await.unwrap();
    assert_eq!((there(3).await, there(5).await), (false, true), "a named one is not taken back");
    assert_eq!(credentials.delete_of_server(SERVER).await.unwrap(), 1);
    assert_eq!(credentials.delete_of_workspace(WORKSPACE).await.unwrap(), 0);
}
