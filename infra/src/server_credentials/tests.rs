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
async fn a_named_key_stays_and_those_before_it_go() {
    let Harness { credentials, clock, .. } = &given().await;
    for id in 3..6 {
        let identity = Identity::generate().unwrap();
        credentials.insert(WORKSPACE, SERVER, credential(id), &identity).await.unwrap();
        clock.advance(TimeDelta::seconds(1));
    }
    credentials.name(SERVER, credential(4)).await.unwrap();

    let there = async |id| credentials.find(WORKSPACE, credential(id)).await.unwrap().is_some();
    assert_eq!((there(3).await, there(4).await, there(5).await), (false, true, true));
    let unnamed = credentials.unnamed(clock.now(), 10).await.unwrap();
    assert_eq!(unnamed.iter().map(|of| of.credential).collect::<Vec<_>>(), [credential(5)]);
    assert_eq!(credentials.delete_of_server(SERVER).await.unwrap(), 2);
    assert_eq!(credentials.delete_of_workspace(WORKSPACE).await.unwrap(), 0);
}
