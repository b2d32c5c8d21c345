//! What a person costs who is new: a stream of two events, and the first keys.

use tests::bench::{Goal, Table, in_turns};

use crate::callers::{Caller, come_for, sign_in_for};
use crate::harness::Harness;
use crate::seconds;

/// Against one event of somebody who is there already, in a young installation: most shards have no key yet.
pub async fn measure(harness: &Harness, table: &mut Table) {
    println!("new people");
    let node = harness.node("log").await;
    for callers in [1, 64] {
        let known = Caller::come_all(std::slice::from_ref(&node), &harness.ids, callers).await;
        let [new, known] = in_turns(async |who| match who {
            0 => come_for(&node, &harness.ids, callers, seconds(), &harness.meter).await,
            _ => sign_in_for(known.clone(), seconds(), &harness.meter).await,
        })
        .await;
        let what = format!("new people with two events: events of others, {callers} callers");
        table.row(&what, &new, &known, Goal::None, "");
    }
}
