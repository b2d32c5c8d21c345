//! An append is wholly before the fence, or wholly after it.

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use uuid::Uuid;

use super::super::append::outcome::AppendOutcome;
use super::super::append::rows::{Append, NewReservation};
use super::super::executor::{FENCE, FENCE_AT};
use super::{appended, databases, event, node, one, owner, pool};

const CLOSING: &[&str] = &["car.scrapped"];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_follows_a_fence_in_1000_races() {
    let databases = databases().await;
    let nodes = [node(&databases.log_url).await, node(&databases.log_url).await];
    let pool = pool(&databases.log_url).await;

    let race = async |subject: u128| {
        let racing = (0..4).map(|n| {
            let mut event = event(subject * 10 + n, subject * 10 + n, 1);
            event.subjects = vec![Uuid::nil(), Uuid::from_u128(subject)];
            nodes[usize::from(n % 2 == 0)].queue.append(one(event))
        });
        let fence = async {
            let client = pool.get().await.unwrap();
            let fenced = client.query_one(FENCE, &[&Uuid::from_u128(subject), &CLOSING]).await;
            fenced.unwrap().get::<_, i64>(0)
        };
        // Which of them comes first is left to the tries.
        let (answers, fenced) = if subject.is_multiple_of(2) {
            tokio::join!(join_all(racing), fence)
        } else {
            let (fenced, answers) = tokio::join!(fence, join_all(racing));
            (answers, fenced)
        };
        let mut appended = 0;
        for answer in answers {
            match answer.unwrap() {
                AppendOutcome::Appended { last, .. } => {
                    assert!(last <= fenced, "{last} after {fenced}");
                    appended += 1;
                }
                refused @ (AppendOutcome::Replayed { .. }
                | AppendOutcome::Reused
                | AppendOutcome::Fenced
                | AppendOutcome::Conflict
                | AppendOutcome::Reserved) => assert_eq!(refused, AppendOutcome::Fenced),
            }
        }
        appended
    };
    let won: Vec<usize> = stream::iter(1..=1000).map(race).buffer_unordered(8).collect().await;
    let [all, none] = [4, 0].map(|appended| won.iter().filter(|won| **won == appended).count());
    println!("before the fence came all four appends {all} times, none of them {none} times");
    assert!(all > 0 && none > 0, "one side always came first: nothing raced");

    let after = "select count(*) from event_log.events e join event_log.fences f
        on f.subject = any (e.subjects) where e.position > f.position";
    let after: i64 = owner(&databases.log_url).await.query_one(after, &[]).await.unwrap().get(0);
    assert_eq!(after, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_lets_closing_events_through_and_frees_the_address() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let client = owner(&databases.log_url).await;
    let reservation = |owner| NewReservation {
        append: 0,
        kind: "address".to_owned(),
        blind_index: vec![1],
        owner: Uuid::from_u128(owner),
        taken: true,
    };
    let registered = Append {
        events: vec![event(1, 7, 1)],
        reservations: vec![reservation(7)],
        ..Append::default()
    };
    assert!(appended(&node.queue.append(registered).await.unwrap()));

    let of = Uuid::from_u128(7);
    let fenced: i64 = client.query_one(FENCE, &[&of, &CLOSING]).await.unwrap().get(0);
    assert_eq!(fenced, 1);

    assert_eq!(node.queue.append(one(event(2, 7, 2))).await.unwrap(), AppendOutcome::Fenced);
    let mut closing = event(3, 7, 2);
    closing.event_type = "car.scrapped";
    assert!(appended(&node.queue.append(one(closing)).await.unwrap()));
    let registered = Append {
        events: vec![event(4, 8, 1)],
        reservations: vec![reservation(8)],
        ..Append::default()
    };
    assert!(appended(&node.queue.append(registered).await.unwrap()));
    // Called again, it answers the same position.
    let again: i64 = client.query_one(FENCE, &[&of, &CLOSING]).await.unwrap().get(0);
    assert_eq!(again, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fence_at_a_version_is_refused_when_the_stream_has_moved() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let client = owner(&databases.log_url).await;
    let subject = Uuid::from_u128(7);
    let fence_at = async |version: i64| -> Option<i64> {
        client.query_one(FENCE_AT, &[&subject, &CLOSING, &version]).await.unwrap().get(0)
    };
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));
    assert!(appended(&node.queue.append(one(event(2, 7, 2))).await.unwrap()));

    assert_eq!(fence_at(1).await, None);
    let fences = "select count(*) from event_log.fences";
    assert_eq!(client.query_one(fences, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(fence_at(2).await, Some(2));
    assert_eq!(fence_at(1).await, Some(2), "called again, it answers the same position");
    assert_eq!(node.queue.append(one(event(3, 7, 3))).await.unwrap(), AppendOutcome::Fenced);
}
