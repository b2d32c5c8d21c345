mod deployments;
mod host_keys;

use chrono::{DateTime, TimeDelta, Utc};
use cqrs_es::Aggregate;
use cqrs_es::test::{AggregateTestExecutor, TestFramework};
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    ConnectFailure, Credential, Failures, Fingerprint, HostKey, KeyAlgorithm, LiveServer, Server,
    ServerCommand, ServerError, ServerEvent, UnreachableThreshold,
};
use crate::privacy::{HostName, Label, LoginName, Personal, ServerHost, ServerUser};
use crate::{AggregateRoot, Event, ServerCredentialId, TenantId};

type Servers = TestFramework<Server>;

const KEY: Fingerprint = Fingerprint([1; 32]);
const OTHER: Fingerprint = Fingerprint([2; 32]);
const THIRD: Fingerprint = Fingerprint([3; 32]);
const ED25519: KeyAlgorithm = KeyAlgorithm::Ed25519;

fn noon() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn host(text: &str) -> Personal<ServerHost> {
    Personal::Clear(HostName::parse(text).unwrap())
}

fn user() -> Personal<ServerUser> {
    Personal::Clear(LoginName::parse("deploy").unwrap())
}

fn register() -> ServerCommand {
    let name = Personal::Clear(label("web"));
    ServerCommand::Register { name, host: host("web.example"), port: 22, user: user() }
}

fn registered() -> ServerEvent {
    let name = Personal::Clear(label("web"));
    ServerEvent::Registered { name, host: host("web.example"), port: 22, user: user() }
}

fn observe(fingerprint: Fingerprint) -> ServerCommand {
    ServerCommand::ObserveHostKey { algorithm: ED25519, fingerprint }
}

fn observed(fingerprint: Fingerprint) -> ServerEvent {
    ServerEvent::HostKeyObserved { algorithm: ED25519, fingerprint }
}

fn approve(fingerprint: Fingerprint) -> ServerCommand {
    ServerCommand::ApproveHostKey { fingerprint }
}

fn approved(fingerprint: Fingerprint) -> ServerEvent {
    ServerEvent::HostKeyApproved { fingerprint }
}

fn mismatched(seen: Fingerprint) -> ServerEvent {
    ServerEvent::HostKeyMismatched { approved: KEY, seen, algorithm: ED25519 }
}

fn credential(id: u128) -> Credential {
    let id = ServerCredentialId(Uuid::from_u128(id));
    Credential { id, algorithm: ED25519, fingerprint: THIRD }
}

fn attached() -> ServerEvent {
    let Credential { id: credential, algorithm, fingerprint } = credential(1);
    ServerEvent::CredentialAttached { credential, algorithm, fingerprint }
}

fn move_away() -> ServerCommand {
    ServerCommand::ChangeAddress { host: host("db.example"), port: 2222, user: user() }
}

fn moved() -> ServerEvent {
    ServerEvent::AddressChanged { host: host("db.example"), port: 2222, user: user() }
}

fn unreachable() -> ServerEvent {
    ServerEvent::Unreachable { cause: ConnectFailure::Tcp, failures: 4, since: noon() }
}

fn report(cause: ConnectFailure) -> ServerCommand {
    ServerCommand::ReportUnreachable { cause, failures: 4, since: noon() }
}

fn live(then: Vec<ServerEvent>) -> AggregateTestExecutor<Server> {
    Servers::with(()).given([vec![registered()], then].concat())
}

/// Approved, and with a credential.
fn usable(then: Vec<ServerEvent>) -> AggregateTestExecutor<Server> {
    live([vec![observed(KEY), approved(KEY), attached()], then].concat())
}

#[test]
fn a_server_is_registered_once() {
    Servers::with(())
        .given_no_previous_events()
        .when(register())
        .then_expect_events(vec![registered()]);
    live(vec![]).when(register()).then_expect_error(ServerError::AlreadyExists);
    live(vec![ServerEvent::Deleted {}])
        .when(register())
        .then_expect_error(ServerError::AlreadyExists);
}

