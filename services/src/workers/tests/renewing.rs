//! What a renewal of a seat's lease was decided on has moved when its row is written.

use domain::seat::{LimitCause, SeatCommand, SeatError};
use infra::seats::Renewal;
use test_support::{until, waiting_for_lock};

use super::seating::{leased, seat};
use super::*;
use crate::operations::lease_seat::SeatMember;

#[tokio::test]
async fn a_renewal_that_was_decided_before_the_limit_was_lowered_renews_nothing() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (of, ada, held) = leased(&app).await;
    let expiries = async || app.seats.expiries(of).await.unwrap();
    let (before, member) = (expiries().await, SeatMember { workspace: of, account: ada });
    let decided = app.executor.check(&[member.renews(held, 1)]).await.unwrap();

    seat(&app, of, SeatCommand::SetLimit { limit: 0, cause: LimitCause::Admin }).await;

    assert_eq!(app.seats.renew(held, 1, &decided).await.unwrap(), Renewal::Moved);
    assert_eq!(expiries().await, before);
    let refused = member.renew(&app, vec![], (held, 1)).await.map(drop).unwrap_err();
    assert_eq!(refused.to_string(), SeatError::LimitLowered.to_string());

    seat(&app, of, SeatCommand::SetLimit { limit: 5, cause: LimitCause::Admin }).await;

    assert_eq!(app.seats.renew(held, 1, &decided).await.unwrap(), Renewal::Moved);
    let renewed = member.renew(&app, vec![], (held, 1)).await.unwrap();
    assert_eq!(expiries().await, [(held, renewed.expires_at)]);
    assert_ne!(expiries().await, before);
    app.seats.delete(held).await.unwrap();
    let lost = member.renew(&app, vec![], (held, 1)).await.map(drop).unwrap_err();
    assert_eq!(lost.to_string(), SeatError::LeaseLost.to_string());
}

/// The limit is set after both were decided, and before their statements begin: they wait for the table.
#[tokio::test]
async fn a_renewal_that_meets_another_limit_is_decided_again_and_renews() {
    let harness = Harness::new().await;
    let app = harness.node().await;
    let (of, ada, held) = leased(&app).await;
    let member = SeatMember { workspace: of, account: ada };
    let decided = app.executor.check(&[member.renews(held, 1)]).await.unwrap();
    let owner = ConnectOptions::unlimited();
    let holder = connect_one(&harness.databases.log_url, &owner).await.unwrap();
    let watcher = connect_one(&harness.databases.log_url, &owner).await.unwrap();
    holder.batch_execute("begin; lock table working.seat_leases").await.unwrap();
    let set_limit = async {
        until("both wait", async || {
            waiting_for_lock(&watcher, "update working.seat_leases held").await.len() == 2
        })
        .await;
        seat(&app, of, SeatCommand::SetLimit { limit: 5, cause: LimitCause::Admin }).await;
        holder.batch_execute("rollback").await.unwrap();
    };

    let (once, renewed, ()) = tokio::join!(
        app.seats.renew(held, 1, &decided),
        member.renew(&app, vec![], (held, 1)),
        set_limit
    );

    assert_eq!(once.unwrap(), Renewal::Moved, "what is not decided again renews nothing");
    let renewed = renewed.unwrap();
    assert_eq!(app.seats.expiries(of).await.unwrap(), [(held, renewed.expires_at)]);
}
