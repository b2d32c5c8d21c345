//! What may be left of an attempt that has ended: it is cancelled, proven to be gone, or given up.

use super::{
    ADA, EXIT, LOST, ONE, TWO, cancelled_in_queue, command, deployment, dispatched, emits, end,
    ended, given, lease, refuses, requested, started, state,
};
use crate::privacy::{LeftCause, Leftovers, Personal, RunLeft};
use crate::run::{
    Ending, LossCause, Run, RunCommand, RunError, RunEvent, RunState, Settled, StartCause, Target,
    TaskLease,
};
use cqrs_es::Aggregate;
use std::collections::BTreeSet;

const KILLED: Ending = Ending::Cancelled { forced: true, proven: true };
const CANCELLED: Ending = Ending::Cancelled { forced: true, proven: false };
const TIMED_OUT: Ending = Ending::TimedOut { proven: false };

fn cancel() -> RunCommand {
    RunCommand::RequestCancel { by: ADA }
}

fn cancel_requested() -> RunEvent {
    RunEvent::CancelRequested { by: ADA }
}

fn prove(attempt: u32, fence: u64) -> RunCommand {
    RunCommand::ProveGone { lease: lease(attempt, fence) }
}

fn gone(attempt: u32, fence: u64) -> RunEvent {
    RunEvent::ProvenGone { server: ONE, attempt, fence }
}

fn give_up() -> RunCommand {
    RunCommand::GiveUp { server: ONE, by: Some(ADA) }
}

fn given_up(attempt: u32) -> RunEvent {
    RunEvent::GivenUp { server: ONE, attempt, by: Some(ADA) }
}

fn retried() -> RunEvent {
    RunEvent::Retried { servers: vec![ONE], secrets: None }
}

/// Started, to be cancelled, and ended so.
fn after(ending: Ending) -> Vec<RunEvent> {
    given(&[dispatched(1), started(1), cancel_requested(), ended(ending)])
}

fn lost_for(why: LossCause) -> Vec<RunEvent> {
    given(&[dispatched(1), started(1), ended(Ending::Lost { why })])
}

fn target(events: Vec<RunEvent>) -> Target {
    let mut run = Run::default();
    for event in events {
        run.apply(event);
    }
    run.requested().unwrap().targets[&ONE].clone()
}

#[test]
fn what_is_left_is_told_of_an_end_that_is_not_proven_and_of_no_other() {
    let left = Leftovers::new(LeftCause::Denied, 1, ["unit:nginx.service".to_owned()]);
    let left = || -> Option<Personal<RunLeft>> { Some(Personal::Clear(left.clone())) };
    let ends = |ending| RunCommand::End { lease: lease(1, 1), ending, left: left() };
    let running = || given(&[dispatched(1), started(1), cancel_requested()]);
    let (server, attempt, fence) = (ONE, 1, 1);
    let unproven =
        RunEvent::Cancelled { server, attempt, fence, forced: true, proven: false, left: left() };
    emits(running(), ends(CANCELLED), vec![unproven.clone()]);
    let timed_out = RunEvent::TimedOut { server, attempt, fence, proven: false, left: left() };
    emits(running(), ends(TIMED_OUT), vec![timed_out]);
    for ending in [KILLED, Ending::TimedOut { proven: true }, EXIT] {
        emits(running(), ends(ending), vec![ended(ending)]);
    }

    let unproven = [running(), vec![unproven]].concat();
    let before = target(unproven.clone());
    assert_eq!((before.as_str(), &before.left), ("unproven", &left()));
    let after = target([unproven.clone(), vec![gone(1, 1)]].concat());
    assert_eq!((after.as_str(), &after.left), ("cancelled", &None));
    // Nobody has proven anything: what may be left there is still named.
    let after = target([unproven, vec![given_up(1)]].concat());
    assert_eq!((after.as_str(), &after.left), ("unproven", &left()));
}

#[test]
fn an_end_that_is_not_proven_is_the_last_one_but_for_the_proof() {
    for ending in [CANCELLED, TIMED_OUT] {
        let over = || after(ending);
        refuses(over(), end(lease(1, 2), KILLED), RunError::NotCancelled);
        refuses(over(), end(lease(1, 2), Ending::Succeeded), RunError::Ended);
        refuses(over(), RunCommand::Reattach { lease: lease(1, 2) }, RunError::Ended);
        refuses(over(), prove(1, 0), RunError::Fenced);
        emits(over(), prove(1, 1), vec![gone(1, 1)]);
        let proven = [over(), vec![gone(1, 1)]].concat();
        refuses(proven.clone(), prove(1, 2), RunError::NothingLeft);
        refuses(proven.clone(), give_up(), RunError::NothingLeft);
        refuses(proven, cancel(), RunError::RunEnded);
    }
}

