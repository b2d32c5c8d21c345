//! Attempts that nobody looks for any more.

use domain::SealedId;
use domain::privacy::Sealed;

use super::*;

/// Of the one deployment of a server.
fn deploys(run: u128) -> NewTask {
    let deployment = Some(DeploymentId(Uuid::from_u128(5)));
    NewTask { deployment, ..task(1, 7, run) }
}

async fn give_up(given: &Harness, task: &Task) {
    let (server, attempt) = (task.lease.server, task.lease.attempt);
    given.queue.give_up(task.run, server, attempt).await.unwrap();
}

#[tokio::test]
async fn the_deployment_of_what_is_given_up_is_free() {
    let given = given(LEASE).await;
    given.put([deploys(10), deploys(11)]).await;
    let lost = given.claim(ONE, 9, WIDE).await.remove(0);
    given.queue.lose(lost.run, lost.lease, LEASE).await.unwrap();
    assert_eq!(given.claimed(9, WIDE).await, [], "the other one waits");

    give_up(&given, &lost).await;

    assert_eq!(given.claimed(9, WIDE).await, [11]);
    let workspace = WorkspaceId(Uuid::from_u128(1));
    let begun = given.queue.begun(workspace, None, 9).await.unwrap();
    assert!(begun.iter().all(|task| task.run != lost.run), "nobody waits for it");
}

#[tokio::test]
async fn what_is_given_up_while_a_node_looks_for_it_is_not_the_nodes_any_more() {
    let given = given(LEASE).await;
    let secrets = RunSecretsId(Uuid::from_u128(9));
    given.put([NewTask { secrets: Some(secrets), ..deploys(10) }]).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1, 2, 3] };
    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    let held = given.claim(ONE, 9, WIDE).await.remove(0);

    give_up(&given, &held).await;

    assert_eq!(given.renewed(ONE, &held).await, []);
    assert!(!given.queue.lose(held.run, held.lease, LEASE).await.unwrap());
    assert_eq!(given.queue.secrets(workspace, secrets).await.unwrap(), None);
    assert_eq!(given.states().await, Vec::<String>::new());
}
