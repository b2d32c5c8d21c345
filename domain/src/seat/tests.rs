use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{Event, TenantId};

type Seats = TestFramework<SeatPool>;

const ADA: AccountId = AccountId(Uuid::from_u128(1));
const BEN: AccountId = AccountId(Uuid::from_u128(2));
const CYD: AccountId = AccountId(Uuid::from_u128(3));

const fn lease(number: u128) -> LeaseId {
    LeaseId(Uuid::from_u128(number))
}

const fn limited(limit: u32) -> SeatEvent {
    SeatEvent::LimitSet { limit, cause: LimitCause::Default }
}

const fn set(limit: u32) -> SeatEvent {
    SeatEvent::LimitSet { limit, cause: LimitCause::Admin }
}

const fn acquire(account: AccountId, of: u128) -> SeatCommand {
    SeatCommand::Acquire { lease: lease(of), account }
}

const fn acquired(account: AccountId, of: u128, fence: u64) -> SeatEvent {
    SeatEvent::LeaseAcquired { lease: lease(of), account, fence }
}

const fn denied(account: AccountId, in_use: u32, limit: u32) -> SeatEvent {
    SeatEvent::Denied { account, in_use, limit }
}

const fn released(account: AccountId, of: u128) -> SeatEvent {
    SeatEvent::LeaseReleased { lease: lease(of), account, reason: ReleaseReason::Released }
}

const fn release(of: u128) -> SeatCommand {
    SeatCommand::Release { lease: lease(of), reason: ReleaseReason::Released }
}

const fn taken_over(account: AccountId, from: u128, to: u128, fence: u64) -> SeatEvent {
    SeatEvent::LeaseTakenOver { account, from: lease(from), to: lease(to), fence }
}

const fn take_over(account: AccountId, from: u128, to: u128) -> SeatCommand {
    SeatCommand::TakeOver { account, from: lease(from), to: lease(to) }
}

fn given(events: Vec<SeatEvent>) -> SeatPool {
    let mut pool = SeatPool::default();
    for event in events {
        pool.apply(event);
    }
    pool
}

#[test]
fn a_pool_is_opened_once_with_its_first_limit() {
    let open = SeatCommand::Open { limit: 5 };
    for limit in [5, LIMIT_MAX] {
        Seats::with(())
            .given_no_previous_events()
            .when(SeatCommand::Open { limit })
            .then_expect_events(vec![limited(limit)]);
    }
    Seats::with(()).given(vec![limited(5)]).when(open).then_expect_error(SeatError::AlreadyExists);
    Seats::with(())
        .given_no_previous_events()
        .when(SeatCommand::Open { limit: LIMIT_MAX + 1 })
        .then_expect_error(SeatError::LimitOutOfRange);
}

#[test]
fn a_pool_that_was_never_opened_takes_nothing() {
    for command in [
        acquire(ADA, 1),
        release(1),
        take_over(ADA, 1, 2),
        SeatCommand::SetLimit { limit: 1, cause: LimitCause::Admin },
        SeatCommand::VacateAll { reason: ReleaseReason::WorkspaceDeleted },
    ] {
        Seats::with(())
            .given_no_previous_events()
            .when(command)
            .then_expect_error(SeatError::Unknown);
    }
    let unopened = SeatPool::default();
    assert_eq!(unopened.check_renewal(ADA, lease(1), 1), Err(SeatError::Unknown));
    assert_eq!((unopened.taken(), unopened.lease_of(ADA)), ((0, 0), None));
}

#[test]
fn a_limit_is_set_with_its_cause_and_the_same_again_changes_nothing() {
    let admin = |limit| SeatCommand::SetLimit { limit, cause: LimitCause::Admin };
    for limit in [5, LIMIT_MAX] {
        Seats::with(())
            .given(vec![limited(5)])
            .when(admin(limit))
            .then_expect_events(vec![set(limit)]);
    }
    Seats::with(()).given(vec![limited(5), set(7)]).when(admin(7)).then_expect_events(vec![]);
    Seats::with(()).given(vec![limited(5)]).when(admin(0)).then_expect_events(vec![set(0)]);
    Seats::with(())
        .given(vec![limited(5)])
        .when(admin(LIMIT_MAX + 1))
        .then_expect_error(SeatError::LimitOutOfRange);
}

#[test]
fn seats_are_taken_up_to_the_limit_each_under_a_greater_fence() {
    Seats::with(())
        .given(vec![limited(2), acquired(ADA, 1, 1)])
        .when(acquire(BEN, 2))
        .then_expect_events(vec![acquired(BEN, 2, 2)]);
    Seats::with(())
        .given(vec![limited(2), acquired(ADA, 1, 1), acquired(BEN, 2, 2)])
        .when(acquire(CYD, 3))
        .then_expect_events(vec![denied(CYD, 2, 2)]);
}

