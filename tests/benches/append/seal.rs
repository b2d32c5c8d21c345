//! What sealing costs of an append.

use std::time::Instant;

use domain::account::AccountEvent;
use domain::privacy::{IpAddress, Personal, UserAgent};
use domain::{EventId, SessionId};
use tests::bench::{Goal, Run, Table, in_turns};

use crate::callers::{Caller, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("sealing");
    let log = harness.node("log").await;
    let one = Caller::come(&log, &harness.ids).await;
    let many = Caller::come_all(std::slice::from_ref(&log), &harness.ids, 64).await;
    let [one, many, sealing] = in_turns(async |who| match who {
        0 => sign_in_for(vec![one.clone()], seconds(), &harness.meter).await,
        1 => sign_in_for(many.clone(), seconds(), &harness.meter).await,
        _ => Run::of(seal_once_and_again(harness, &one).await),
    })
    .await;
    let micros = |each_second: f64| 1e6 / each_second;
    // The goal is a share of at most 10 %: here, an append is at least ten times its sealing.
    let note = "us an append, two fields sealed:";
    let one = one.map(micros);
    table.row("append over its sealing, 1 caller", &one, &sealing, Goal::AtLeast(10.0), note);
    // With every core at work: what an append costs of all of them.
    let cores = std::thread::available_parallelism().unwrap().get() as f64;
    let many = many.map(|each_second| micros(each_second) * cores);
    let note = "us of all cores:";
    table.row("append over its sealing, 64 callers", &many, &sealing, Goal::AtLeast(10.0), note);
}

/// Microseconds an event.
async fn seal_once_and_again(harness: &Harness, caller: &Caller) -> f64 {
    const TIMES: u32 = 20_000;
    let since = Instant::now();
    for _ in 0..TIMES {
        let mut event = AccountEvent::LoginSucceeded {
            session: SessionId(uuid::Uuid::nil()),
            ip: Personal::Clear(IpAddress([203, 0, 113, 7].into())),
            user_agent: Personal::Clear(UserAgent::cut("Mozilla/5.0 (X11; Linux x86_64)")),
        };
        let (account, id) = (caller.account, EventId(harness.ids.uuid()));
        let sealed =
            caller.node.keyring.sealer.seal(account.into(), account.0, id, &mut event).await;
        sealed.unwrap();
    }
    since.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES)
}
