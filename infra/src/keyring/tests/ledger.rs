//! Each erasure goes through its steps once, whatever is asked twice.

use super::super::RootId;
use super::super::ledger::{Kind, Open, State, Step};
use super::*;

fn week() -> DateTime<Utc> {
    noon() + TimeDelta::days(7)
}

#[tokio::test]
async fn an_erasure_steps_forward_and_every_step_may_be_repeated() {
    let house = House::new().await;
    let node = house.node().await;
    let ada = SubjectId::from(house.person());
    let asked = node.ledger_request(Kind::Account, ada, week(), [1; 32]).await.unwrap();
    assert_eq!((asked.state, asked.requested_at), (State::Requested, noon()));
    assert_eq!(node.ledger_request(Kind::Account, ada, week(), [1; 32]).await.unwrap(), asked);
    // Another code for the same erasure does not replace the first.
    assert_eq!(node.ledger_request(Kind::Account, ada, week(), [2; 32]).await.unwrap(), asked);
    assert_eq!(node.ledger_due(noon(), 10).await.unwrap(), []);
    assert_eq!(node.ledger_due(week(), 10).await.unwrap(), std::slice::from_ref(&asked));
    let open = Open { count: 1, oldest: Some(noon()), overdue: 0 };
    assert_eq!(node.ledger_open().await.unwrap(), open);
    let too_far = node.ledger_advance(ada, Step::Completed).await;
    let told = KeyringError::Step { from: "requested", to: "completed" }.to_string();
    assert_eq!(too_far.unwrap_err().to_string(), told);

    let steps = [
        (Step::Fenced { position: 41 }, State::Fenced),
        (Step::Destroyed { keys: 2, last_root: Some(RootId(1)) }, State::Destroyed),
        (Step::Completed, State::Completed),
    ];
    for (step, state) in steps {
        let entry = node.ledger_advance(ada, step).await.unwrap();
        assert_eq!(entry.state, state);
        house.clock.advance(TimeDelta::minutes(1));
        assert_eq!(node.ledger_advance(ada, step).await.unwrap(), entry);
    }
    // An earlier step, told late and otherwise, changes nothing.
    let entry = node.ledger_advance(ada, Step::Fenced { position: 99 }).await.unwrap();
    assert_eq!((entry.fenced_at_position, entry.keys), (Some(41), Some(2)));
    assert!(!node.ledger_cancel(ada).await.unwrap());
    assert_eq!(node.ledger_by_code([1; 32]).await.unwrap(), Some(entry));
    assert_eq!(node.ledger_by_code([9; 32]).await.unwrap(), None);
    assert_eq!(node.ledger_open().await.unwrap(), Open::default());
    let fences = node.ledger_fences(None, 10).await.unwrap();
    assert_eq!((fences.len(), fences[0].kind, fences[0].subject), (1, Kind::Account, ada));
    assert_eq!(node.ledger_fences(Some(ada), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_cancelled_erasure_is_asked_for_anew() {
    let house = House::new().await;
    let node = house.node().await;
    let ada = SubjectId::from(house.person());
    assert!(!node.ledger_cancel(ada).await.unwrap());
    node.ledger_request(Kind::Account, ada, week(), [1; 32]).await.unwrap();
    assert!(node.ledger_cancel(ada).await.unwrap());
    assert!(node.ledger_cancel(ada).await.unwrap());
    assert!(node.ledger_advance(ada, Step::Fenced { position: 1 }).await.is_err());
    assert_eq!(node.ledger_due(week(), 10).await.unwrap(), []);
    assert_eq!(node.ledger_fences(None, 10).await.unwrap(), []);
    let again = node.ledger_request(Kind::Account, ada, week(), [1; 32]).await.unwrap();
    assert_eq!(again.state, State::Cancelled);
    house.clock.advance(TimeDelta::hours(1));
    let anew = node.ledger_request(Kind::Account, ada, week(), [2; 32]).await.unwrap();
    assert_eq!((anew.state, anew.claim_code_hash), (State::Requested, [2; 32]));
    assert_eq!(node.ledger_entry(ada).await.unwrap(), Some(anew));
    house.days_pass(28);
    assert_eq!(node.ledger_open().await.unwrap().overdue, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_and_a_fence_at_once_have_one_winner() {
    let house = House::new().await;
    let (one, two) = (house.node().await, house.node().await);
    for code in 0..20 {
        let ada = SubjectId::from(house.person());
        one.ledger_request(Kind::Account, ada, noon(), [code; 32]).await.unwrap();
        let fence = two.ledger_advance(ada, Step::Fenced { position: 1 });
        let (cancelled, fenced) = tokio::join!(one.ledger_cancel(ada), fence);
        assert_ne!(cancelled.unwrap(), fenced.is_ok());
    }
}

#[tokio::test]
async fn backups_are_proven_once_the_last_root_and_its_escrow_are_gone() {
    let mut house = House::new().await;
    house.options.escrow = Some(super::super::EscrowOptions {
        recipient: age::x25519::Identity::generate().to_public().to_string(),
        dir: house.roots.path().join("escrow"),
        keep: TimeDelta::days(7),
    });
    let node = house.node().await;
    let (ada, never) = (house.person(), SubjectId::from(house.person()));
    house.registered(&node, ada).await.unwrap();
    for (code, kind, subject) in [(1, Kind::Account, ada.into()), (2, Kind::Workspace, never)] {
        node.ledger_request(kind, subject, noon(), [code; 32]).await.unwrap();
        node.ledger_advance(subject, Step::Fenced { position: 1 }).await.unwrap();
        let gone = node.forget(subject).await.unwrap();
        let step = Step::Destroyed { keys: gone.keys, last_root: gone.root };
        node.ledger_advance(subject, step).await.unwrap();
        node.ledger_advance(subject, Step::Completed).await.unwrap();
    }
    let provable = async || -> Vec<SubjectId> {
        node.ledger_provable(10).await.unwrap().iter().map(|entry| entry.subject).collect()
    };
    // Nothing of a subject without keys stands in any backup.
    assert_eq!(provable().await, [never]);
    node.ledger_advance(never, Step::BackupProven).await.unwrap();
    assert!(provable().await.is_empty());
    node.rotate_root().await.unwrap();
    assert!(provable().await.is_empty());
    house.days_pass(7);
    node.retention().await.unwrap();
    assert_eq!(provable().await, [ada.into()]);
    let proven = node.ledger_advance(ada.into(), Step::BackupProven).await.unwrap();
    assert_eq!(proven.state, State::BackupProven);
    assert!(provable().await.is_empty());
}
