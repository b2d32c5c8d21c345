//! However many workspaces wait, each is looked at.

use super::*;

/// A deployment of each of so many workspaces waits for a lost one. Their ids begin with the time, as those that are
/// issued do.
const BLOCKED: &str = "insert into working.run_tasks
    (run_id, server_id, attempt, workspace_id, state, queued_at, deployment_id, next_at)
    select gen_random_uuid(), workspace, 1, workspace, state, now() - interval '1 hour', workspace,
      now() + interval '1 hour'
    from (select format('019a2b3c-%s-7000-8000-000000000000', lpad(to_hex(n), 4, '0'))::uuid as workspace
      from generate_series(1, $1::int) n) w, unnest('{queued,lost}'::text[]) state";

fn number(n: u128) -> u128 {
    0x019a_2b3c_0000_7000_8000_0000_0000_0000 + (n << 80)
}

async fn blocked(workspaces: i32) -> Harness {
    let given = given(LEASE).await;
    given.pool.get().await.unwrap().execute(BLOCKED, &[&workspaces]).await.unwrap();
    given
}

/// What is claimed in a round, and in how many claims.
async fn round(given: &Harness, round: &mut ClaimRound) -> (Vec<u128>, usize) {
    let mut claimed = Vec::new();
    for claims in 1.. {
        let slots = FreeSlots { most: 8, are_kept: false };
        let tasks = given.queue.claim(ONE, slots, WIDE, round).await.unwrap();
        claimed.extend(tasks.iter().map(|task| task.run.0.as_u128()));
        if !round.is_under_way() {
            return (claimed, claims);
        }
        assert!(claims < 20, "the round does not end");
    }
    unreachable!()
}

#[tokio::test]
async fn a_free_task_among_thousands_of_blocked_workspaces_is_found_in_one_round() {
    let given = blocked(3000).await;
    let (mut rounds, mut from_the_middle) = (ClaimRound::default(), ClaimRound::default());
    from_the_middle.upto = Uuid::from_u128(number(1700));
    from_the_middle.after = from_the_middle.upto;
    assert_eq!(round(&given, &mut rounds).await, (vec![], 13));

    for (run, place) in [(1, 1), (2, 1500), (3, 3000)] {
        given.put([task(number(place) + 1, 7, 2_000_000_000 + run)]).await;
        let round = round(&given, if run == 2 { &mut from_the_middle } else { &mut rounds }).await;
        assert_eq!(round, (vec![2_000_000_000 + run], 13));
    }
}

#[tokio::test]
async fn few_workspaces_are_looked_at_by_one_claim_from_wherever_it_begins() {
    let given = blocked(100).await;
    for (run, place) in [(1, 1), (2, 99)] {
        given.put([task(number(place) + 1, 7, 2_000_000_000 + run)]).await;
        let mut from = ClaimRound::default();
        from.upto = Uuid::from_u128(number(50));
        from.after = from.upto;

        assert_eq!(round(&given, &mut from).await, (vec![2_000_000_000 + run], 1));
    }
}

#[tokio::test]
async fn the_oldest_task_is_found_by_the_first_claim_behind_however_many_workspaces() {
    let given = blocked(3000).await;
    // Far behind the workspaces that one claim walks through, and requested long before them.
    given.put([task(number(2999) + 1, 7, 5)]).await;

    assert_eq!(given.claimed(8, WIDE).await, [5]);
}
