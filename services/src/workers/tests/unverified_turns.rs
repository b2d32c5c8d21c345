//! What may come between the notices, the turns and the erasure of accounts that nobody verifies: mail servers, clocks,
//! tokens, settings, restores. The times are moved as in `unverified`.

use infra::mail::RefusalKind;

use super::super::after_restore::replay_ledger;
use super::super::mailer::Mailer;
use super::super::unverified::{AT_A_TURN, LOOKS_AT_A_TURN, UNVERIFIED_ACCOUNTS, UnverifiedSweep};
use super::unverified::{
    NOTICES, execute, execute_as_owner, given, pass, record_restore, register_somebody, turn, with,
};
use super::*;

async fn sweep(app: &App) {
    UnverifiedSweep::default().run(app.clone()).await.unwrap();
}

/// A notice that the mail server refuses: of which kind, is not read from the words.
async fn refused_notice(app: &App, refusal: Option<RefusalKind>) {
    sweep(app).await;
    let kind = refusal.map_or("null".to_owned(), |kind| format!("'{}'", kind.as_str()));
    let words = if refusal == Some(RefusalKind::Recipient) { "550" } else { "the recipient: 550" };
    let refused = format!(
        "update working.outbox set state = 'failed', via = 'smtp', refusal = {kind},
          trouble = '{words}', finished_at = created_at
        where kind = 'account_unverified' and state = 'queued'"
    );
    execute(app, &refused).await;
}

/// Somebody else's mail goes so long after the last notice.
async fn sent_to_another(app: &App, hours: i32) {
    let sent = format!(
        "insert into working.outbox (mail_id, cause, kind, tenant_id, subject_id, address, state, via,
          next_at, created_at, finished_at)
        select gen_random_uuid(), gen_random_uuid(), 'verification', gen_random_uuid(),
          gen_random_uuid(), '', 'sent', 'smtp', now(), now(), max(finished_at) + interval '{hours} hours'
        from working.outbox where kind = 'account_unverified'"
    );
    execute(app, &sent).await;
}

/// How many notices and requests there are after three notices that the server refused in this way, and where
/// another's mail went so many hours after each.
async fn after_three(refusal: Option<RefusalKind>, another: Option<i32>) -> (i64, i64) {
    let (harness, app) = given().await;
    register_somebody(&app).await;
    project(&app).await;
    pass(&harness, 31).await;
    for notices in 1..=3 {
        refused_notice(&app, refusal).await;
        assert_eq!(count(&app, NOTICES).await, notices);
        if let Some(hours) = another {
            sent_to_another(&app, hours).await;
        }
        pass(&harness, 8).await;
    }
    turn(&app).await
}

#[tokio::test]
async fn an_address_that_is_refused_three_times_is_erased() {
    assert_eq!(after_three(Some(RefusalKind::Recipient), Some(20)).await, (3, 1));
}

#[tokio::test]
async fn a_server_that_refuses_everybody_says_nothing_of_an_address() {
    assert_eq!(after_three(Some(RefusalKind::Recipient), None).await, (4, 0));
    assert_eq!(after_three(Some(RefusalKind::Recipient), Some(28)).await, (4, 0));
}

#[tokio::test]
async fn what_is_no_refusal_of_the_address_is_none() {
    // One of before the upgrade has no kind.
    for refusal in [Some(RefusalKind::Other), None] {
        assert_eq!(after_three(refusal, Some(20)).await, (4, 0), "{refusal:?}");
    }
}

#[tokio::test]
async fn the_next_notice_is_given_though_an_earlier_one_is_deleted() {
    let (harness, app) = given().await;
    register_somebody(&app).await;
    project(&app).await;
    pass(&harness, 31).await;
    for _ in 0..2 {
        refused_notice(&app, Some(RefusalKind::Other)).await;
        pass(&harness, 8).await;
    }
    let first = "delete from working.outbox where created_at =
        (select min(created_at) from working.outbox where kind = 'account_unverified')";
    execute(&app, first).await;
    assert_eq!(count(&app, NOTICES).await, 1);

    assert_eq!(turn(&app).await, (2, 0));
}

