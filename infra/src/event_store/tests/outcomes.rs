//! Each append has its own answer, whatever it shares a batch with.

use futures_util::future::join_all;
use uuid::Uuid;

use super::super::append::outcome::{AppendOutcome, StreamVersion};
use super::super::append::rows::{Append, NewEvent, NewReservation};
use super::{appended, count, databases, event, node, one, owner};

fn reservation(address: u128, owner: u128, taken: bool) -> NewReservation {
    let blind_index = address.to_be_bytes().to_vec();
    let owner = Uuid::from_u128(owner);
    NewReservation { append: 0, kind: "address".to_owned(), blind_index, owner, taken }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_appended_once() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;

    assert_eq!(
        node.queue.append(one(event(1, 7, 1))).await.unwrap(),
        AppendOutcome::Appended { first: 1, last: 1 }
    );
    assert_eq!(node.queue.append(one(event(2, 7, 1))).await.unwrap(), AppendOutcome::Conflict);
    assert_eq!(node.queue.append(one(event(3, 7, 3))).await.unwrap(), AppendOutcome::Conflict);
    let mut of_another = event(4, 7, 2);
    of_another.tenant_id = Uuid::from_u128(2);
    assert_eq!(node.queue.append(one(of_another)).await.unwrap(), AppendOutcome::Conflict);
    assert_eq!(
        node.queue.append(one(event(5, 7, 2))).await.unwrap(),
        AppendOutcome::Appended { first: 2, last: 2 }
    );
    assert_eq!(*node.head.borrow(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_streams_are_one_append_or_none() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let both = |command, first, second| {
        let mut second = event(command, 8, second);
        second.command_id = None;
        second.events = None;
        let mut first = event(command, 7, first);
        first.events = Some(2);
        Append { events: vec![first, second], reservations: Vec::new(), ..Append::default() }
    };

    let answer = node.queue.append(both(1, 1, 1)).await.unwrap();
    assert_eq!(answer, AppendOutcome::Appended { first: 1, last: 2 });
    assert_eq!(node.queue.append(both(2, 2, 1)).await.unwrap(), AppendOutcome::Conflict);
    let streams =
        [7, 8].map(|of| StreamVersion { stream_id: Uuid::from_u128(of), version: 1 }).to_vec();
    let answer = node.queue.append(both(1, 1, 1)).await.unwrap();
    assert_eq!(answer, AppendOutcome::Replayed { first: 1, last: 2, streams });
    assert_eq!(count(&owner(&databases.log_url).await).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_append_leaves_the_others_of_its_batch_alone() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    // While the log's lock is held elsewhere, they gather in one batch behind the first.
    let mut holder = owner(&databases.log_url).await;
    let holding = holder.transaction().await.unwrap();
    holding.execute("select event_log.lock()", &[]).await.unwrap();

    let appends = (1..=200_u128).map(|n| {
        let version = if n % 3 == 0 { 5 } else { 1 };
        node.queue.append(one(event(n, n, version)))
    });
    let (answers, released) = tokio::join!(join_all(appends), holding.commit());
    released.unwrap();
    let answers: Vec<AppendOutcome> = answers.into_iter().map(Result::unwrap).collect();

    assert_eq!(answers.iter().filter(|answer| **answer == AppendOutcome::Conflict).count(), 66);
    let mut positions: Vec<i64> = answers
        .iter()
        .filter_map(|answer| {
            let AppendOutcome::Appended { first, .. } = answer else { return None };
            Some(*first)
        })
        .collect();
    positions.sort_unstable();
    assert_eq!(positions, (1..=134).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_64_times_at_once_is_one_event() {
    let databases = databases().await;
    let nodes = [node(&databases.log_url).await, node(&databases.log_url).await];

    let appends = (0..64).map(|n| nodes[n % 2].queue.append(one(event(1, 7, 1))));
    let answers: Vec<AppendOutcome> =
        join_all(appends).await.into_iter().map(Result::unwrap).collect();

    let streams = vec![StreamVersion { stream_id: Uuid::from_u128(7), version: 1 }];
    let replayed = AppendOutcome::Replayed { first: 1, last: 1, streams };
    assert_eq!(answers.iter().filter(|answer| appended(answer)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == replayed).count(), 63);
    assert_eq!(count(&owner(&databases.log_url).await).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_reservations_of_one_address_one_is_taken() {
    let databases = databases().await;
    let nodes = [node(&databases.log_url).await, node(&databases.log_url).await];

    let appends = (0..64_u128).map(|n| {
        let append = Append {
            events: vec![event(n, n, 1)],
            reservations: vec![reservation(1, n, true)],
            ..Append::default()
        };
        nodes[usize::from(n % 2 == 0)].queue.append(append)
    });
    let answers: Vec<AppendOutcome> =
        join_all(appends).await.into_iter().map(Result::unwrap).collect();

    assert_eq!(answers.iter().filter(|answer| appended(answer)).count(), 1);
    assert_eq!(answers.iter().filter(|answer| **answer == AppendOutcome::Reserved).count(), 63);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_given_back_is_free_for_the_next() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let append = |n, version, reservations| Append {
        events: vec![event(n * 10, n, version)],
        reservations,
        ..Append::default()
    };

    assert!(appended(
        &node.queue.append(append(1, 1, vec![reservation(1, 1, true)])).await.unwrap()
    ));
    let moved = Append {
        events: vec![event(11, 1, 2)],
        reservations: vec![reservation(1, 1, false), reservation(2, 1, true)],
        ..Append::default()
    };
    assert!(appended(&node.queue.append(moved).await.unwrap()));
    assert!(appended(
        &node.queue.append(append(2, 1, vec![reservation(1, 2, true)])).await.unwrap()
    ));
    // Only its owner gives it back.
    assert!(appended(
        &node.queue.append(append(3, 1, vec![reservation(1, 3, false)])).await.unwrap()
    ));
    let taken = node.queue.append(append(4, 1, vec![reservation(1, 4, true)])).await.unwrap();
    assert_eq!(taken, AppendOutcome::Reserved);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_id_with_another_request_is_reused() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let with = |mac: Option<u8>, before: Option<u8>| {
        let mut event = event(1, 7, 1);
        event.request_mac = mac.map(|mac| vec![mac; 32]);
        event.request_mac_before = before.map(|mac| vec![mac; 32]);
        one(event)
    };

    assert!(appended(&node.queue.append(with(Some(1), None)).await.unwrap()));
    let replayed = |answer: &AppendOutcome| {
        matches!(answer, AppendOutcome::Replayed { first: 1, last: 1, .. })
    };
    assert!(replayed(&node.queue.append(with(Some(1), Some(9))).await.unwrap()));
    // After midnight: today's key made another MAC, yesterday's the same.
    assert!(replayed(&node.queue.append(with(Some(2), Some(1))).await.unwrap()));
    for other in [with(Some(2), None), with(Some(2), Some(3)), with(None, None)] {
        assert_eq!(node.queue.append(other).await.unwrap(), AppendOutcome::Reused);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_another_aggregate_is_a_conflict() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    assert!(appended(&node.queue.append(one(event(1, 7, 1))).await.unwrap()));

    let of_a_boat = NewEvent { stream_type: "boat", ..event(2, 7, 2) };
    let answer = node.queue.append(one(of_a_boat)).await.unwrap();

    assert_eq!(answer, AppendOutcome::Conflict);
    assert_eq!(count(&owner(&databases.log_url).await).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_id_of_another_tenant_is_another_command() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    // With a reservation, so that the function for batches decides.
    let of_tenant = |tenant: u128, stream: u128| Append {
        events: vec![NewEvent { tenant_id: Uuid::from_u128(tenant), ..event(1, stream, 1) }],
        reservations: vec![reservation(stream, stream, true)],
        ..Append::default()
    };
    assert!(appended(&node.queue.append(of_tenant(1, 7)).await.unwrap()));

    let answer = node.queue.append(of_tenant(2, 8)).await.unwrap();

    assert_eq!(answer, AppendOutcome::Appended { first: 2, last: 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_append_reserves_and_releases_nothing() {
    let databases = databases().await;
    let node = node(&databases.log_url).await;
    let append = |n, version, reservations| Append {
        events: vec![event(n * 10 + u128::try_from(version).unwrap(), n, version)],
        reservations,
        ..Append::default()
    };
    let reserved = append(1, 1, vec![reservation(1, 1, true)]);
    assert!(appended(&node.queue.append(reserved).await.unwrap()));

    let moves = vec![reservation(1, 1, false), reservation(2, 1, true)];
    let answer = node.queue.append(append(1, 5, moves)).await.unwrap();
    assert_eq!(answer, AppendOutcome::Conflict);

    let first_address = append(2, 1, vec![reservation(1, 2, true)]);
    let answer = node.queue.append(first_address).await.unwrap();
    assert_eq!(answer, AppendOutcome::Reserved, "the refused append released an address");
    let second_address = append(3, 1, vec![reservation(2, 3, true)]);
    let answer = node.queue.append(second_address).await.unwrap();
    assert!(appended(&answer), "the refused append reserved an address: {answer:?}");
}
