//! A failover that loses claims of mails, and no event.

use super::super::failover;
use super::*;

/// How nodes of the version before claimed.
const EARLIER_CLAIM: &str = "with due as (
      select mail_id from working.outbox
      where state = 'queued' and next_at <= $2 and not in_doubt
      order by next_at
      limit 2
      for update skip locked)
    update working.outbox o
    set state = 'sending', node = $1, via = 'smtp', fence = fence + 1, in_doubt = false,
      lease_until = clock_timestamp() + interval '1 minute', attempts = attempts + 1
    from due where o.mail_id = due.mail_id
    returning o.cause";
const FILL: &str = "insert into working.outbox
      (mail_id, cause, kind, tenant_id, subject_id, address, state, next_at, created_at, finished_at)
    select gen_random_uuid(), gen_random_uuid(), 'verification', gen_random_uuid(),
      gen_random_uuid(), '', $2::text, $3::timestamptz, $3, case when $2 = 'sent' then $3 end
    from generate_series(1, $1)";

impl Harness {
    /// From here on the database goes on with another history than was seen.
    async fn fails_over(&self) {
        let other = "update working.last_failover set history = 'another'";
        assert_eq!(self.pool.get().await.unwrap().execute(other, &[]).await.unwrap(), 1);
    }

    async fn note(&self) {
        failover::note_failover(&self.pool.get().await.unwrap()).await.unwrap();
    }

    /// The causes of the mails that are claimed, and how many others are given up.
    async fn claim_by_smtp(&self) -> (Vec<EventId>, u64) {
        let claim = self.outbox.claim(NODE, Via::Smtp, 10).await.unwrap();
        (claim.mails.iter().map(|mail| mail.request.cause).collect(), claim.given_up)
    }

    async fn put_off(&self, request: &MailRequest) {
        self.put(request).await;
        let later = "update working.outbox set next_at = created_at + interval '1 hour'
            where cause = $1";
        let client = self.pool.get().await.unwrap();
        assert_eq!(client.execute(later, &[&request.cause.0]).await.unwrap(), 1);
    }

    async fn fill(&self, mails: i32, state: &str) {
        let client = self.pool.get().await.unwrap();
        client.execute(FILL, &[&mails, &state, &self.clock.now()]).await.unwrap();
    }

    /// As the version before does it: the causes of the mails that it would send.
    async fn claim_as_before(&self) -> Vec<Uuid> {
        let client = self.pool.get().await.unwrap();
        let claimed = client.query(EARLIER_CLAIM, &[&OTHER, &self.clock.now()]).await.unwrap();
        claimed.iter().map(|row| row.get(0)).collect()
    }
}

#[tokio::test]
async fn what_was_due_at_a_failover_is_not_sent_by_smtp() {
    let given = given().await;
    given.note().await;
    let put_off = request();
    given.put_off(&put_off).await;
    given.put(&request()).await;

    given.fails_over().await;

    assert_eq!(given.claim_by_smtp().await, (vec![], 1));
    assert_eq!(given.states().await, [("queued".to_owned(), 1), ("unknown".to_owned(), 1)]);
    given.clock.advance(TimeDelta::days(36500));
    let claimed = given.claim_by_smtp().await;
    assert_eq!(claimed, (vec![put_off.cause], 0), "what was put off had not gone");
}

#[tokio::test]
async fn what_is_queued_after_a_failover_is_sent() {
    let given = given().await;
    given.note().await;
    given.put(&request()).await;
    given.fails_over().await;

    let since = request();
    given.put(&since).await;

    assert_eq!(given.claim_by_smtp().await, (vec![since.cause], 1));
    assert_eq!(given.claim_by_smtp().await, (vec![], 0));
}