#[test]
fn a_server_that_nobody_registered_or_somebody_removed_does_nothing() {
    for given in [vec![], vec![registered(), ServerEvent::Deleted {}]] {
        for command in [observe(KEY), approve(KEY), move_away(), ServerCommand::ReportReachable] {
            Servers::with(())
                .given(given.clone())
                .when(command)
                .then_expect_error(ServerError::Unknown);
        }
    }
    live(vec![ServerEvent::Deleted {}]).when(ServerCommand::Delete).then_expect_events(vec![]);
    live(vec![]).when(ServerCommand::Delete).then_expect_events(vec![ServerEvent::Deleted {}]);
}

#[test]
fn a_server_is_renamed() {
    let name = || Personal::Clear(label("web-1"));
    live(vec![])
        .when(ServerCommand::Rename { name: name() })
        .then_expect_events(vec![ServerEvent::Renamed { name: name() }]);
}

#[test]
fn only_the_key_that_was_observed_can_be_approved() {
    live(vec![]).when(approve(KEY)).then_expect_error(ServerError::NotObserved);
    live(vec![]).when(observe(KEY)).then_expect_events(vec![observed(KEY)]);
    live(vec![observed(KEY)]).when(approve(OTHER)).then_expect_error(ServerError::NotTheObserved);
    live(vec![observed(KEY)]).when(approve(KEY)).then_expect_events(vec![approved(KEY)]);
    usable(vec![]).when(approve(KEY)).then_expect_events(vec![]);
    usable(vec![]).when(approve(OTHER)).then_expect_error(ServerError::NotTheObserved);
}

#[test]
fn before_the_approval_the_latest_key_counts() {
    live(vec![observed(KEY)]).when(observe(KEY)).then_expect_events(vec![]);
    live(vec![observed(KEY)]).when(observe(OTHER)).then_expect_events(vec![observed(OTHER)]);
    live(vec![observed(KEY), observed(OTHER)])
        .when(approve(KEY))
        .then_expect_error(ServerError::NotTheObserved);
}

#[test]
fn another_key_than_the_approved_one_is_told_once_and_stops_everything() {
    usable(vec![]).when(observe(KEY)).then_expect_events(vec![]);
    usable(vec![]).when(observe(OTHER)).then_expect_events(vec![mismatched(OTHER)]);
    usable(vec![mismatched(OTHER)]).when(observe(OTHER)).then_expect_events(vec![]);
    usable(vec![mismatched(OTHER)])
        .when(observe(THIRD))
        .then_expect_events(vec![mismatched(THIRD)]);
    // The approved key shows again: nothing goes on before a person says so.
    usable(vec![mismatched(OTHER)]).when(observe(KEY)).then_expect_events(vec![]);
    assert!(!state(&[observed(KEY), approved(KEY), attached(), mismatched(OTHER)]).is_usable());
}

#[test]
fn a_person_ends_the_stop_by_approving_one_of_the_two_keys() {
    for fingerprint in [KEY, OTHER] {
        usable(vec![mismatched(OTHER)])
            .when(approve(fingerprint))
            .then_expect_events(vec![approved(fingerprint)]);
    }
    usable(vec![mismatched(OTHER)])
        .when(approve(THIRD))
        .then_expect_error(ServerError::NotTheObserved);
}

#[test]
fn a_new_address_drops_the_approval_and_the_key_is_observed_anew() {
    usable(vec![]).when(move_away()).then_expect_events(vec![moved()]);
    usable(vec![moved()]).when(approve(KEY)).then_expect_error(ServerError::NotObserved);
    usable(vec![moved()]).when(observe(OTHER)).then_expect_events(vec![observed(OTHER)]);
    let moved = state(&[observed(KEY), approved(KEY), attached(), moved()]);
    assert!(!moved.is_usable());
}

#[test]
fn a_second_credential_takes_the_place_of_the_first() {
    live(vec![])
        .when(ServerCommand::AttachCredential { credential: credential(1) })
        .then_expect_events(vec![attached()]);
    live(vec![attached()])
        .when(ServerCommand::AttachCredential { credential: credential(1) })
        .then_expect_events(vec![]);
    let Credential { id, algorithm, fingerprint } = credential(2);
    live(vec![attached()])
        .when(ServerCommand::AttachCredential { credential: credential(2) })
        .then_expect_events(vec![ServerEvent::CredentialRotated {
            credential: id,
            algorithm,
            fingerprint,
        }]);
}

