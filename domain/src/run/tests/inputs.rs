//! What a run is given, and what a retry must be given again.

use std::collections::BTreeMap;

use cqrs_es::Aggregate;
use uuid::Uuid;

use super::{ADA, EXIT, ONE, Runs, command, dispatched, emits, ended, given, refuses, started};
use crate::privacy::{ClearVariables, Personal, RunEnvironment};
use crate::run::{Run, RunCommand, RunError, RunEvent};
use crate::{Event, RunSecretsId, TenantId};

const SECRETS: Option<RunSecretsId> = Some(RunSecretsId(Uuid::from_u128(21)));
const AGAIN: Option<RunSecretsId> = Some(RunSecretsId(Uuid::from_u128(22)));

fn with_secrets() -> RunEvent {
    RunEvent::Requested {
        work: command(),
        servers: vec![ONE],
        timeout_seconds: 60,
        secrets: SECRETS,
    }
}

fn names() -> RunEvent {
    let variables: BTreeMap<String, String> = [("TOKEN".to_owned(), "secret".to_owned())].into();
    let secrets = RunEnvironment::new(variables).unwrap();
    RunEvent::SecretNames { names: Personal::Clear(secrets.names()) }
}

fn environment() -> RunEvent {
    let variables: BTreeMap<String, String> = [("PORT".to_owned(), "80".to_owned())].into();
    let clear = ClearVariables::new(variables).unwrap();
    RunEvent::EnvironmentGiven { environment: Personal::Clear(clear) }
}

fn retry(secrets: Option<RunSecretsId>) -> RunCommand {
    RunCommand::Retry { servers: vec![], secrets }
}

#[test]
fn what_a_run_is_given_is_told_with_its_request() {
    let (
        RunEvent::SecretNames { names: called },
        RunEvent::EnvironmentGiven { environment: clear },
    ) = (names(), environment())
    else {
        panic!("they are what they say")
    };
    let requests = RunCommand::Request {
        work: command(),
        servers: vec![ONE],
        timeout_seconds: 60,
        secrets: SECRETS,
        secret_names: Some(called),
        environment: Some(clear),
    };
    Runs::with(()).given_no_previous_events().when(requests).then_expect_events(vec![
        with_secrets(),
        names(),
        environment(),
    ]);

    let mut run = Run::default();
    for event in [with_secrets(), names(), environment()] {
        run.apply(event);
    }
    let run = run.requested().unwrap();
    assert!(run.needs_secrets && run.secret_names.is_some() && run.environment.is_some());
}

#[test]
fn what_a_run_is_given_is_about_the_workspace() {
    let (tenant, run) = (TenantId(Uuid::from_u128(7)), Uuid::from_u128(8));
    for (mut event, name) in [(names(), "run.secret_names"), (environment(), "run.environment")] {
        let mut fields = vec![];
        let seen = event.visit_personal::<()>(tenant, run, &mut |about, field| {
            fields.push((about.0, field.declaration().name));
            Ok(())
        });
        assert_eq!((seen, fields), (Ok(()), vec![(tenant.0, name)]));
    }
}

#[test]
fn a_run_that_had_secrets_is_not_retried_without_them() {
    let failed = vec![with_secrets(), dispatched(1), started(1), ended(EXIT)];
    refuses(failed.clone(), retry(None), RunError::SecretsNeeded);
    let named = RunCommand::Retry { servers: vec![ONE], secrets: None };
    refuses(failed.clone(), named, RunError::SecretsNeeded);
    let retried = RunEvent::Retried { servers: vec![ONE], secrets: AGAIN };
    emits(failed.clone(), retry(AGAIN), vec![retried]);
    // Of a former version, which let it go on without them.
    let bare = RunEvent::Retried { servers: vec![ONE], secrets: None };
    let cancelled = RunEvent::CancelRequested { by: ADA };
    let over = [failed, vec![bare, cancelled, super::cancelled_in_queue(ONE, 2)]].concat();
    refuses(over, retry(None), RunError::SecretsNeeded);
}

#[test]
fn a_run_that_had_no_secrets_is_retried_with_some_and_without() {
    let failed = || given(&[dispatched(1), started(1), ended(EXIT)]);
    for secrets in [None, AGAIN] {
        let retried = RunEvent::Retried { servers: vec![ONE], secrets };
        emits(failed(), retry(secrets), vec![retried]);
    }
}
