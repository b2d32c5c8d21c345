//! Two who want one account. Whoever can read its mail gets it back, and has it alone: no order of what
//! both do leaves a way in for the other one. This does not look at the table of links, only at what it
//! says of sessions and tokens.

mod moves;
mod world;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use moves::{Mailbox, Move, Party, Start};
use world::World;

/// How many moves of the thief alone follow the moment from which the account is the owner's again.
const TRIES: usize = 4;

/// What the thief does without anybody's help: what changes nothing leads nowhere.
const BY_THIEF: [Move; 8] = [
    Move::AskReset,
    Move::FollowReset,
    Move::FollowChange,
    Move::FollowVerification,
    Move::SignIn,
    Move::AskChange,
    Move::CancelErasure,
    Move::DayPasses,
];

/// Property (a), and the way in that (b) leaves.
fn thief_gets_nothing(world: &World, tries: usize) -> Result<(), String> {
    if let Some(way) = world.way_in(Party::Thief) {
        return Err(format!("the thief has {way}"));
    }
    if tries == 0 {
        return Ok(());
    }
    for step in BY_THIEF {
        let mut next = world.clone();
        if next.play(Party::Thief, step)? {
            thief_gets_nothing(&next, tries - 1)
                .map_err(|error| format!("{error}, by {step:?}"))?;
        }
    }
    Ok(())
}

/// Properties (d) and (e): the owner gets in by mail alone, and can cancel an erasure.
fn owner_gets_in(world: &World) -> Result<(), String> {
    if !world.reads(Party::Owner, world.address()) {
        return Ok(());
    }
    let mut world = world.clone();
    for step in [Move::AskReset, Move::FollowReset, Move::SignIn] {
        if !world.play(Party::Owner, step)? {
            return Err(format!("the owner cannot {step:?}"));
        }
    }
    if world.may_cancel_erasure() && !world.play(Party::Owner, Move::CancelErasure)? {
        return Err("the owner cannot cancel the erasure".to_owned());
    }
    Ok(())
}

/// From here on the account is the owner's alone: the owner has chosen a password, and only the owner
/// reads the mail.
fn is_recovered(world: &World, (party, step): (Party, Move)) -> bool {
    party == Party::Owner
        && matches!(step, Move::FollowReset | Move::ChangePassword)
        && !world.reads(Party::Thief, world.address())
}

fn check(world: &World, last: (Party, Move), tries: usize) -> Result<(), String> {
    if is_recovered(world, last) {
        thief_gets_nothing(world, tries)?;
    }
    if last.1 == Move::AskErasure {
        for party in [Party::Owner, Party::Thief] {
            if let Some(way) = world.way_by_session(party) {
                return Err(format!("after the request for erasure {party:?} has {way}"));
            }
        }
    }
    owner_gets_in(world)
}

#[test]
fn after_any_history_the_owner_of_the_mailbox_has_the_account_alone() {
    let party = || prop_oneof![Just(Party::Owner), Just(Party::Thief)];
    let histories = prop::collection::vec((party(), prop::sample::select(Move::ALL)), 1..24);
    let start = prop::sample::select(Start::ALL);
    let mut runner =
        TestRunner::new(Config { cases: 1_500, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&(start, histories), |(start, history)| {
        let mut world = World::new(start);
        let mut played = Vec::new();
        for (party, step) in history {
            let checked = world.play(party, step).and_then(|changed| {
                if changed {
                    played.push((party, step));
                    check(&world, (party, step), TRIES)?;
                }
                Ok(())
            });
            checked.map_err(|error| {
                TestCaseError::fail(format!("{error} after {played:?}, then {party:?} {step:?}"))
            })?;
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
}

/// Of (reset, change of address, erasure, sign-in, token, sign-out), each in its steps.
const IN_ALL_ORDERS: [Move; 10] = [
    Move::AskReset,
    Move::FollowReset,
    Move::AskChange,
    Move::FollowChange,
    Move::AskErasure,
    Move::CancelErasure,
    Move::SignIn,
    Move::IssueToken,
    Move::RevokeToken,
    Move::SignOutEverywhere,
];

#[derive(Default)]
struct Search {
    histories: u64,
    recovered: u64,
    /// Each with the shortest history that shows it.
    faults: BTreeMap<String, Vec<(Party, Move)>>,
}

impl Search {
    fn go(&mut self, world: &World, played: &mut Vec<(Party, Move)>, left: usize) {
        if left == 0 {
            return;
        }
        for party in [Party::Owner, Party::Thief] {
            for step in IN_ALL_ORDERS {
                let mut next = world.clone();
                played.push((party, step));
                let checked = next.play_signed_in(party, step).and_then(|changed| {
                    self.histories += u64::from(changed);
                    let recovered = changed && is_recovered(&next, (party, step));
                    self.recovered += u64::from(recovered);
                    if changed { check(&next, (party, step), 2).map(|()| true) } else { Ok(false) }
                });
                match checked {
                    Ok(true) => self.go(&next, played, left - 1),
                    Ok(false) => {}
                    Err(fault) => self.found(fault, played),
                }
                played.pop();
            }
        }
    }

    fn found(&mut self, fault: String, played: &[(Party, Move)]) {
        let shortest = self.faults.entry(fault).or_insert_with(|| played.to_vec());
        if played.len() < shortest.len() {
            *shortest = played.to_vec();
        }
    }
}

#[test]
fn no_order_of_five_moves_of_two_parties_leaves_a_way_in_for_the_wrong_one() {
    let mut search = Search::default();
    for start in Start::ALL {
        search.go(&World::new(*start), &mut Vec::new(), 5);
    }
    let Search { histories, recovered, faults } = search;
    println!("{histories} histories, of which {recovered} end with a recovery");
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(histories > 50_000 && recovered > 1_000, "{histories} histories, {recovered}");
}

/// Controls: what the properties look for is there before a recovery.
#[test]
fn before_the_owner_recovers_the_thief_of_a_password_has_every_way_in() {
    let mut world = World::new(Start::PasswordStolen);
    for step in [Move::SignIn, Move::IssueToken, Move::AskChange, Move::FollowChange] {
        assert_eq!(world.play(Party::Thief, step), Ok(true), "{step:?}");
    }
    assert_eq!(world.address(), Mailbox::Thiefs);
    assert!(thief_gets_nothing(&world, 0).is_err());
    assert_eq!(owner_gets_in(&world), Ok(()), "nothing is asked of a mailbox that is not theirs");
    assert_eq!(world.play(Party::Owner, Move::FollowReset), Ok(false));
}