#[test]
fn only_what_may_be_left_is_proven_to_be_gone() {
    refuses(given(&[]), prove(1, 1), RunError::NotEnded);
    refuses(given(&[dispatched(1), started(1)]), prove(1, 1), RunError::NotEnded);
    for ending in [Ending::Succeeded, EXIT, Ending::TimedOut { proven: true }] {
        let over = given(&[dispatched(1), started(1), ended(ending)]);
        refuses(over, prove(1, 2), RunError::NothingLeft);
    }
    refuses(after(KILLED), prove(1, 2), RunError::NothingLeft);
    refuses(after(CANCELLED), prove(2, 2), RunError::OtherAttempt);
    let elsewhere = TaskLease { server: TWO, attempt: 1, fence: 1 };
    refuses(after(CANCELLED), RunCommand::ProveGone { lease: elsewhere }, RunError::OtherServer);
    for why in LossCause::ALL.iter().copied() {
        if matches!(why, LossCause::Unreachable | LossCause::Unknown) {
            emits(lost_for(why), prove(1, 2), vec![gone(1, 2)]);
        } else {
            refuses(lost_for(why), prove(1, 2), RunError::NothingLeft);
        }
    }
}

#[test]
fn the_truth_does_not_follow_what_is_settled() {
    for settled in [gone(1, 2), given_up(1)] {
        let over = || [lost_for(LossCause::Unreachable), vec![settled.clone()]].concat();
        refuses(over(), end(lease(1, 3), EXIT), RunError::Ended);
        refuses(over(), RunCommand::Reattach { lease: lease(1, 3) }, RunError::Ended);
        assert_eq!(state(over()), RunState::Lost);
    }
}

#[test]
fn what_may_be_left_of_a_run_can_be_cancelled() {
    for why in LossCause::ALL.iter().copied() {
        if matches!(why, LossCause::Unreachable | LossCause::Unknown) {
            emits(lost_for(why), cancel(), vec![cancel_requested()]);
        } else {
            refuses(lost_for(why), cancel(), RunError::RunEnded);
        }
    }
    let lost = || [lost_for(LossCause::Unreachable), vec![cancel_requested()]].concat();
    emits(lost(), cancel(), vec![cancel_requested()]);
    assert_eq!((target(lost()).as_str(), target(lost()).cancelling), ("lost", true));
    // A node finds it, and kills it.
    let killed = RunEvent::Cancelled {
        server: ONE,
        attempt: 1,
        fence: 2,
        forced: true,
        proven: true,
        left: None,
    };
    emits(lost(), end(lease(1, 2), KILLED), vec![killed]);
    // What was tried in vain is tried again, however often somebody asks for it.
    for ending in [CANCELLED, TIMED_OUT] {
        emits(after(ending), cancel(), vec![cancel_requested()]);
        let again = [after(ending), vec![cancel_requested()]].concat();
        emits(again, cancel(), vec![cancel_requested()]);
    }
    // While something has not ended, its nodes know of it.
    let running = given(&[dispatched(1), started(1), cancel_requested()]);
    emits(running, cancel(), vec![]);
}

#[test]
fn a_person_gives_up_what_may_be_left_and_nothing_else() {
    refuses(given(&[]), give_up(), RunError::NotEnded);
    refuses(given(&[dispatched(1), started(1)]), give_up(), RunError::NotEnded);
    refuses(after(KILLED), give_up(), RunError::NothingLeft);
    refuses(lost_for(LossCause::Vanished), give_up(), RunError::NothingLeft);
    let elsewhere = RunCommand::GiveUp { server: TWO, by: None };
    refuses(after(CANCELLED), elsewhere, RunError::OtherServer);
    let lost = || lost_for(LossCause::Unreachable);
    emits(lost(), give_up(), vec![given_up(1)]);
    emits(after(CANCELLED), give_up(), vec![given_up(1)]);
    let by_deletion = RunEvent::GivenUp { server: ONE, attempt: 1, by: None };
    emits(lost(), RunCommand::GiveUp { server: ONE, by: None }, vec![by_deletion]);
    let over = || [lost(), vec![given_up(1)]].concat();
    refuses(over(), give_up(), RunError::NothingLeft);
    refuses(over(), cancel(), RunError::RunEnded);
    // Nobody has proven anything.
    let unproven = [after(CANCELLED), vec![given_up(1)]].concat();
    assert_eq!(target(unproven.clone()).settled, Some(Settled::GivenUp));
    assert_eq!(state(unproven), RunState::Unproven);
    assert_eq!(state([after(CANCELLED), vec![gone(1, 2)]].concat()), RunState::Cancelled);
}