#[tokio::test]
async fn a_long_outbox_is_given_up_in_pages_and_what_is_queued_since_does_not_wait() {
    let given = given().await;
    given.note().await;
    given.fill(2500, "queued").await;
    given.fails_over().await;
    let since = request();
    given.put(&since).await;

    let first = given.outbox.claim(NODE, Via::Smtp, 10).await.unwrap();

    assert_eq!((first.mails[0].request.cause, first.mails.len()), (since.cause, 1));
    assert_eq!((first.given_up, first.may_have_more), (1000, true));
    let second = given.outbox.claim(NODE, Via::Smtp, 10).await.unwrap();
    assert_eq!((second.mails.len(), second.given_up, second.may_have_more), (0, 1000, true));
    let third = given.outbox.claim(NODE, Via::Smtp, 10).await.unwrap();
    assert_eq!((third.mails.len(), third.given_up, third.may_have_more), (0, 500, false));
    assert_eq!(given.states().await, [("sending".to_owned(), 1), ("unknown".to_owned(), 2500)]);
}

#[tokio::test]
async fn a_page_reads_no_more_of_a_long_outbox() {
    let given = given().await;
    given.note().await;
    given.fill(20_000, "sent").await;
    given.fill(20_000, "queued").await;
    given.fails_over().await;
    given.note().await;
    let read = "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables
        where relname = 'outbox'";
    let mut client = given.pool.get().await.unwrap();
    let tx = client.transaction().await.unwrap();
    let before: i64 = tx.query_one(read, &[]).await.unwrap().get(0);

    let page = tx.query_one(failover::GIVE_UP, &[&given.clock.now(), &failover::AT_ONCE]).await;

    assert_eq!(page.unwrap().get::<_, i64>("given_up"), 1000);
    let read = tx.query_one(read, &[]).await.unwrap().get::<_, i64>(0) - before;
    assert!(read < 10_000, "{read} rows were read");
}

#[tokio::test]
async fn a_node_of_the_version_before_sends_nothing_that_is_in_doubt() {
    let given = given().await;
    given.note().await;
    let put_off = request();
    given.put_off(&put_off).await;
    for _ in 0..3 {
        given.put(&request()).await;
    }
    given.fails_over().await;
    let since = request();
    given.put(&since).await;

    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.extend(given.claim_as_before().await);
    }

    assert_eq!(sent, [since.cause.0], "nor does what it may not send keep it from others");
    given.clock.advance(TimeDelta::days(36500));
    assert_eq!(given.claim_as_before().await, [put_off.cause.0]);
    assert_eq!(given.states().await, [("sending".to_owned(), 2), ("unknown".to_owned(), 3)]);
}

#[tokio::test]
async fn what_was_queued_before_the_first_look_is_not_in_doubt() {
    let given = given().await;
    let request = request();
    given.put(&request).await;

    assert_eq!(given.claim_by_smtp().await, (vec![request.cause], 0));
}

#[tokio::test]
async fn a_mail_that_is_being_sent_at_a_failover_keeps_its_lease() {
    let given = given().await;
    given.note().await;
    let again = request();
    given.put(&again).await;
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;

    given.fails_over().await;

    assert_eq!(given.claim_by_smtp().await, (vec![], 0));
    let (refuses, accepts): (Vec<_>, Vec<_>) =
        claimed.iter().partition(|mail| mail.request.cause == again.cause);
    let marked = given.outbox.mark(accepts[0], &SendOutcome::Accepted).await.unwrap();
    assert_eq!(marked, MarkOutcome::Sent);
    let marked = given.outbox.mark(refuses[0], &refused()).await.unwrap();
    assert_eq!(marked, MarkOutcome::Again);
    given.clock.advance(backoff(1));
    let claimed = given.claim_by_smtp().await;
    assert_eq!(claimed, (vec![again.cause], 0), "it was put off since, and has not gone");
}

#[tokio::test]
async fn a_file_is_written_after_a_failover_too() {
    let given = given().await;
    given.note().await;
    given.put(&request()).await;

    given.fails_over().await;
    given.note().await;

    assert_eq!(given.claim(NODE, Via::Folder).await.len(), 1);
    given.end_leases().await;
    given.outbox.expire_leases().await.unwrap();
    let (claimed, given_up) = given.claim_by_smtp().await;
    assert_eq!((claimed.len(), given_up), (1, 0), "its claim was not lost");
}
