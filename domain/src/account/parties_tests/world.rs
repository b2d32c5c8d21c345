//! An account, three mailboxes, and who holds what of it.

#![allow(clippy::wildcard_enum_match_arm, reason = "the events that matter here are few")]

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use uuid::Uuid;

use super::super::tests::{email, ip, noon, user_agent};
use super::super::{Account, AccountCommand, AccountEvent, Holding, Proof};
use super::moves::{Mailbox, Move, Party, Start};
use crate::privacy::{AccountEmail, PersonName, Personal};
use crate::{AggregateRoot, CredentialId, ProofId, SessionId};

/// A link that was mailed.
#[derive(Clone, Copy)]
struct Link {
    to: Mailbox,
    kind: Holding,
    proof: ProofId,
    /// Properties (b) and (c): from here on it may do nothing, whatever the table says.
    is_dead: bool,
}

#[derive(Clone)]
pub struct World {
    account: Account,
    now: DateTime<Utc>,
    last_id: u128,
    start: Start,
    links: Vec<Link>,
    /// Who knows which password.
    passwords: BTreeMap<CredentialId, Vec<Party>>,
    sessions: Vec<Party>,
    tokens: Vec<Party>,
}

impl World {
    pub fn new(start: Start) -> Self {
        let mut world = Self {
            account: Account::default(),
            now: noon(),
            last_id: 0,
            start,
            links: vec![],
            passwords: BTreeMap::new(),
            sessions: vec![],
            tokens: vec![],
        };
        let credential = world.credential(match start {
            Start::PasswordStolen => vec![Party::Owner, Party::Thief],
            Start::AddressTaken => vec![Party::Thief],
            Start::MailboxStolen => vec![Party::Owner],
        });
        let verification = world.proof();
        world.mail(Mailbox::First, Holding::Verification, verification.id);
        let registers = AccountCommand::Register {
            email: address_of(Mailbox::First),
            name: Personal::Clear(PersonName::parse("Ada Lovelace").unwrap()),
            username: None,
            credential,
            verification,
        };
        assert!(world.execute(registers, None));
        world
    }

    pub fn reads(&self, party: Party, mailbox: Mailbox) -> bool {
        match mailbox {
            Mailbox::First => party == Party::Owner || self.start == Start::MailboxStolen,
            Mailbox::Owners => party == Party::Owner,
            Mailbox::Thiefs => party == Party::Thief,
        }
    }

    /// The mailbox of the account.
    pub fn address(&self) -> Mailbox {
        let Account::Live(live) = &self.account else { panic!("the account is not live") };
        let all = [Mailbox::First, Mailbox::Owners, Mailbox::Thiefs];
        *all.iter().find(|mailbox| address_of(**mailbox) == live.email).unwrap()
    }

    pub fn may_cancel_erasure(&self) -> bool {
        let Account::Live(live) = &self.account else { return false };
        live.erasure.is_some_and(|erasure| self.now < erasure.due)
    }

    fn knows_password(&self, party: Party) -> bool {
        let Account::Live(live) = &self.account else { return false };
        self.passwords[&live.credential].contains(&party)
    }

    fn sign_in(&mut self, session: SessionId) -> bool {
        let Account::Live(live) = &self.account else { return false };
        let (credential, ip, user_agent) = (live.credential, ip(), user_agent());
        self.execute(AccountCommand::SucceedLogin { credential, session, ip, user_agent }, None)
    }

