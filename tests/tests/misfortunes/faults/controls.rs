//! What each of the three questions asks for is planted, and found.

use std::time::Duration;

use serde_json::{Value, json};

use super::questions::{ShownState, Stop, Wait, doubles, lies, stuck};
use super::record::{Entry, Hundredths, Step};

/// How a run is shown, what is on record, and when the server was rebooted.
type Planted<'a> = (Value, &'a [(Hundredths, Step)], &'a [Hundredths]);

fn entry(at: Hundredths, task: &str, step: Step) -> Entry {
    Entry { at, group: "site".to_owned(), task: task.to_owned(), step }
}

/// A run that was requested at 100 and shown at 200, of an attempt that is named `t`. Somebody wanted it to end so.
fn shown(ending: Value) -> ShownState {
    let stop = match ending["kind"].as_str() {
        Some("cancelled") => Some(Stop::Cancel),
        Some("timed_out") => Some(Stop::Deadline),
        _ => None,
    };
    ShownState {
        fault: "a control".to_owned(),
        run: "r".to_owned(),
        task: "t".to_owned(),
        ending,
        settled: Value::Null,
        requested: 100,
        at: 200,
        stop,
    }
}

fn exit(code: u8) -> Value {
    json!({ "kind": "failed", "failure": { "kind": "exit", "code": code } })
}

fn lost(why: &str) -> Value {
    json!({ "kind": "lost", "why": why })
}

fn count_lies(state: &ShownState, own: &[(Hundredths, Step)], reboots: &[Hundredths]) -> usize {
    let others = [entry(110, "u", Step::Begin), entry(120, "u", Step::End(0))];
    let own = own.iter().map(|(at, step)| entry(*at, "t", *step));
    let entries: Vec<Entry> = own.chain(others).collect();
    lies(std::slice::from_ref(state), &entries, reboots).len()
}

#[test]
fn a_state_that_the_record_does_not_agree_with_is_a_lie() {
    let ended = |code| [(120, Step::Begin), (130, Step::Beat), (140, Step::End(code))];
    let begun = [(120, Step::Begin), (130, Step::Beat)];
    let goes_on = [(120, Step::Begin), (201, Step::Beat)];
    let failed = |failure: Value| json!({ "kind": "failed", "failure": failure });
    let not_started = || failed(json!({ "kind": "not_started", "obstacle": "host_key" }));
    let stopped = |kind: &str, proven: bool| json!({ "kind": kind, "proven": proven });
    let signal = failed(json!({ "kind": "signal", "number": 9 }));
    let truths: [Planted<'_>; 9] = [
        (json!({ "kind": "succeeded" }), &ended(0), &[]),
        (exit(7), &ended(7), &[]),
        (not_started(), &[], &[]),
        (stopped("cancelled", true), &begun, &[]),
        (stopped("timed_out", true), &begun, &[]),
        (stopped("cancelled", false), &goes_on, &[]),
        (lost("rebooted"), &begun, &[150]),
        (lost("unreachable"), &goes_on, &[]),
        (lost("unreachable"), &ended(0), &[]),
    ];
    for (ending, own, reboots) in truths {
        assert_eq!(count_lies(&shown(ending.clone()), own, reboots), 0, "{ending}: {own:?}");
    }
    let untruths: [Planted<'_>; 14] = [
        (json!({ "kind": "succeeded" }), &begun, &[]),
        (json!({ "kind": "succeeded" }), &ended(7), &[]),
        (json!({ "kind": "succeeded" }), &[], &[]),
        (exit(7), &ended(0), &[]),
        (exit(0), &ended(0), &[]),
        (exit(7), &begun, &[]),
        (signal, &begun, &[]),
        (not_started(), &begun, &[]),
        (stopped("cancelled", true), &goes_on, &[]),
        (stopped("timed_out", true), &goes_on, &[]),
        (lost("rebooted"), &begun, &[99, 201]),
        (lost("rebooted"), &goes_on, &[150]),
        (lost("vanished"), &begun, &[150]),
        (Value::Null, &begun, &[]),
    ];
    for (ending, own, reboots) in untruths {
        assert_eq!(count_lies(&shown(ending.clone()), own, reboots), 1, "{ending}: {own:?}");
    }
}

#[test]
fn what_nobody_has_asked_for_and_what_was_said_to_be_gone_is_a_lie() {
    let begun = [(120, Step::Begin)];
    for kind in ["cancelled", "timed_out"] {
        let ending = json!({ "kind": kind, "proven": true });
        let state = ShownState { stop: None, ..shown(ending) };
        assert_eq!(count_lies(&state, &begun, &[]), 1, "{kind}");
    }
    let goes_on = [(120, Step::Begin), (201, Step::Beat)];
    for (settled, count) in [("proven_gone", 1), ("given_up", 0)] {
        let state = ShownState { settled: settled.into(), ..shown(lost("unreachable")) };
        assert_eq!(count_lies(&state, &goes_on, &[]), count, "{settled}");
    }
}

#[test]
fn an_attempt_that_begins_twice_and_two_of_a_group_at_once_are_double() {
    let begin = |at, task| entry(at, task, Step::Begin);
    let end = |at, task| entry(at, task, Step::End(0));
    let one = [begin(100, "t1"), end(120, "t1")];
    let next = [begin(120, "t2"), end(140, "t2")];
    assert_eq!(doubles(&[one.clone(), next].concat()), [""; 0]);

    let twice = [&one[..], &[begin(130, "t1")]].concat();
    assert_eq!(doubles(&twice), ["t1 began 2 times"]);
    let beside = [&one[..], &[begin(119, "t2"), end(140, "t2")]].concat();
    assert_eq!(doubles(&beside), ["site: t1 beside t2"]);
    // It was killed, and has noted no end.
    let beats = [begin(100, "t1"), begin(110, "t2"), entry(111, "t1", Step::Beat), end(130, "t2")];
    assert_eq!(doubles(&beats), ["site: t1 beside t2"]);
    let elsewhere = Entry { group: "other".to_owned(), ..begin(110, "t3") };
    assert_eq!(doubles(&[&one[..], &[elsewhere]].concat()), [""; 0]);
}

#[test]
fn what_has_not_ended_or_too_late_is_stuck() {
    let wait =
        |ended| Wait { fault: "a control".to_owned(), run: "r".to_owned(), healed: 100, ended };
    let within = Duration::from_secs(2);

    assert_eq!(stuck(&[wait(Some(90)), wait(Some(300))], within), [""; 0]);
    assert_eq!(stuck(&[wait(None), wait(Some(300)), wait(Some(301))], within).len(), 2);
}