#[test]
fn a_fence_is_never_used_again() {
    Seats::with(())
        .given(vec![limited(1), acquired(ADA, 1, 1), released(ADA, 1)])
        .when(acquire(ADA, 2))
        .then_expect_events(vec![acquired(ADA, 2, 2)]);
}

#[test]
fn whoever_asks_again_and_again_is_denied_once_until_something_changes() {
    let full = vec![limited(1), acquired(ADA, 1, 1), denied(BEN, 1, 1)];
    Seats::with(()).given(full.clone()).when(acquire(BEN, 2)).then_expect_events(vec![]);
    Seats::with(())
        .given(full.clone())
        .when(acquire(CYD, 2))
        .then_expect_events(vec![denied(CYD, 1, 1)]);
    let changes = [
        vec![set(0)],
        vec![released(ADA, 1), acquired(CYD, 2, 2)],
        vec![set(2), acquired(CYD, 2, 2)],
    ];
    for change in changes {
        let now = given([full.clone(), change.clone()].concat()).taken();
        Seats::with(())
            .given([full.clone(), change].concat())
            .when(acquire(BEN, 3))
            .then_expect_events(vec![denied(BEN, now.0, now.1)]);
    }
}

#[test]
fn a_person_has_one_lease_and_is_told_which() {
    Seats::with(())
        .given(vec![limited(2), acquired(ADA, 1, 1)])
        .when(acquire(ADA, 2))
        .then_expect_error(SeatError::Held { lease: lease(1) });
}

#[test]
fn a_lease_is_released_once_and_releasing_again_changes_nothing() {
    let held = vec![limited(1), acquired(ADA, 1, 1)];
    Seats::with(()).given(held.clone()).when(release(1)).then_expect_events(vec![released(ADA, 1)]);
    let gone = [held, vec![released(ADA, 1)]].concat();
    Seats::with(()).given(gone.clone()).when(release(1)).then_expect_events(vec![]);
    Seats::with(()).given(gone).when(release(2)).then_expect_error(SeatError::LeaseUnknown);
}

#[test]
fn taking_over_ends_the_old_lease_under_a_greater_fence() {
    let held = vec![limited(1), acquired(ADA, 1, 1)];
    Seats::with(())
        .given(held.clone())
        .when(take_over(ADA, 1, 2))
        .then_expect_events(vec![taken_over(ADA, 1, 2, 2)]);
    let after = given([held, vec![taken_over(ADA, 1, 2, 2)]].concat());
    assert_eq!(after.taken(), (1, 1));
    assert_eq!(after.check_renewal(ADA, lease(1), 1), Err(SeatError::LeaseLost));
    assert_eq!(after.check_renewal(ADA, lease(2), 2), Ok(()));
    assert_eq!(after.holder(lease(1)), Some(ADA));
    assert_eq!(after.lease_of(ADA).map(|current| current.id), Some(lease(2)));
    let again = after.decide(take_over(ADA, 1, 3));
    assert_eq!(again, Err(SeatError::LeaseLost));
}

#[test]
fn only_ones_own_lease_is_taken_over_or_renewed() {
    let pool = given(vec![limited(2), acquired(ADA, 1, 1), acquired(BEN, 2, 2)]);
    assert_eq!(pool.decide(take_over(BEN, 1, 3)), Err(SeatError::LeaseUnknown));
    assert_eq!(pool.check_renewal(BEN, lease(1), 1), Err(SeatError::LeaseUnknown));
    assert_eq!(pool.check_renewal(ADA, lease(9), 1), Err(SeatError::LeaseUnknown));
    assert_eq!(pool.check_renewal(ADA, lease(1), 2), Err(SeatError::LeaseLost));
    assert_eq!(pool.check_renewal(ADA, lease(1), 1), Ok(()));
    let renew = |fence| SeatCommand::Renew { lease: lease(1), account: ADA, fence };
    assert_eq!(pool.decide(renew(1)), Ok(vec![]), "a guard, and no event");
    assert_eq!(pool.decide(renew(2)), Err(SeatError::LeaseLost));
    assert_eq!((pool.holder(lease(1)), pool.holder(lease(2))), (Some(ADA), Some(BEN)));
    assert_eq!(pool.holder(lease(9)), None);
}

#[test]
fn under_a_lowered_limit_nobody_is_cut_off_and_the_newest_go_first() {
    let held = [acquired(ADA, 1, 1), acquired(BEN, 2, 2), acquired(CYD, 3, 3)];
    let lowered = [vec![limited(3)], held.to_vec(), vec![set(1)]].concat();
    let pool = given(lowered);
    assert_eq!(pool.taken(), (3, 1));
    assert_eq!(pool.check_renewal(ADA, lease(1), 1), Ok(()));
    for (account, of) in [(BEN, 2), (CYD, 3)] {
        let renewal = pool.check_renewal(account, lease(of), u64::try_from(of).unwrap());
        assert_eq!(renewal, Err(SeatError::LimitLowered));
        assert_eq!(pool.decide(take_over(account, of, 9)), Err(SeatError::LimitLowered));
    }
}