    /// A session or a token.
    pub fn way_by_session(&self, party: Party) -> Option<&'static str> {
        if self.sessions.contains(&party) {
            return Some("a session");
        }
        self.tokens.contains(&party).then_some("a token")
    }

    pub fn way_in(&self, party: Party) -> Option<&'static str> {
        if self.knows_password(party) {
            return Some("the password");
        }
        if self.reads(party, self.address()) {
            return Some("the address");
        }
        self.way_by_session(party)
    }

    /// Signs in first, if that is needed and possible.
    pub fn play_signed_in(&mut self, party: Party, step: Move) -> Result<bool, String> {
        if step.is_signed_in() && !self.sessions.contains(&party) {
            self.play(party, Move::SignIn)?;
        }
        self.play(party, step)
    }

    /// `false`: the party has not what the move needs, or it is refused, or it would change nothing.
    ///
    /// # Errors
    /// A link did something that must do nothing any more.
    pub fn play(&mut self, party: Party, step: Move) -> Result<bool, String> {
        if step.is_signed_in() && !self.sessions.contains(&party)
            || step.is_stepped_up() && !self.knows_password(party)
        {
            return Ok(false);
        }
        let (now, by) = (self.now, Some(party));
        Ok(match step {
            Move::FollowReset => return self.follow(party, Holding::PasswordReset),
            Move::FollowChange => return self.follow(party, Holding::EmailChange),
            Move::FollowVerification => return self.follow(party, Holding::Verification),
            Move::AskReset => {
                let (proof, to) = (self.proof(), self.address());
                let asked = self.execute(AccountCommand::RequestPasswordReset { proof }, None);
                asked && self.mail(to, Holding::PasswordReset, proof.id)
            }
            Move::AskChange => {
                let (proof, to) = (self.proof(), own(party));
                let email = address_of(to);
                let asks = AccountCommand::RequestEmailChange { email, verification: proof };
                to != self.address()
                    && self.execute(asks, by)
                    && self.mail(to, Holding::EmailChange, proof.id)
            }
            Move::CancelChange => self.execute(AccountCommand::CancelEmailChange, by),
            Move::ChangePassword => {
                let credential = self.credential(vec![party]);
                let keep_api_tokens = false;
                self.execute(AccountCommand::ChangePassword { credential, keep_api_tokens }, by)
            }
            Move::SignIn => {
                let session = SessionId(Uuid::from_u128(self.next_id()));
                let may = self.knows_password(party) && !self.sessions.contains(&party);
                let signed_in = may && self.sign_in(session);
                self.sessions.extend(signed_in.then_some(party));
                signed_in
            }
            Move::IssueToken => {
                let acts = self.account.decide(AccountCommand::Act { verified: false });
                let is_new = acts.is_ok() && !self.tokens.contains(&party);
                self.tokens.extend(is_new.then_some(party));
                is_new
            }
            // An account's tokens are its own, whoever issued them: it revokes each.
            Move::RevokeToken => self.tokens.pop().is_some(),
            Move::SignOutEverywhere => {
                self.execute(AccountCommand::EndSessions { keep_api_tokens: false }, by)
            }
            Move::AskErasure => {
                let due = now + TimeDelta::days(7);
                self.execute(AccountCommand::RequestErasure { now, due }, None)
            }
            Move::CancelErasure => self.execute(AccountCommand::CancelErasure { now }, by),
            Move::DayPasses => {
                self.now += TimeDelta::days(1);
                self.now < noon() + TimeDelta::days(6)
            }
        })
    }

    /// Tries every link of the kind that the party can read, also those that were used.
    fn follow(&mut self, party: Party, kind: Holding) -> Result<bool, String> {
        let now = self.now;
        for link in self.links.clone() {
            if link.kind != kind || !self.reads(party, link.to) {
                continue;
            }
            let proof = link.proof;
            let follows = match kind {
                Holding::Verification => AccountCommand::VerifyEmail { proof, now },
                Holding::EmailChange => AccountCommand::ConfirmEmailChange { proof, now },
                Holding::PasswordReset => {
                    let credential = self.credential(vec![party]);
                    AccountCommand::ResetPassword { proof, credential, now }
                }
                Holding::Sessions | Holding::ApiTokens => panic!("no link is mailed for it"),
            };
            if self.execute(follows, None) {
                if link.is_dead {
                    return Err(format!(
                        "{party:?} followed a link for {} that is over",
                        kind.as_str()
                    ));
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// `by`: whoever does it in a session, which a new password leaves open.
    fn execute(&mut self, command: AccountCommand, by: Option<Party>) -> bool {
        let Ok(events) = self.account.decide(command) else { return false };
        for event in events {
            let ended = event.ends();
            if ended.contains(&Holding::Sessions) {
                self.sessions.retain(|of| by == Some(*of));
            }
            if ended.contains(&Holding::ApiTokens) {
                self.tokens.clear();
            }
            self.account.apply(event.clone());
            match event {
                AccountEvent::PasswordChanged { .. } => {
                    let address = self.address();
                    self.links.iter_mut().for_each(|link| link.is_dead |= link.to != address);
                }
                AccountEvent::EmailChanged { .. } | AccountEvent::ErasureRequested { .. } => {
                    self.links.iter_mut().for_each(|link| link.is_dead = true);
                }
                _ => {}
            }
        }
        true
    }

    fn mail(&mut self, to: Mailbox, kind: Holding, proof: ProofId) -> bool {
        self.links.push(Link { to, kind, proof, is_dead: false });
        true
    }

    fn credential(&mut self, known_to: Vec<Party>) -> CredentialId {
        let credential = CredentialId(Uuid::from_u128(self.next_id()));
        self.passwords.insert(credential, known_to);
        credential
    }

    fn proof(&mut self) -> Proof {
        let id = ProofId(Uuid::from_u128(self.next_id()));
        Proof { id, until: self.now + TimeDelta::days(3) }
    }

    fn next_id(&mut self) -> u128 {
        self.last_id += 1;
        self.last_id
    }
}

/// Where a party has an address moved to.
const fn own(party: Party) -> Mailbox {
    match party {
        Party::Owner => Mailbox::Owners,
        Party::Thief => Mailbox::Thiefs,
    }
}

fn address_of(mailbox: Mailbox) -> Personal<AccountEmail> {
    email(match mailbox {
        Mailbox::First => "first@home.example",
        Mailbox::Owners => "ada@home.example",
        Mailbox::Thiefs => "thief@home.example",
    })
}
