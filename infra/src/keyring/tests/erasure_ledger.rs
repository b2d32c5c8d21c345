//! An erasure reaches each stage once, also if a stage is recorded again.

use domain::CommandId;

use super::super::{ErasureStage, ErasureState, NewErasure, OpenErasures, RootId, SubjectKind};
use super::*;

fn week() -> DateTime<Utc> {
    noon() + TimeDelta::days(7)
}

#[tokio::test]
async fn an_erasure_goes_forward_and_every_stage_may_be_noted_again() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = SubjectId::from(harness.person());
    let asked = node.ledger.request(SubjectKind::Account, ada, week(), [1; 32]).await.unwrap();
    assert_eq!((asked.state, asked.requested_at), (ErasureState::Requested, noon()));
    assert_eq!(
        node.ledger.request(SubjectKind::Account, ada, week(), [1; 32]).await.unwrap(),
        asked
    );
    // Another code for the same erasure does not replace the first.
    assert_eq!(
        node.ledger.request(SubjectKind::Account, ada, week(), [2; 32]).await.unwrap(),
        asked
    );
    assert_eq!(node.ledger.due(noon(), 10, 0).await.unwrap(), []);
    assert_eq!(node.ledger.due(week(), 10, 0).await.unwrap(), std::slice::from_ref(&asked));
    let open = OpenErasures { count: 1, oldest: Some(noon()), overdue: 0 };
    assert_eq!(node.ledger.open().await.unwrap(), open);
    let too_far = node.ledger.advance(ada, ErasureStage::Completed).await;
    let expected = KeyringError::StageSkipped { from: "requested", to: "completed" }.to_string();
    assert_eq!(too_far.unwrap_err().to_string(), expected);

    let stages = [
        (ErasureStage::Fenced { position: 41 }, ErasureState::Fenced),
        (
            ErasureStage::KeysErased { keys: 2, last_root: Some(RootId(1)) },
            ErasureState::KeysErased,
        ),
        (ErasureStage::Completed, ErasureState::Completed),
    ];
    for (stage, state) in stages {
        let entry = node.ledger.advance(ada, stage).await.unwrap();
        assert_eq!(entry.state, state);
        harness.clock.advance(TimeDelta::minutes(1));
        assert_eq!(node.ledger.advance(ada, stage).await.unwrap(), entry);
        assert_eq!(node.ledger.fenced(None, 10).await.unwrap(), [entry], "{state:?}");
    }
    // Recording an earlier stage again, with other values, changes nothing.
    let entry = node.ledger.advance(ada, ErasureStage::Fenced { position: 99 }).await.unwrap();
    assert_eq!((entry.fenced_at_position, entry.keys), (Some(41), Some(2)));
    assert!(!node.ledger.cancel(ada).await.unwrap());
    assert_eq!(node.ledger.entry_by_code([1; 32]).await.unwrap(), Some(entry));
    assert_eq!(node.ledger.entry_by_code([9; 32]).await.unwrap(), None);
    assert_eq!(node.ledger.open().await.unwrap(), OpenErasures::default());
    let fences = node.ledger.fenced(None, 10).await.unwrap();
    assert_eq!((fences.len(), fences[0].kind, fences[0].subject), (1, SubjectKind::Account, ada));
    assert_eq!(node.ledger.fenced(Some(ada), 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_erasure_that_is_hastened_is_due_earlier_and_never_later() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = SubjectId::from(harness.person());
    let due = async || node.ledger.entry(ada).await.unwrap().unwrap().due;
    node.ledger.request(SubjectKind::Workspace, ada, week(), [1; 32]).await.unwrap();
    let sooner = noon() + TimeDelta::days(1);

    node.ledger.hasten(ada, week() + TimeDelta::days(1), noon()).await.unwrap();
    assert_eq!(due().await, week());
    node.ledger.hasten(ada, sooner, noon() - TimeDelta::seconds(1)).await.unwrap();
    assert_eq!(due().await, week(), "it was of an earlier request");
    for _ in 0..2 {
        node.ledger.hasten(ada, sooner, noon()).await.unwrap();
        assert_eq!(due().await, sooner);
    }

    assert_eq!(node.ledger.due(sooner, 10, 0).await.unwrap().len(), 1);
    node.ledger.advance(ada, ErasureStage::Fenced { position: 1 }).await.unwrap();
    node.ledger.hasten(ada, noon(), noon()).await.unwrap();
    assert_eq!(due().await, sooner, "it has begun");
}

#[tokio::test]
async fn a_cancelled_erasure_is_asked_for_anew() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let ada = SubjectId::from(harness.person());
    assert!(!node.ledger.cancel(ada).await.unwrap());
    node.ledger.request(SubjectKind::Account, ada, week(), [1; 32]).await.unwrap();
    assert!(node.ledger.cancel(ada).await.unwrap());
    assert!(node.ledger.cancel(ada).await.unwrap());
    assert!(node.ledger.advance(ada, ErasureStage::Fenced { position: 1 }).await.is_err());
    assert_eq!(node.ledger.due(week(), 10, 0).await.unwrap(), []);
    assert_eq!(node.ledger.fenced(None, 10).await.unwrap(), []);
    let again = node.ledger.request(SubjectKind::Account, ada, week(), [1; 32]).await.unwrap();
    assert_eq!(again.state, ErasureState::Cancelled);
    harness.clock.advance(TimeDelta::hours(1));
    let anew = node.ledger.request(SubjectKind::Account, ada, week(), [2; 32]).await.unwrap();
    assert_eq!((anew.state, anew.claim_code_hash), (ErasureState::Requested, [2; 32]));
    assert_eq!(node.ledger.entry(ada).await.unwrap(), Some(anew));
    harness.days_pass(28);
    assert_eq!(node.ledger.open().await.unwrap().overdue, 1);
}