#[test]
fn only_changes_of_reach_are_told() {
    usable(vec![])
        .when(ServerCommand::ReportReachable)
        .then_expect_events(vec![ServerEvent::Reachable {}]);
    usable(vec![ServerEvent::Reachable {}])
        .when(ServerCommand::ReportReachable)
        .then_expect_events(vec![]);
    usable(vec![ServerEvent::Reachable {}])
        .when(report(ConnectFailure::Tcp))
        .then_expect_events(vec![unreachable()]);
    usable(vec![unreachable()]).when(report(ConnectFailure::Command)).then_expect_events(vec![]);
    usable(vec![unreachable()])
        .when(ServerCommand::ReportReachable)
        .then_expect_events(vec![ServerEvent::Reachable {}]);
}

#[test]
fn what_was_measured_before_a_stop_or_a_move_says_nothing() {
    for given in [mismatched(OTHER), moved()] {
        usable(vec![given.clone()]).when(report(ConnectFailure::Tcp)).then_expect_events(vec![]);
        usable(vec![given]).when(ServerCommand::ReportReachable).then_expect_events(vec![]);
    }
    live(vec![observed(KEY), approved(KEY)])
        .when(ServerCommand::ReportReachable)
        .then_expect_events(vec![]);
}

#[test]
fn three_failures_over_ninety_seconds_exhaust_patience_and_nothing_less_does() {
    let threshold = UnreachableThreshold::default();
    let at = |seconds| noon() + TimeDelta::seconds(seconds);
    let mut failures = None;
    let exhausted: Vec<bool> = [0, 30, 60, 89, 90]
        .into_iter()
        .map(|seconds| {
            let more = Failures::more(failures, at(seconds));
            failures = Some(more);
            more.reach(threshold, at(seconds))
        })
        .collect();
    assert_eq!(exhausted, [false, false, false, false, true]);
    let twice = Failures::more(Some(Failures::more(None, at(0))), at(600));
    assert!(!twice.reach(threshold, at(600)), "two are not three, however long it takes");
}

#[test]
fn every_event_is_about_the_workspace() {
    let tenant = TenantId(Uuid::from_u128(7));
    for event in
        [registered(), observed(KEY), mismatched(OTHER), unreachable(), deployments::configured(1)]
    {
        assert_eq!(event.subject(tenant, Uuid::from_u128(8)).0, tenant.0);
    }
}

#[test]
fn a_fingerprint_is_shown_as_openssh_shows_it() {
    let text = "SHA256:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
    assert_eq!((KEY.to_string(), format!("{KEY:?}")), (text.to_owned(), text.to_owned()));
    assert_eq!(text.parse(), Ok(KEY));
}

fn state(events: &[ServerEvent]) -> LiveServer {
    let mut server = Server::default();
    server.apply(registered());
    for event in events {
        server.apply(event.clone());
    }
    server.live().unwrap().clone()
}

proptest! {
    /// The pin is always the key that a person approved last, and gone after a move or a mismatch.
    #[test]
    fn nothing_is_pinned_that_nobody_approved(
        steps in prop::collection::vec((0_u8..4, 0_u8..3), 0..40)
    ) {
        let mut server = Server::default();
        server.apply(registered());
        let (mut pinned, mut shown) = (None, Vec::new());
        for (what, which) in steps {
            let key = [KEY, OTHER, THIRD][usize::from(which)];
            let decided = server.decide(match what {
                0 => { shown.push(key); observe(key) }
                1 => approve(key),
                2 => move_away(),
                _ => report(ConnectFailure::Tcp),
            });
            for event in decided.unwrap_or_default() {
                if let ServerEvent::HostKeyApproved { fingerprint } = &event {
                    prop_assert!(shown.contains(fingerprint));
                    pinned = Some(*fingerprint);
                } else if let ServerEvent::AddressChanged { .. } = &event {
                    pinned = None;
                    shown.clear();
                } else if let ServerEvent::HostKeyMismatched { .. } = &event {
                    pinned = None;
                } else {
                    let observed = matches!(event, ServerEvent::HostKeyObserved { .. });
                    prop_assert!(observed);
                }
                server.apply(event);
            }
            let host_key = server.live().map(|live| live.host_key).unwrap();
            prop_assert_eq!(host_key.pinned().map(|key| key.fingerprint), pinned);
            if let HostKey::Mismatched { approved, seen } = host_key {
                prop_assert_ne!(approved, seen);
            }
        }
    }
}