/// A notice of before the restore would not count.
#[tokio::test]
async fn nothing_is_given_while_the_clock_is_behind_that_of_a_restore() {
    let (harness, app) = given().await;
    for _ in 0..=AT_A_TURN {
        register_somebody(&app).await;
    }
    project(&app).await;
    pass(&harness, 31).await;
    record_restore(&app).await;
    project(&app).await;
    harness.clock.advance(-TimeDelta::seconds(5));
    assert_eq!(turn(&app).await, (0, 0));

    harness.clock.advance(TimeDelta::minutes(10));

    assert_eq!(turn(&app).await, (AT_A_TURN, 0));
    assert_eq!(turn(&app).await, (AT_A_TURN + 1, 0));
}

#[tokio::test]
async fn a_token_that_is_used_after_the_notice_begins_the_period_anew() {
    let (harness, app) = given().await;
    let app = with(&app, |config| config.unverified_accounts_days = 10);
    let ada = register(&app, "ada@example.org").await.account;
    let workspace = create_workspace(&app, ada).await;
    let (token, _) = issue(&app, ada, workspace).await;
    project(&app).await;
    pass(&harness, 11).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 2).await;

    let uses = format!(
        "update working.api_tokens set last_used_at = '{}' where token_id = '{}'",
        app.clock.now().to_rfc3339(),
        token.0
    );
    execute(&app, &uses).await;

    pass(&harness, 8).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 3).await;
    assert_eq!(turn(&app).await, (2, 0));
    pass(&harness, 8).await;
    assert_eq!(turn(&app).await, (2, 1));
}

#[tokio::test]
async fn nobody_is_erased_before_the_time_that_the_notice_says() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await.account;
    project(&app).await;
    pass(&harness, 31).await;
    let longer = with(&app, |config| config.erasure_grace_days_min = 3);
    assert_eq!(turn(&longer).await, (1, 0));
    pass(&harness, 8).await;

    assert_eq!(turn(&app).await, (1, 1));

    let entry = app.keyring.ledger.entry(ada.into()).await.unwrap().unwrap();
    assert_eq!(entry.due, app.clock.now() + TimeDelta::days(2));
}

#[tokio::test]
async fn those_that_stay_keep_no_other_waiting() {
    let (harness, app) = given().await;
    for _ in 0..=LOOKS_AT_A_TURN {
        register_somebody(&app).await;
    }
    project(&app).await;
    pass(&harness, 31).await;
    // As of accounts to which something has happened that the projection has not read.
    let others = |by: i8| {
        format!(
            "update read_models.accounts_v4 set version = version + {by} where account_id <> (
              select account_id from read_models.accounts_v4
              order by unverified_used_at desc, account_id desc limit 1)"
        )
    };
    execute_as_owner(&harness, &others(1)).await;
    let sweep = UnverifiedSweep::default();
    let noticed = async || {
        sweep.clone().run(app.clone()).await.unwrap();
        count(&app, NOTICES).await
    };

    assert_eq!(noticed().await, 0);
    assert_eq!(noticed().await, 1);

    execute_as_owner(&harness, &others(-1)).await;
    assert_eq!(noticed().await, 1 + AT_A_TURN, "it begins with the first again");
}

#[tokio::test]
async fn after_a_restore_the_request_is_nobodys_and_nobody_is_mailed_that_they_asked() {
    let (harness, app) = given().await;
    let ada = register(&app, "ada@example.org").await.account;
    let before = databases().await.unwrap();
    let restored = harness.node_with(app.transport.clone(), &before.log_url).await;
    register_as(&restored, ada, "ada@example.org").await;
    project(&app).await;
    pass(&harness, 31).await;
    assert_eq!(turn(&app).await, (1, 0));
    pass(&harness, 8).await;
    assert_eq!(turn(&app).await, (1, 1));
    harness.clock.advance(TimeDelta::minutes(2));

    assert_eq!(replay_ledger(&restored).await.unwrap(), 1);

    let log = log(&restored).await;
    let request = log.iter().find(|it| it.event_type() == "account.erasure_requested").unwrap();
    assert_eq!(request.actor(), Some(UNVERIFIED_ACCOUNTS));
    react(&restored, &Mailer::new(&restored, &Arc::default())).await.unwrap();
    let mailed = "select count(*) from working.outbox where kind = 'erasure_requested'";
    assert_eq!(count(&restored, mailed).await, 0);
}
