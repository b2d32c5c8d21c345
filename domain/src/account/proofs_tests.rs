//! The table of what each event ends is what happens: after any history, each link that was ever mailed
//! works exactly if no later event has ended it and its time is not over.

#![allow(clippy::wildcard_enum_match_arm, reason = "the events that matter here are few")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::tests::{credential, email, ip, noon, registered, user_agent};
use super::{Account, AccountCommand, AccountEvent, Holding, Proof};
use crate::privacy::Purpose;
use crate::{AggregateRoot, CredentialId, ProofId, SessionId};

#[derive(Clone, Copy, Debug)]
enum Move {
    AskVerification,
    AskEmailChange,
    AskReset,
    /// The link of this number, counted over all that were mailed.
    Follow(usize),
    CancelEmailChange,
    ChangePassword(bool),
    EndSessions(bool),
    RequestErasure,
    CancelErasure,
    CompleteErasure,
    SignIn,
    Consent,
    Wait(i64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        2 => Just(Move::AskVerification),
        3 => Just(Move::AskEmailChange),
        3 => Just(Move::AskReset),
        6 => (0..16_usize).prop_map(Move::Follow),
        1 => Just(Move::CancelEmailChange),
        2 => any::<bool>().prop_map(Move::ChangePassword),
        1 => any::<bool>().prop_map(Move::EndSessions),
        2 => Just(Move::RequestErasure),
        2 => Just(Move::CancelErasure),
        1 => Just(Move::CompleteErasure),
        1 => Just(Move::SignIn),
        1 => Just(Move::Consent),
        3 => prop_oneof![Just(1), Just(30), Just(60), Just(24 * 60)].prop_map(Move::Wait),
    ];
    prop::collection::vec(one, 1..30)
}

/// A link, and the number of the event that mailed it.
struct Mailed {
    kind: Holding,
    proof: Proof,
    event: usize,
}

struct History {
    account: Account,
    now: DateTime<Utc>,
    events: Vec<AccountEvent>,
    mailed: Vec<Mailed>,
}

impl History {
    fn new() -> Self {
        let (account, now) = (Account::default(), noon());
        let mut history = Self { account, now, events: vec![], mailed: vec![] };
        history.append(registered());
        history
    }

    fn append(&mut self, event: AccountEvent) {
        let begun = match &event {
            AccountEvent::Registered { verification, .. }
            | AccountEvent::VerificationRequested { verification } => {
                Some((Holding::Verification, *verification))
            }
            AccountEvent::EmailChangeRequested { verification, .. } => {
                Some((Holding::EmailChange, *verification))
            }
            AccountEvent::PasswordResetRequested { proof } => {
                Some((Holding::PasswordReset, *proof))
            }
            _ => None,
        };
        let number = self.events.len();
        self.mailed.extend(begun.map(|(kind, proof)| Mailed { kind, proof, event: number }));
        self.events.push(event.clone());
        self.account.apply(event);
    }

    fn credential(&self) -> Option<CredentialId> {
        let Account::Live(live) = &self.account else { return None };
        Some(live.credential)
    }

    fn play(&mut self, step: Move) {
        let Some(command) = self.command(step) else { return };
        if let Ok(events) = self.account.decide(command) {
            for event in events {
                self.append(event);
            }
        }
    }

    fn command(&mut self, step: Move) -> Option<AccountCommand> {
        let id = 100 + self.events.len() as u128;
        let proof =
            Proof { id: ProofId(Uuid::from_u128(id)), until: self.now + TimeDelta::hours(1) };
        let now = self.now;
        Some(match step {
            Move::AskVerification => AccountCommand::RequestVerification { verification: proof },
            Move::AskEmailChange => AccountCommand::RequestEmailChange {
                email: email("ada@new.example"),
                verification: proof,
            },
            Move::AskReset => AccountCommand::RequestPasswordReset { proof },
            Move::Follow(number) => self.follow(self.mailed.get(number)?),
            Move::CancelEmailChange => AccountCommand::CancelEmailChange,
            Move::ChangePassword(keep_api_tokens) => {
                AccountCommand::ChangePassword { credential: credential(id), keep_api_tokens }
            }
            Move::EndSessions(keep_api_tokens) => AccountCommand::EndSessions { keep_api_tokens },
            Move::RequestErasure => {
                AccountCommand::RequestErasure { now, due: now + TimeDelta::hours(12) }
            }
            Move::CancelErasure => AccountCommand::CancelErasure { now },
            Move::CompleteErasure => AccountCommand::CompleteErasure { now },
            Move::SignIn => AccountCommand::SucceedLogin {
                credential: self.credential()?,
                session: SessionId(Uuid::from_u128(id)),
                ip: ip(),
                user_agent: user_agent(),
            },
            Move::Consent => {
                AccountCommand::GiveConsent { purpose: Purpose::ProductNews, policy_version: 1 }
            }
            Move::Wait(minutes) => {
                self.now += TimeDelta::minutes(minutes);
                return None;
            }
        })
    }

    fn follow(&self, link: &Mailed) -> AccountCommand {
        let (proof, now) = (link.proof.id, self.now);
        match link.kind {
            Holding::Verification => AccountCommand::VerifyEmail { proof, now },
            Holding::EmailChange => AccountCommand::ConfirmEmailChange { proof, now },
            Holding::PasswordReset => {
                AccountCommand::ResetPassword { proof, credential: credential(2), now }
            }
            Holding::Sessions | Holding::ApiTokens => panic!("no link is mailed for it"),
        }
    }

    /// As the table has it.
    fn should_work(&self, link: &Mailed) -> bool {
        let later = &self.events[link.event + 1..];
        !later.iter().any(|event| event.ends().contains(&link.kind)) && self.now < link.proof.until
    }
}

#[test]
fn a_link_works_exactly_until_the_table_says_that_it_ends() {
    let seen = RefCell::new(BTreeMap::new());
    let mut runner =
        TestRunner::new(Config { cases: 1_000, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&moves(), |moves| {
        let mut history = History::new();
        for step in moves {
            history.play(step);
            for link in &history.mailed {
                let works = history.account.decide(history.follow(link)).is_ok();
                prop_assert_eq!(
                    works,
                    history.should_work(link),
                    "{:?} after {:?}",
                    link.kind,
                    &history.events
                );
                *seen.borrow_mut().entry((link.kind.as_str(), works)).or_insert(0) += 1;
            }
        }
        Ok(())
    });
    if let Err(error) = ran {
        panic!("{error}");
    }
    // A control: links of each kind were met that worked, and that did not.
    let seen = seen.into_inner();
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert!(seen.values().all(|count| *count > 100), "{seen:?}");
}
