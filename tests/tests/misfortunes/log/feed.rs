//! The feed stops at a hole, and says where.

use futures_util::TryStreamExt;
use infra::log::{Feed, FeedError};

use test_support::{NodeHarness, export};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_position_is_named_and_nothing_is_read_past_it() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let token = harness.token(&node).await;
    for through in 2..=9 {
        node.executor.execute(&harness.request(), &[export(token, through)]).await.unwrap();
    }
    let mut client = node.pool.get().await.unwrap();
    assert_eq!(Feed::page(&client, 3, 4).await.unwrap().len(), 4);
    assert_eq!(Feed::head(&client).await.unwrap(), 9);

    // Nobody may delete an event: somebody who owns the server has.
    let owner = harness.owner().await;
    owner.batch_execute("set session_replication_role = replica").await.unwrap();
    let delete = "delete from event_log.events where position = 5";
    assert_eq!(owner.execute(delete, &[]).await.unwrap(), 1);

    let page = Feed::page(&client, 3, 4).await;
    assert!(matches!(page, Err(FeedError::Hole { at: 5 })));
    let tx = client.transaction().await.unwrap();
    let mut stream = Feed::stream(&tx, 0, 9).await.unwrap();
    let mut read = 0;
    let stopped = loop {
        match stream.try_next().await {
            Ok(Some(event)) => read = event.position(),
            Ok(None) => panic!("the hole was not seen"),
            Err(error) => break error,
        }
    };
    assert_eq!(read, 4);
    assert_eq!(stopped.to_string(), "the log has a hole: position 5 is missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_shows_who_asked_and_why() {
    let harness = NodeHarness::new().await;
    let node = harness.node().await;
    let token = harness.token(&node).await;
    let request = infra::event_store::Request {
        actor: Some(domain::ActorId(token)),
        session: Some(domain::SessionId(uuid::Uuid::from_u128(2))),
        request: Some(uuid::Uuid::from_u128(3)),
        correlation: Some(uuid::Uuid::from_u128(4)),
        causation: Some(domain::EventId(uuid::Uuid::from_u128(5))),
        ..harness.request()
    };
    let receipt = node.executor.execute(&request, &[export(token, 7)]).await.unwrap();

    let client = node.pool.get().await.unwrap();
    let event = Feed::page(&client, 1, 1).await.unwrap().remove(0);

    assert_eq!((event.position(), event.version(), event.stream_id()), (2, 2, token));
    assert_eq!((event.stream_type(), event.event_type()), ("operator", "operator.export_started"));
    assert_eq!((event.tenant(), event.schema_version()), (request.tenant, 1));
    assert_eq!((event.actor(), event.session()), (request.actor, request.session));
    assert_eq!((event.request(), event.correlation()), (request.request, request.correlation));
    assert_eq!(event.causation(), request.causation);
    assert_eq!(
        receipt.events().iter().map(|event| event.id).collect::<Vec<_>>(),
        [event.event_id()]
    );
    assert_eq!(event.subjects(), [domain::SubjectId(token)]);
    assert_eq!((event.data(), event.sealed()), (r#"{"through":7}"#, None));
    let decoded: domain::operator::OperatorEvent = event.decode().unwrap();
    assert_eq!(decoded, domain::operator::OperatorEvent::ExportStarted { through: 7 });
    assert!(event.recorded_at() > chrono::DateTime::UNIX_EPOCH);
}