#[test]
fn a_take_over_does_not_make_a_holder_the_newest() {
    let pool = given(vec![
        limited(2),
        acquired(ADA, 1, 1),
        acquired(BEN, 2, 2),
        taken_over(ADA, 1, 3, 3),
        set(1),
    ]);
    assert_eq!(pool.check_renewal(ADA, lease(3), 3), Ok(()));
    assert_eq!(pool.check_renewal(BEN, lease(2), 2), Err(SeatError::LimitLowered));
}

#[test]
fn a_lease_expires_unless_it_has_ended() {
    let expire = SeatCommand::Expire { lease: lease(1), account: ADA };
    let expired = SeatEvent::LeaseExpired { lease: lease(1), account: ADA, fence: 1 };
    let held = vec![limited(1), acquired(ADA, 1, 1)];
    Seats::with(())
        .given(held.clone())
        .when(expire.clone())
        .then_expect_events(vec![expired.clone()]);
    for end in [expired, released(ADA, 1), taken_over(ADA, 1, 2, 2)] {
        let ended = [held.clone(), vec![end]].concat();
        Seats::with(()).given(ended).when(expire.clone()).then_expect_events(vec![]);
    }
}

#[test]
fn whoever_goes_leaves_their_seat_and_a_deleted_workspace_has_none() {
    let held = vec![limited(2), acquired(ADA, 1, 1), acquired(BEN, 2, 2)];
    let gone = |of, account, reason| SeatEvent::LeaseReleased { lease: lease(of), account, reason };
    let (left, deleted) = (ReleaseReason::MemberGone, ReleaseReason::WorkspaceDeleted);
    Seats::with(())
        .given(held.clone())
        .when(SeatCommand::Vacate { account: BEN, reason: left })
        .then_expect_events(vec![gone(2, BEN, left)]);
    Seats::with(())
        .given(held.clone())
        .when(SeatCommand::Vacate { account: CYD, reason: left })
        .then_expect_events(vec![]);
    Seats::with(())
        .given(held)
        .when(SeatCommand::VacateAll { reason: deleted })
        .then_expect_events(vec![gone(1, ADA, deleted), gone(2, BEN, deleted)]);
}

#[test]
fn every_event_is_about_the_workspace() {
    let tenant = TenantId(Uuid::from_u128(7));
    for event in [limited(1), acquired(ADA, 1, 1), released(ADA, 1), denied(BEN, 1, 1)] {
        assert_eq!(event.subject(tenant, Uuid::from_u128(8)).0, tenant.0);
    }
}

#[test]
fn a_causes_word_is_the_events() {
    for cause in [LimitCause::Default, LimitCause::Admin] {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
    }
}

#[test]
fn a_pools_stream_is_its_own() {
    let workspace = WorkspaceId(Uuid::from_u128(7 << 120));
    assert_eq!(pool_stream(workspace).to_string(), "6b657468-6520-7365-6174-20706f6f6c00");
}

/// Any command of people and operators, with small numbers so that they meet.
fn anything() -> impl Strategy<Value = SeatCommand> {
    let (who, of) = (0..6_u128, 0..12_u128);
    let account = who.prop_map(|who| AccountId(Uuid::from_u128(who)));
    (account, of.clone(), of, 0..4_u32, 0..8).prop_map(
        |(account, of, to, limit, kind)| match kind {
            0 => SeatCommand::SetLimit { limit, cause: LimitCause::Admin },
            1 => release(of),
            2 => SeatCommand::TakeOver { account, from: lease(of), to: lease(to + 100) },
            3 => SeatCommand::Expire { lease: lease(of), account },
            4 => SeatCommand::Vacate { account, reason: ReleaseReason::MemberGone },
            _ => acquire(account, of),
        },
    )
}

proptest! {
    #[test]
    fn never_more_than_the_limit_and_fences_grow(commands in prop::collection::vec(anything(), 1..80)) {
        let (mut pool, mut fence) = (given(vec![limited(3)]), 0);
        for command in commands {
            let (before, limit) = pool.taken();
            for event in pool.decide(command).unwrap_or_default() {
                let new = match event {
                    SeatEvent::LeaseAcquired { fence, .. } => {
                        prop_assert!(before < limit);
                        Some(fence)
                    }
                    SeatEvent::LeaseTakenOver { fence, .. } => Some(fence),
                    SeatEvent::LimitSet { .. }
                    | SeatEvent::LeaseReleased { .. }
                    | SeatEvent::LeaseExpired { .. }
                    | SeatEvent::Denied { .. } => None,
                };
                prop_assert!(new.is_none_or(|new| new > fence));
                fence = new.unwrap_or(fence);
                pool.apply(event);
            }
            prop_assert!(pool.taken().0 <= before.max(limit));
        }
    }
}
