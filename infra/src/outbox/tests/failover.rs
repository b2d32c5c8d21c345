//! A failover that loses claims of mails, and no event.

use super::*;

impl Harness {
    /// From here on the database goes on with another history than was seen.
    async fn fails_over(&self) {
        let other = "update working.last_failover set history = 'another'";
        assert_eq!(self.pool.get().await.unwrap().execute(other, &[]).await.unwrap(), 1);
    }

    async fn give_up_in_doubt(&self) -> u64 {
        self.outbox.give_up_in_doubt().await.unwrap()
    }

    async fn note(&self) {
        note_failover(&self.pool.get().await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn what_was_due_at_a_failover_is_not_sent_by_smtp() {
    let given = given().await;
    given.note().await;
    let put_off = request();
    given.put(&put_off).await;
    let later = "update working.outbox set next_at = created_at + interval '1 hour'";
    given.pool.get().await.unwrap().execute(later, &[]).await.unwrap();
    given.put(&request()).await;

    given.fails_over().await;
    given.note().await;

    assert!(given.claim(NODE, Via::Smtp).await.is_empty(), "it is in doubt");
    assert_eq!(given.give_up_in_doubt().await, 1);
    assert_eq!(given.states().await, [("queued".to_owned(), 1), ("unknown".to_owned(), 1)]);
    given.clock.advance(TimeDelta::days(36500));
    let claimed = given.claim(NODE, Via::Smtp).await;
    assert_eq!(claimed.len(), 1, "what was put off had not gone");
    assert_eq!(claimed[0].request.cause, put_off.cause);
}

#[tokio::test]
async fn a_failover_that_a_sender_sees_first_counts_too() {
    let given = given().await;
    given.note().await;
    given.put(&request()).await;

    given.fails_over().await;

    assert_eq!(given.give_up_in_doubt().await, 1);
    assert_eq!(given.give_up_in_doubt().await, 0);
    given.put(&request()).await;
    assert_eq!(given.claim(NODE, Via::Smtp).await.len(), 1, "it was queued since");
}

#[tokio::test]
async fn what_was_queued_before_the_first_look_is_not_in_doubt() {
    let given = given().await;
    given.put(&request()).await;

    assert_eq!(given.give_up_in_doubt().await, 0);

    assert_eq!(given.claim(NODE, Via::Smtp).await.len(), 1);
}

#[tokio::test]
async fn a_mail_that_is_being_sent_at_a_failover_keeps_its_lease() {
    let given = given().await;
    given.note().await;
    given.put(&request()).await;
    let claimed = given.claim(NODE, Via::Smtp).await;

    given.fails_over().await;

    assert_eq!(given.give_up_in_doubt().await, 0);
    let marked = given.outbox.mark(&claimed[0], &SendOutcome::Accepted).await.unwrap();
    assert_eq!(marked, MarkOutcome::Sent);
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
    assert_eq!(given.give_up_in_doubt().await, 0, "its claim was not lost");
}
