//! What a newcomer looks for, and the path that the names lead to: a folder for a noun, a file for what
//! is done with it. Where a guess fails, move or rename the file instead of changing the guess.

use std::fs::read_to_string;

use super::tidy::{none, top};

/// A noun, and the line that defines it.
const NOUNS: &[(&str, &str, &str)] = &[
    ("account", "domain/src/account/mod.rs", "pub enum Account {"),
    ("workspace", "domain/src/workspace/mod.rs", "pub enum Workspace {"),
    ("session", "domain/src/session/mod.rs", "pub enum Session {"),
    ("server", "domain/src/server/mod.rs", "pub enum Server {"),
    ("run", "domain/src/run/mod.rs", "pub enum Run {"),
    ("lease of a seat", "domain/src/seat/mod.rs", "pub struct Lease {"),
    ("operator", "domain/src/operator/mod.rs", "pub enum Operator {"),
    ("role", "domain/src/workspace/role.rs", "pub enum Role {"),
    ("event of a run", "domain/src/run/event.rs", "RunEvent"),
    ("personal field", "domain/src/privacy/personal.rs", "pub enum Personal<"),
    ("clock", "infra/src/clock/mod.rs", "pub struct Clock("),
    ("executor", "infra/src/event_store/executor.rs", "pub struct Executor("),
    ("receipt", "infra/src/event_store/receipt.rs", "pub enum Receipt {"),
    ("sealer", "infra/src/keyring/sealer.rs", "pub struct Sealer {"),
    ("erasure ledger", "infra/src/keyring/erasure_ledger.rs", "pub struct ErasureLedger {"),
    ("projection", "infra/src/log/projection.rs", "pub trait Projection"),
    ("worker", "infra/src/log/worker.rs", "pub trait Worker"),
    ("leader lease", "infra/src/cluster/leader_lease/mod.rs", "pub struct LeaderLease {"),
    ("fair share", "infra/src/cluster/fair_share/mod.rs", "pub(crate) fn share("),
    ("outbox", "infra/src/outbox/mod.rs", "pub struct Outbox {"),
    ("run queue", "infra/src/run_queue/mod.rs", "pub struct RunQueue {"),
    ("problem", "services/src/api/http/problem.rs", "pub struct Problem("),
    ("metrics", "infra/src/metrics/mod.rs", "lethe_appends_total"),
];

/// A question, and a word of the answer.
const QUESTIONS: &[(&str, &str, &str)] = &[
    ("Where is a seat's lease renewed?", "infra/src/seats/renew.sql", "update working.seat_leases"),
    (
        "Where are seats' leases expired?",
        "services/src/operations/expire_leases.rs",
        "expire_leases",
    ),
    ("Which statement advances a checkpoint?", "infra/src/log/checkpoint/advance.sql", "position"),
    ("Which statement claims a run's task?", "infra/src/run_queue/claim.sql", "claim_run_tasks"),
    (
        "How is the queue fair between workspaces?",
        "migrations/functions/working/claim_run_tasks_fair.sql",
        "create",
    ),
    ("Where is a run's lease renewed?", "infra/src/run_queue/renew.sql", "lease_until"),
    ("Who gets a leader lease?", "infra/src/cluster/leader_lease/acquire.sql", "on conflict"),
    ("Which nodes live?", "infra/src/cluster/nodes/mod.rs", "working.live_nodes"),
    ("What does it mean that a node holds a row?", "infra/src/cluster/lease.rs", "lease_until"),
    ("Which readers does a node take?", "infra/src/log/owner/plan/mod.rs", "take"),
    ("What happens on POST /v1/accounts?", "services/src/api/accounts/register.rs", "/v1/accounts"),
    ("Who may invite?", "services/src/api/workspaces/invitations.rs", "Right::"),
    ("Which requests are limited?", "services/src/api/http/rate_limits.rs", "registration"),
    (
        "Where is a request known that came before?",
        "services/src/api/http/idempotency.rs",
        "HEADER",
    ),
    ("Where does Lethe start its own PostgreSQL?", "infra/src/postgres/private/mod.rs", "Cluster"),
    ("Which settings are there?", "services/src/config/settings.rs", "erasure_grace_days"),
    ("When must an erasure be complete?", "domain/src/privacy/deadlines.rs", "GDPR"),
    ("Which stages has an erasure?", "services/src/workers/eraser/stage.rs", "KeysErased"),
    ("Where are a subject's keys erased?", "infra/src/keyring/key_eraser.rs", "erase_subject"),
    ("How is the root key rotated?", "infra/src/keyring/root_rotation.rs", "rotate_when_due"),
    (
        "What does an append do in PostgreSQL?",
        "migrations/functions/event_log/append_guarded.sql",
        "insert",
    ),
    ("How long does a batch wait?", "infra/src/event_store/append/linger.rs", "DIVISOR_MAX"),
    ("Where are passwords hashed?", "infra/src/credentials/password_hash.rs", "Argon2"),
    ("What do mails say?", "services/src/workers/mailer/letters.rs", "Confirm your e-mail address"),
    ("Where is a run's secret masked?", "infra/src/run_log/mask.rs", "***"),
    ("Which addresses may a server have?", "infra/src/remote/egress/ranges.rs", "169, 254"),
    (
        "How are rows replaced in a replay?",
        "infra/src/log/generation/promote.rs",
        "create or replace view",
    ),
    (
        "Which columns has the table of servers?",
        "projections/src/servers/table.sql",
        "create table",
    ),
    ("When does an alert fire?", "infra/deploy/rules.yaml", "alert:"),
];

/// What a reader of `POST /v1/accounts` opens up to the row of its event, each file with the word in it
/// that leads to the next.
const WALK: &[(&str, &str)] = &[
    ("services/src/api/accounts/register.rs", "registration.execute("),
    ("services/src/operations/register.rs", "app.executor.execute("),
    ("infra/src/event_store/executor.rs", "appender.decide("),
    ("infra/src/event_store/decide.rs", "step.command.decide("),
    ("infra/src/event_store/step.rs", "state.decide("),
    ("domain/src/account/mod.rs", "AccountEvent::Registered"),
    ("infra/src/event_store/append/draft.rs", "rows::{Append,"),
    ("infra/src/event_store/append/queue.rs", "batcher"),
    ("infra/src/event_store/append/batcher.rs", "connection"),
    ("infra/src/event_store/append/batch.rs", "Append"),
    ("infra/src/event_store/append/connection.rs", "event_log.append_one_guarded("),
    ("migrations/functions/event_log/append_one_guarded.sql", "insert into event_log.events"),
];

#[test]
fn the_walk_from_a_request_to_its_row_is_short() {
    assert!(WALK.len() <= 12, "{} files", WALK.len());
    let broken = WALK.iter().filter_map(|(path, word)| {
        let text = read_to_string(top().join(path)).unwrap_or_default();
        (!text.contains(word)).then(|| format!("{path} does not lead on by `{word}`"))
    });
    none("the walk is broken", broken);
}

#[test]
fn the_path_that_a_newcomer_guesses_is_the_path() {
    assert!(NOUNS.len() >= 20 && QUESTIONS.len() >= 20);
    let wrong = NOUNS.iter().chain(QUESTIONS).filter_map(|(question, path, word)| {
        match read_to_string(top().join(path)) {
            Ok(text) if text.contains(word) => None,
            Ok(_) => Some(format!("{question} {path} does not hold `{word}`")),
            Err(error) => Some(format!("{question} {path}: {error}")),
        }
    });
    none("not where a newcomer looks", wrong);
}
