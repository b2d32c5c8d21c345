use super::{
    ED25519, KEY, OTHER, THIRD, approve, approved, attached, live, mismatched, moved, noon,
    observe, observed, state, usable,
};
use crate::server::{
    ConnectFailure, Credential, Fingerprint, HostKey, KeyAlgorithm, LiveServer, PublicKey,
    ServerCommand, ServerError, ServerEvent, Watch,
};

const FOURTH: Fingerprint = Fingerprint([4; 32]);

fn key(fingerprint: Fingerprint) -> PublicKey {
    PublicKey { algorithm: ED25519, fingerprint }
}

fn announce(keys: &[Fingerprint]) -> ServerCommand {
    ServerCommand::AnnounceHostKeys { keys: keys.iter().copied().map(key).collect() }
}

fn announced(keys: &[Fingerprint]) -> ServerEvent {
    ServerEvent::HostKeysAnnounced { keys: keys.iter().copied().map(key).collect() }
}

fn stop() -> ServerCommand {
    let cause = ConnectFailure::Authentication;
    ServerCommand::StopWatch { cause, failures: 10, since: noon() }
}

fn stopped() -> ServerEvent {
    let cause = ConnectFailure::Authentication;
    ServerEvent::WatchStopped { cause, failures: 10, since: noon() }
}

/// Usable, and then.
fn after(then: &[ServerEvent]) -> LiveServer {
    let usable = [observed(KEY), approved(KEY), attached()];
    state(&[&usable[..], then].concat())
}

#[test]
fn an_approved_key_is_known_with_its_algorithm() {
    let rsa = ServerEvent::HostKeyObserved { algorithm: KeyAlgorithm::Rsa, fingerprint: KEY };
    let of_rsa = PublicKey { algorithm: KeyAlgorithm::Rsa, fingerprint: KEY };
    let approved_rsa = state(&[rsa.clone(), approved(KEY)]);
    assert_eq!(approved_rsa.host_key.pinned(), Some(of_rsa));
    let stopped = state(&[rsa.clone(), approved(KEY), mismatched(OTHER)]);
    let both = HostKey::Mismatched { approved: of_rsa, seen: key(OTHER) };
    assert_eq!(stopped.host_key, both);
    let one = state(&[rsa.clone(), approved(KEY), mismatched(OTHER), approved(KEY)]);
    assert_eq!(one.host_key.pinned(), Some(of_rsa));
    let other = state(&[rsa, approved(KEY), mismatched(OTHER), approved(OTHER)]);
    assert_eq!(other.host_key.pinned(), Some(key(OTHER)));
}

#[test]
fn what_no_event_has_seen_is_never_pinned() {
    assert_eq!(state(&[approved(KEY)]).host_key, HostKey::Unobserved);
    assert_eq!(state(&[observed(KEY), approved(OTHER)]).host_key.pinned(), None);
    assert_eq!(state(&[observed(KEY), mismatched(OTHER)]).host_key.pinned(), None);
}

#[test]
fn the_keys_that_a_server_announces_are_told_when_they_change() {
    usable(vec![]).when(announce(&[])).then_expect_events(vec![]);
    usable(vec![])
        .when(announce(&[THIRD, KEY, OTHER, THIRD]))
        .then_expect_events(vec![announced(&[OTHER, THIRD])]);
    usable(vec![announced(&[OTHER, THIRD])])
        .when(announce(&[OTHER, KEY, THIRD]))
        .then_expect_events(vec![]);
    usable(vec![announced(&[OTHER, THIRD])])
        .when(announce(&[KEY]))
        .then_expect_events(vec![announced(&[])]);
    let many: Vec<_> = (10..30).map(|byte| Fingerprint([byte; 32])).collect();
    usable(vec![])
        .when(announce(&many))
        .then_expect_events(vec![announced(&many[..LiveServer::PROPOSALS_MAX])]);
}

#[test]
fn a_server_without_an_approved_key_announces_nothing() {
    live(vec![]).when(announce(&[OTHER])).then_expect_events(vec![]);
    live(vec![observed(KEY)]).when(announce(&[OTHER])).then_expect_events(vec![]);
    usable(vec![mismatched(OTHER)]).when(announce(&[OTHER])).then_expect_events(vec![]);
}

