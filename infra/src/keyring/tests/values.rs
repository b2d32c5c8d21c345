//! Values and bytes in rows, sealed like the fields of events.

use domain::privacy::{Class, Declaration, Field, Ground, Processor, Purpose};

use super::*;

struct Note;
struct Blob;

impl Field for Note {
    type Value = PersonName;
    const DECLARATION: &'static Declaration = &Declaration {
        id: 60_001,
        name: "test.note",
        class: Class::Tenant,
        purposes: &[Purpose::Support],
        ground: Ground::Contract,
        processors: &[Processor::Database],
    };
}

impl Field for Blob {
    type Value = Vec<u8>;
    const DECLARATION: &'static Declaration = &Declaration {
        id: 60_002,
        name: "test.blob",
        class: Class::Content,
        purposes: &[Purpose::Support],
        ground: Ground::Contract,
        processors: &[Processor::Database],
    };
}

async fn sealed(harness: &Harness, node: &Keyring, of: AccountId) -> Result<Sealed, SealError> {
    let bytes = b"not \xff text".to_vec();
    node.sealer.seal_bytes::<Blob>(of.into(), of.into(), harness.event_id().into(), bytes).await
}

async fn opened(node: &Keyring, of: AccountId, sealed: &Sealed) -> Result<Vec<u8>, OpenError> {
    let bytes = node.sealer.open_bytes::<Blob>(of.into(), of.into(), sealed).await?;
    Ok(bytes.to_vec())
}

#[tokio::test]
async fn a_value_opens_for_whom_it_was_sealed_and_under_its_own_id() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob) = (harness.person(), harness.person());
    let name = PersonName::parse("web \"1\"").unwrap();
    let id = harness.event_id();

    let sealed =
        one.sealer.seal_value::<Note>(ada.into(), ada.into(), id.into(), &name).await.unwrap();

    assert_eq!(sealed.id, id.into());
    let clear = two.sealer.open::<Note>(ada.into(), ada.into(), &sealed).await.unwrap();
    assert_eq!(clear, name);
    one.sealer.seal_value::<Note>(bob.into(), bob.into(), id.into(), &name).await.unwrap();
    let moved = Sealed { id: harness.event_id().into(), ..sealed.clone() };
    for (tenant, subject, sealed) in [(bob, ada, &sealed), (ada, bob, &sealed), (ada, ada, &moved)]
    {
        let opened = two.sealer.open::<Note>(tenant.into(), subject.into(), sealed).await;
        assert!(matches!(opened, Err(OpenError::Damaged)), "{opened:?}");
    }
}

#[tokio::test]
async fn bytes_are_kept_as_they_are() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let blob = sealed(&harness, &node, ada).await.unwrap();
    assert_eq!(opened(&node, ada, &blob).await.unwrap(), b"not \xff text");
    let as_note = node.sealer.open_bytes::<Note>(ada.into(), ada.into(), &blob).await;
    assert!(matches!(as_note, Err(OpenError::Damaged)));
}

#[tokio::test]
async fn content_is_erased_with_its_day_for_everybody() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    let (ada, bob) = (harness.person(), harness.person());
    let blobs = [
        (ada, sealed(&harness, &one, ada).await.unwrap()),
        (bob, sealed(&harness, &two, bob).await.unwrap()),
    ];

    harness.days_pass(30);
    assert_eq!(one.eraser.erase_expired().await.unwrap().buckets, 0);
    let later = sealed(&harness, &one, ada).await.unwrap();
    harness.days_pass(1);
    assert_eq!(one.eraser.erase_expired().await.unwrap().buckets, 1);

    for (of, blob) in &blobs {
        assert!(matches!(opened(&one, *of, blob).await, Err(OpenError::Expired)));
    }
    opened(&one, ada, &later).await.unwrap();
}

#[tokio::test]
async fn nothing_is_sealed_for_a_subject_that_is_erased() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = harness.person();
    let blob = sealed(&harness, &node, ada).await.unwrap();

    node.eraser.erase_subject(ada.into()).await.unwrap();

    assert!(matches!(opened(&node, ada, &blob).await, Err(OpenError::Erased)));
    assert!(matches!(sealed(&harness, &node, ada).await, Err(SealError::Erased(_))));
}