#[tokio::test]
async fn of_the_open_erasures_no_more_are_counted_than_is_said() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let many = "insert into keyring.erasures (subject, requested_at, due, claim_code_hash, state)
        select gen_random_uuid(), $1::timestamptz, $1::timestamptz, uuid_send(gen_random_uuid()), 'requested'
        from generate_series(1, $2::bigint)";
    let more = OpenErasures::COUNTED_MAX + 1;
    harness.sql(many, &[&noon(), &more]).await;
    harness.days_pass(28);

    let open = node.ledger.open().await.unwrap();

    let most = OpenErasures::COUNTED_MAX;
    assert_eq!(open, OpenErasures { count: most, oldest: Some(noon()), overdue: most });
}

#[tokio::test]
async fn an_entry_is_pending_until_it_is_confirmed_or_taken_back() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let subject = SubjectId::from(harness.person());
    let enter = async |code: u8| {
        let (requested_at, due) = (harness.clock.now(), week());
        let (kind, claim_code_hash) = (SubjectKind::Account, [code; 32]);
        let new = NewErasure { kind, subject, requested_at, due, claim_code_hash };
        node.ledger.enter(&new).await.unwrap()
    };
    let entered = enter(1).await;
    assert!(entered.append_pending);
    assert_eq!(enter(2).await, entered, "one is open");
    let before = noon() - TimeDelta::minutes(1);
    assert_eq!(node.ledger.pending(before, 10, 0).await.unwrap(), []);
    assert_eq!(node.ledger.pending(noon(), 10, 0).await.unwrap(), [entered]);

    assert!(node.ledger.take_back([1; 32]).await.unwrap());
    assert!(!node.ledger.take_back([1; 32]).await.unwrap());
    assert_eq!(node.ledger.pending(noon(), 10, 0).await.unwrap(), []);
    // It came into the log after all, with another end of its grace.
    let due = week() + TimeDelta::days(1);
    assert!(node.ledger.confirm([1; 32], due).await.unwrap());
    let entry = node.ledger.entry(subject).await.unwrap().unwrap();
    assert_eq!((entry.state, entry.append_pending), (ErasureState::Requested, false));
    assert_eq!((entry.due, entry.cancelled_at), (due, None));
    assert!(!node.ledger.take_back([1; 32]).await.unwrap(), "it is in the log");

    assert!(node.ledger.cancel(subject).await.unwrap());
    assert!(!node.ledger.confirm([1; 32], due).await.unwrap(), "cancelled for good");
    harness.clock.advance(TimeDelta::minutes(1));
    enter(3).await;
    assert!(node.ledger.take_back([3; 32]).await.unwrap());
    harness.clock.advance(TimeDelta::minutes(1));
    enter(4).await;
    assert!(!node.ledger.confirm([3; 32], due).await.unwrap(), "another is open");
    node.ledger.cancel_requested_by(subject, noon()).await.unwrap();
    assert_eq!(node.ledger.pending(harness.clock.now(), 10, 0).await.unwrap().len(), 1);
    node.ledger.cancel_requested_by(subject, harness.clock.now()).await.unwrap();
    assert_eq!(node.ledger.entries_of(subject).await.unwrap().len(), 3);
    assert!(!node.ledger.confirm([4; 32], due).await.unwrap());
}

