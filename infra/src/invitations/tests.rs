use chrono::TimeDelta;

use super::*;
use crate::ids::Ids;
use crate::postgres::{ConnectOptions, connect};
use test_support::databases;

#[tokio::test]
async fn an_invitation_is_due_at_its_end_and_gone_once_it_has_ended() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let invitations = Invitations::new(pool.clone());
    let (ids, until) = (Ids::system(), DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let (id, workspace) = (InvitationId(ids.uuid()), WorkspaceId(ids.uuid()));

    for _ in 0..2 {
        let mut client = pool.get().await.unwrap();
        let tx = client.transaction().await.unwrap();
        invitations.put(&tx, id, workspace, until).await.unwrap();
        tx.commit().await.unwrap();
    }

    assert_eq!(invitations.due(until - TimeDelta::seconds(1), 9, 0).await.unwrap(), []);
    assert_eq!(invitations.due(until, 9, 0).await.unwrap(), [(id, workspace)]);
    assert_eq!(invitations.of_workspace(workspace).await.unwrap(), [id]);
    invitations.delete(id).await.unwrap();
    assert_eq!(invitations.due(until, 9, 0).await.unwrap(), []);
}

/// A worker that is behind reads the invitation after the erasure has deleted the rows.
#[tokio::test]
async fn an_invitation_of_an_erased_workspace_gets_no_row() {
    let databases = databases().await.unwrap();
    let pool = connect(&databases.log_url, &ConnectOptions::app()).await.unwrap();
    let invitations = Invitations::new(pool.clone());
    let (ids, until) = (Ids::system(), DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let (id, workspace) = (InvitationId(ids.uuid()), WorkspaceId(ids.uuid()));
    let mut client = pool.get().await.unwrap();
    client.execute("select event_log.fence($1, '{}')", &[&workspace.0]).await.unwrap();

    let tx = client.transaction().await.unwrap();
    invitations.put(&tx, id, workspace, until).await.unwrap();
    tx.commit().await.unwrap();

    assert_eq!(invitations.of_workspace(workspace).await.unwrap(), []);
}
