//! Writers that do all that a node may do, and some that hold the lock as no node does.

use std::time::Duration;

use infra::event_store::{ExecuteError, Receipt, Request};
use infra::ids::hashed;
use tokio::time::{Instant, interval_at};
use tokio_postgres::Client;
use uuid::Uuid;

use test_support::{NodeHarness, TestNode, export};

const APPEND_BY_HAND: &str = include_str!("append_by_hand.sql");

/// Numbers that look drawn, the same for the same seed.
pub struct Dice {
    seed: u64,
    thrown: u64,
}

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self { seed, thrown: 0 }
    }

    pub fn below(&mut self, sides: usize) -> usize {
        self.thrown += 1;
        let drawn = hashed(&[&self.seed.to_be_bytes(), &self.thrown.to_be_bytes()]).as_u128();
        usize::try_from(drawn % u128::try_from(sides).unwrap()).unwrap()
    }

    pub async fn pause(&mut self, micros_max: usize) {
        let micros = u64::try_from(self.below(micros_max)).unwrap();
        let then = Instant::now() + Duration::from_micros(micros);
        interval_at(then, Duration::from_secs(1)).tick().await;
    }
}

/// What was acknowledged: the command, and at which position.
pub type Acknowledged = (Uuid, Receipt);

pub async fn write(
    harness: &NodeHarness,
    node: &TestNode,
    tokens: &[Uuid],
    dice: &mut Dice,
) -> Option<Acknowledged> {
    dice.pause(4000).await;
    let request = harness.request();
    let token = |dice: &mut Dice| tokens[dice.below(tokens.len())];
    let (first, second) = (token(dice), token(dice));
    let steps = match dice.below(10) {
        0..=5 => vec![export(first, 1)],
        6 | 7 => vec![export(first, 1), export(second, 2), export(first, 3)],
        // As if the stream had just begun: a conflict for the caller.
        8 => vec![export(first, 1).expecting(1)],
        // Nobody has this token: refused.
        _ => vec![export(harness.ids.uuid(), 1)],
    };
    let receipt = match node.executor.execute(&request, &steps).await {
        Ok(receipt) => receipt,
        Err(
            ExecuteError::Refused(_)
            | ExecuteError::Stale { .. }
            | ExecuteError::Unavailable(_)
            | ExecuteError::Load(_),
        ) => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(!receipt.replayed());
    if dice.below(10) == 0 {
        let again = node.executor.execute(&Request::clone(&request), &steps).await;
        if let Ok(again) = again {
            assert_eq!(again.events(), receipt.events());
            assert!(again.replayed());
        }
    }
    Some((request.command.0, receipt))
}

/// Appends by hand, and pauses between the append and its commit, with the lock in its hands.
/// Answers the command if it was committed; an error is the killer's doing.
pub async fn dawdle(
    client: &mut Client,
    harness: &NodeHarness,
    dice: &mut Dice,
) -> Result<Option<Uuid>, tokio_postgres::Error> {
    let (stream, command) = (harness.ids.uuid(), harness.ids.uuid());
    let append = client.prepare(APPEND_BY_HAND).await?;
    let transaction = client.transaction().await?;
    let at = transaction.query_one(&append, &[&stream, &command, &harness.ids.uuid()]).await?;
    assert!(at.get::<_, Option<i64>>(0).is_some());
    dice.pause(8000).await;
    if dice.below(3) == 0 {
        transaction.rollback().await?;
        return Ok(None);
    }
    transaction.commit().await?;
    Ok(Some(command))
}