#[tokio::test]
async fn a_claim_code_is_the_same_for_a_command_until_its_key_is_erased() {
    let harness = Harness::new().await;
    let node = harness.node().await;
    let subject = SubjectId::from(harness.person());
    let command = CommandId(uuid::Uuid::from_u128(1));
    let secret = async |command, at| node.claim_codes.secret(subject, command, at).await.unwrap();

    let first = secret(command, noon()).await;
    assert!(first.is_some());
    assert_eq!(secret(command, noon()).await, first);
    assert_ne!(secret(CommandId(uuid::Uuid::from_u128(2)), noon()).await, first);
    assert_ne!(secret(command, noon() + TimeDelta::seconds(1)).await, first);
    harness.days_pass(10);
    node.eraser.erase_expired().await.unwrap();
    assert_eq!(secret(command, noon()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_and_a_fence_at_once_have_one_winner() {
    let harness = Harness::new().await;
    let (one, two) = (harness.node().await, harness.node().await);
    for code in 0..20 {
        let ada = SubjectId::from(harness.person());
        one.ledger.request(SubjectKind::Account, ada, noon(), [code; 32]).await.unwrap();
        let fence = two.ledger.advance(ada, ErasureStage::Fenced { position: 1 });
        let (cancelled, fenced) = tokio::join!(one.ledger.cancel(ada), fence);
        assert_ne!(cancelled.unwrap(), fenced.is_ok());
    }
}

#[tokio::test]
async fn backups_are_proven_once_the_last_root_and_its_escrow_are_gone() {
    let mut harness = Harness::new().await;
    harness.options.escrow = Some(super::super::EscrowOptions {
        recipient: age::x25519::Identity::generate().to_public().to_string(),
        dir: harness.roots.path().join("escrow"),
        keep: TimeDelta::days(7),
    });
    let node = harness.node().await;
    let (ada, never) = (harness.person(), SubjectId::from(harness.person()));
    harness.registered(&node, ada).await.unwrap();
    for (code, kind, subject) in
        [(1, SubjectKind::Account, ada.into()), (2, SubjectKind::Workspace, never)]
    {
        node.ledger.request(kind, subject, noon(), [code; 32]).await.unwrap();
        node.ledger.advance(subject, ErasureStage::Fenced { position: 1 }).await.unwrap();
        let gone = node.eraser.erase_subject(subject).await.unwrap();
        let stage = ErasureStage::KeysErased { keys: gone.keys, last_root: gone.last_root };
        node.ledger.advance(subject, stage).await.unwrap();
        node.ledger.advance(subject, ErasureStage::Completed).await.unwrap();
    }
    let provable = async || -> Vec<SubjectId> {
        node.ledger.provable(10, 0).await.unwrap().iter().map(|entry| entry.subject).collect()
    };
    // No backup holds a key of a subject that never had one.
    assert_eq!(provable().await, [never]);
    node.ledger.advance(never, ErasureStage::BackupProven).await.unwrap();
    assert!(provable().await.is_empty());
    node.root_rotation.rotate().await.unwrap();
    assert!(provable().await.is_empty());
    harness.days_pass(7);
    node.eraser.erase_expired().await.unwrap();
    assert_eq!(provable().await, [ada.into()]);
    let proven = node.ledger.advance(ada.into(), ErasureStage::BackupProven).await.unwrap();
    assert_eq!(proven.state, ErasureState::BackupProven);
    assert!(provable().await.is_empty());
}
