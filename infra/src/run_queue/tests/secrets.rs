//! The secrets of runs, for as long as tasks need them.

use domain::SealedId;
use domain::privacy::Sealed;

use super::*;

#[tokio::test]
async fn secrets_go_with_the_last_task_that_needs_them() {
    let given = given(LEASE).await;
    let secrets = RunSecretsId(Uuid::from_u128(9));
    let tasks = [task(1, 7, 10), task(1, 8, 10)];
    given.put(tasks.map(|task| NewTask { secrets: Some(secrets), ..task })).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1, 2, 3] };
    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    let found = async || given.queue.secrets(workspace, secrets).await.unwrap();

    let taken = given.claim(ONE, 9, WIDE).await;
    given.queue.finish(run, taken[0].lease).await.unwrap();
    assert_eq!(found().await, Some(sealed));
    let stranger = WorkspaceId(Uuid::from_u128(2));
    assert_eq!(given.queue.secrets(stranger, secrets).await.unwrap(), None);
    given.queue.finish(run, taken[1].lease).await.unwrap();
    assert_eq!(found().await, None);
}

#[tokio::test]
async fn secrets_go_with_a_lost_task_that_is_proven_gone() {
    let given = given(LEASE).await;
    let secrets = RunSecretsId(Uuid::from_u128(9));
    given.put([NewTask { secrets: Some(secrets), ..task(1, 7, 10) }]).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1, 2, 3] };
    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    let lost = given.claim(ONE, 1, WIDE).await.remove(0);
    given.queue.lose(run, lost.lease, LEASE).await.unwrap();
    assert_eq!(given.queue.secrets(workspace, secrets).await.unwrap(), Some(sealed));

    assert!(given.queue.prove_gone(run, lost.lease.server, 1).await.unwrap());

    assert_eq!(given.queue.secrets(workspace, secrets).await.unwrap(), None);
}

#[tokio::test]
async fn an_erased_workspace_gets_no_secrets() {
    let given = given(LEASE).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let secrets = RunSecretsId(Uuid::from_u128(9));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1] };
    let fence = "select event_log.fence($1, '{}')";
    given.pool.get().await.unwrap().query_one(fence, &[&workspace.0]).await.unwrap();

    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();

    assert_eq!(given.queue.secrets(workspace, secrets).await.unwrap(), None);
}

#[tokio::test]
async fn secrets_that_tasks_need_are_passed_over_a_page_at_a_time() {
    let given = given(LEASE).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let ids: Vec<_> = (1..=5).map(|id| RunSecretsId(Uuid::from_u128(id))).collect();
    for secrets in &ids {
        let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1] };
        given.queue.put_secrets(workspace, run, *secrets, &sealed).await.unwrap();
    }
    let needed = ids[..3].iter().zip(7..);
    let tasks = needed.map(|(id, server)| NewTask { secrets: Some(*id), ..task(1, server, 10) });
    given.put(tasks.collect::<Vec<_>>()).await;

    let mut pages = Vec::new();
    let mut last = None;
    loop {
        let page = given.queue.unused_secrets(Duration::ZERO, 2, last).await.unwrap();
        last = page.last;
        if last.is_none() {
            break;
        }
        pages.push(page.unused.iter().map(|unused| unused.secrets).collect::<Vec<_>>());
    }

    assert_eq!(pages, [vec![], vec![ids[3]], vec![ids[4]]]);
}

#[tokio::test]
async fn secrets_that_no_task_needs_are_found_and_dropped() {
    let given = given(LEASE).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(10)));
    let secrets = RunSecretsId(Uuid::from_u128(9));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1] };
    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    assert!(given.queue.unused_secrets(LEASE, 9, None).await.unwrap().last.is_none());

    let page = given.queue.unused_secrets(Duration::ZERO, 9, None).await.unwrap();
    let unused = page.unused;
    assert_eq!(unused[0].secrets, secrets);
    let next = given.queue.unused_secrets(Duration::ZERO, 9, page.last).await.unwrap();
    assert!(next.unused.is_empty() && next.last.is_none(), "{next:?}");
    let again = given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    given.queue.delete_secrets(secrets, unused[0].written_at).await.unwrap();
    assert!(
        given.queue.secrets(workspace, secrets).await.unwrap().is_some(),
        "written again since"
    );
    given.queue.delete_secrets(secrets, again).await.unwrap();

    assert_eq!(given.queue.secrets(workspace, secrets).await.unwrap(), None);
}

#[tokio::test]
async fn damaged_secrets_are_an_error_and_not_deleted_secrets() {
    let given = given(LEASE).await;
    let (workspace, run) = (WorkspaceId(Uuid::from_u128(1)), RunId(Uuid::from_u128(1)));
    let secrets = RunSecretsId(Uuid::from_u128(9));
    let sealed = Sealed { id: SealedId(secrets.0), envelope: vec![1] };
    given.queue.put_secrets(workspace, run, secrets, &sealed).await.unwrap();
    let damage = "update working.run_secrets set sealed = '\\x0102'";
    given.pool.get().await.unwrap().execute(damage, &[]).await.unwrap();

    let found = given.queue.secrets(workspace, secrets).await;

    assert!(matches!(found, Err(SecretsError::Damaged)), "{found:?}");
}