/// Which ends block a retry that names no server, of a deployment; of a command none does.
#[test]
fn a_deployment_that_may_be_at_work_is_retried_only_by_its_servers_name() {
    let lost = |why| Ending::Lost { why };
    let ends = [
        (lost(LossCause::Unreachable), true),
        (lost(LossCause::Unknown), true),
        (lost(LossCause::Rebooted), false),
        (lost(LossCause::Vanished), false),
        (lost(LossCause::Missing), false),
        (CANCELLED, true),
        (TIMED_OUT, true),
        (KILLED, false),
        (EXIT, false),
    ];
    let retry = |servers| RunCommand::Retry { servers, secrets: None };
    for (ending, may_be_at_work) in ends {
        let over = |work| {
            let begun = [requested(work, &[ONE]), dispatched(1), started(1), cancel_requested()];
            [&begun[..], &[ended(ending)]].concat()
        };
        emits(over(command()), retry(vec![]), vec![retried()]);
        emits(over(deployment()), retry(vec![ONE]), vec![retried()]);
        if !may_be_at_work {
            emits(over(deployment()), retry(vec![]), vec![retried()]);
            continue;
        }
        refuses(over(deployment()), retry(vec![]), RunError::DeploymentLost);
        for settled in [gone(1, 1), given_up(1)] {
            let settled = [over(deployment()), vec![settled]].concat();
            emits(settled, retry(vec![]), vec![retried()]);
        }
    }
}

#[test]
fn an_earlier_attempt_may_be_left_until_the_next_one_starts() {
    let lost = vec![requested(deployment(), &[ONE]), dispatched(1), started(1), ended(LOST)];
    let again = || [lost.clone(), vec![retried()]].concat();
    let (server, attempt, fence, cause) = (ONE, 2, 0, StartCause::NotReady);
    let unreached = RunEvent::NotStarted { server, attempt, fence, cause };
    let failed = || [again(), vec![unreached.clone()]].concat();
    let retry = || RunCommand::Retry { servers: vec![], secrets: None };
    refuses(failed(), retry(), RunError::DeploymentLost);
    emits(failed(), prove(1, 7), vec![gone(1, 7)]);
    emits(failed(), give_up(), vec![given_up(1)]);
    refuses(failed(), prove(2, 7), RunError::NothingLeft);
    for settled in [gone(1, 7), given_up(1)] {
        let settled = [failed(), vec![settled]].concat();
        refuses(settled.clone(), prove(1, 7), RunError::NothingLeft);
        emits(settled, retry(), vec![retried()]);
    }

    // Cancelled before it began, it says nothing of the one before.
    let cancelled = [again(), vec![cancel_requested(), cancelled_in_queue(ONE, 2)]].concat();
    emits(again(), cancel(), vec![cancel_requested(), cancelled_in_queue(ONE, 2)]);
    assert_eq!(state(cancelled.clone()), RunState::Unproven);
    assert_eq!(state([cancelled, vec![gone(1, 7)]].concat()), RunState::Cancelled);

    let third = [failed(), vec![retried()]].concat();
    assert_eq!(target(third.clone()).earlier, BTreeSet::from([1]));
    let begun = RunEvent::Started { server: ONE, attempt: 3, fence: 1 };
    assert!(target([third, vec![begun]].concat()).earlier.is_empty());
}

/// Whenever it was given up: nobody has proven that it does not run.
#[test]
fn a_run_is_not_called_cancelled_where_an_earlier_attempt_was_given_up() {
    let lost = lost_for(LossCause::Unreachable);
    let cancelled = vec![cancel_requested(), cancelled_in_queue(ONE, 2)];
    let orders = [
        vec![vec![given_up(1), retried()], cancelled.clone()],
        vec![vec![retried(), given_up(1)], cancelled.clone()],
        vec![vec![retried()], cancelled.clone(), vec![given_up(1)]],
    ];
    for order in orders {
        let over = [lost.clone(), order.concat()].concat();
        assert_eq!((state(over.clone()), target(over).may_be_left()), (RunState::Unproven, false));
    }
    let over = [lost.clone(), vec![gone(1, 7), retried()], cancelled.clone()].concat();
    assert_eq!(state(over), RunState::Cancelled);
    let third = [lost, vec![retried(), given_up(1)], cancelled, vec![retried()]].concat();
    assert!(target(third).after_given_up, "and not for the next one either");
}

#[test]
fn a_runs_state_is_unproven_between_lost_and_failed() {
    let both = |other: Ending| {
        let mut events = vec![requested(command(), &[ONE, TWO]), cancel_requested()];
        events.extend([dispatched(1), started(1), ended(CANCELLED)]);
        let lease = TaskLease { server: TWO, attempt: 1, fence: 1 };
        events.push(crate::run::requested::ended(lease, other, None));
        state(events)
    };
    assert_eq!(both(EXIT), RunState::Unproven);
    assert_eq!(both(Ending::Succeeded), RunState::Unproven);
    assert_eq!(both(LOST), RunState::Lost);
}
