//! kill -9 at every failpoint, under a load that reaches it: nothing that was answered is lost,
//! nothing is done twice, and nothing stays half done.

mod accounts;
mod batches;
pub mod checks;
mod crash;
mod email_index;
mod erasures;
mod keys;
mod load;
mod migrating;
mod plants;
mod requests;
pub mod runs;
mod seats;
mod sent;
mod unproven;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::process::Command;
use std::time::Instant;

use crash::Report;
use futures_util::FutureExt;
use tests::{Installation, Programme};

/// Every failpoint, as the programme itself lists them when it is given a name that it does not know.
async fn failpoints() -> BTreeSet<String> {
    let installation = Installation::private(&[("failpoint", "none")]).with_failpoints();
    let refused = installation.run(&["config"]).await;
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let line = String::from_utf8(refused.stderr).unwrap();
    let (_, names) = line.trim_end().split_once("no failpoint none: ").expect("a list of names");
    names.split(", ").map(str::to_owned).collect()
}

/// `None`: it has failed. The other groups go on, and say what they find.
async fn group(crash: impl Future<Output = Report>) -> Option<Report> {
    AssertUnwindSafe(crash).catch_unwind().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_failpoint_lethe_loses_and_repeats_nothing() {
    let _alone = tests::alone().await;
    let known = failpoints().await;

    let since = Instant::now();
    let (accounts, mails, batches, seats, runs, erasures, keys, email_index, migrating) = tokio::join!(
        group(accounts::crash()),
        group(accounts::crash_while_mailing()),
        group(batches::crash()),
        group(seats::crash()),
        group(runs::crash()),
        group(erasures::crash()),
        group(keys::crash()),
        group(email_index::crash()),
        group(migrating::crash()),
    );
    let groups = [accounts, mails, batches, seats, runs, erasures, keys, email_index, migrating];
    let mut all = Report::default();
    for report in groups {
        all.add(report.expect("a group has failed: its message is above"));
    }
    eprintln!("{all} in {:.0} s", since.elapsed().as_secs_f64());
    let killed: BTreeMap<String, u32> = all.kills;
    let missing: Vec<_> = known.iter().filter(|name| !killed.contains_key(*name)).collect();
    assert!(missing.is_empty(), "no load reaches {missing:?}: add a case");
}

#[tokio::test]
async fn a_failpoint_that_cannot_be_set_stops_the_start() {
    for (setting, what) in
        [("run.lunched", "no failpoint run.lunched"), ("run.launched:0", "a number")]
    {
        let installation = Installation::private(&[("failpoint", setting)]).with_failpoints();
        let refused = installation.run(&["serve"]).await;
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
        let line = String::from_utf8(refused.stderr).unwrap();
        assert!(line.contains(what), "{line}");
    }
}

/// Names alone do not tell: some are names of events, too.
#[test]
fn what_ships_has_no_failpoint() {
    for text in ["LETHE_FAILPOINT", "there is no failpoint", "batch.partly_answered"] {
        assert!(has(Programme::WithFailpoints, text), "{text} is not found where it must be");
        assert!(!has(Programme::Lethe, text), "{text} is in the programme that ships");
    }
}

fn has(programme: Programme, text: &str) -> bool {
    let found = Command::new("grep").args(["-qaF", text]).arg(programme.path()).status().unwrap();
    found.success()
}