#[test]
fn a_person_approves_an_announced_key_while_the_old_one_is_approved() {
    usable(vec![announced(&[OTHER, THIRD])])
        .when(approve(OTHER))
        .then_expect_events(vec![approved(OTHER)]);
    usable(vec![announced(&[OTHER])])
        .when(approve(FOURTH))
        .then_expect_error(ServerError::NotTheObserved);
    usable(vec![announced(&[THIRD]), mismatched(OTHER)])
        .when(approve(THIRD))
        .then_expect_error(ServerError::NotTheObserved);
    usable(vec![announced(&[OTHER]), moved()])
        .when(approve(OTHER))
        .then_expect_error(ServerError::NotObserved);
    // From then on the new one is pinned, and the old one is another key.
    let rotated = after(&[announced(&[OTHER, THIRD]), approved(OTHER)]);
    assert_eq!(rotated.host_key.pinned(), Some(key(OTHER)));
    assert_eq!(rotated.proposals, [key(THIRD)]);
    usable(vec![announced(&[OTHER]), approved(OTHER)]).when(observe(KEY)).then_expect_events(vec![
        ServerEvent::HostKeyMismatched { approved: OTHER, seen: KEY, algorithm: ED25519 },
    ]);
}

#[test]
fn what_another_machine_has_announced_is_not_approved_for_this_one() {
    let at_another_address = [announced(&[THIRD]), moved(), observed(KEY), approved(KEY)];
    let with_another_key = [announced(&[THIRD]), mismatched(OTHER), approved(OTHER)];
    for then in [&at_another_address[..], &with_another_key[..]] {
        assert!(after(then).proposals.is_empty(), "{then:?}");
        usable(then.to_vec()).when(approve(THIRD)).then_expect_error(ServerError::NotTheObserved);
    }
    // The key that was approved before shows that it is the same machine.
    let again = after(&[announced(&[THIRD]), mismatched(OTHER), approved(KEY)]);
    assert_eq!(again.proposals, [key(THIRD)]);
}

#[test]
fn a_server_may_be_another_machine_after_a_move_and_after_a_key_that_it_had_not_announced() {
    assert_eq!(after(&[]).moves, 0);
    assert_eq!(after(&[announced(&[OTHER]), approved(OTHER)]).moves, 0);
    assert_eq!(after(&[mismatched(OTHER), approved(KEY)]).moves, 0);
    assert_eq!(after(&[announced(&[OTHER]), mismatched(OTHER), approved(OTHER)]).moves, 0);
    assert_eq!(after(&[mismatched(OTHER), approved(OTHER)]).moves, 1);
    assert_eq!(after(&[moved()]).moves, 1);
    assert_eq!(after(&[moved(), observed(OTHER), approved(OTHER)]).moves, 1);
}

#[test]
fn what_a_key_has_announced_is_over_once_another_machines_key_is_approved() {
    let replaced = || vec![announced(&[THIRD]), mismatched(OTHER), approved(OTHER)];
    assert_eq!(after(&replaced()).host_key.pinned(), Some(key(OTHER)));
    assert!(after(&replaced()).proposals.is_empty());
    usable(replaced()).when(approve(THIRD)).then_expect_error(ServerError::NotTheObserved);
    // The one that was approved before, or one that it has announced, is of the same machine.
    let kept = after(&[announced(&[THIRD]), mismatched(OTHER), approved(KEY)]);
    assert_eq!(kept.proposals, [key(THIRD)]);
    let rotated = after(&[announced(&[OTHER, THIRD]), mismatched(OTHER), approved(OTHER)]);
    assert_eq!((rotated.proposals, rotated.moves), (vec![key(THIRD)], 0));
}

#[test]
fn a_watch_that_is_refused_stops_once_until_something_has_changed() {
    usable(vec![]).when(stop()).then_expect_events(vec![stopped()]);
    usable(vec![stopped()]).when(stop()).then_expect_events(vec![]);
    live(vec![observed(KEY), approved(KEY)]).when(stop()).then_expect_events(vec![]);
    usable(vec![mismatched(OTHER)]).when(stop()).then_expect_events(vec![]);
    usable(vec![ServerEvent::Reachable {}, stopped()])
        .when(ServerCommand::ReportReachable)
        .then_expect_events(vec![ServerEvent::Reachable {}]);

    let cause = ConnectFailure::Authentication;
    assert_eq!(after(&[stopped()]).watch, Watch::Stopped { cause, since: noon() });
    let Credential { id, algorithm, fingerprint } = super::credential(2);
    let rotated = ServerEvent::CredentialRotated { credential: id, algorithm, fingerprint };
    for change in [moved(), rotated, ServerEvent::Reachable {}] {
        assert_eq!(after(&[stopped(), change.clone()]).watch, Watch::On, "{change:?}");
    }
    let approved_anew = after(&[stopped(), mismatched(OTHER), approved(OTHER)]);
    assert_eq!(approved_anew.watch, Watch::On);
}
