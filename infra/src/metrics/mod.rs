//! The metrics of a node: one registry, and a typed handle for each metric.

mod family;

use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Registry, TextEncoder,
};

use family::{COUNTS, Family, SECONDS, SHORT_SECONDS, Shape, families};

pub use prometheus::Error as MetricsError;

families! {
    /// HTTP requests answered.
    requests: IntCounterVec = "lethe_http_requests_total" ["route", "method", "status"],
    /// Time from the arrival of a request to the first byte of its response.
    request_seconds: HistogramVec = "lethe_http_request_duration_seconds" ["route", "method"] SECONDS,

    /// Appends, by outcome.
    appends: IntCounterVec = "lethe_appends_total" ["outcome"],
    /// Time from the call of an append to its result.
    append_seconds: Histogram = "lethe_append_duration_seconds" [] SHORT_SECONDS,
    /// Events committed to the log by this node.
    events: IntCounter = "lethe_events_appended_total" [],
    /// Events in one transaction of the log.
    transaction_events: Histogram = "lethe_append_transaction_events" [] COUNTS,
    /// Appends in one batch.
    batch_appends: Histogram = "lethe_append_batch_appends" [] COUNTS,
    /// Appends that expected another version of a stream than the current one.
    conflicts: IntCounter = "lethe_append_conflicts_total" [],
    /// Time that a batch waited for the log's lock.
    lock_wait_seconds: Histogram = "lethe_log_lock_wait_seconds" [] SHORT_SECONDS,
    /// The last position of the log that this node has seen.
    log_position: IntGauge = "lethe_log_position" [],
    /// 1 when a position is missing from the log: readers have stopped there.
    log_hole: IntGauge = "lethe_log_hole" [],
    /// 1 when an event of the log cannot be read: readers have stopped there.
    log_damaged: IntGauge = "lethe_log_damaged" [],
    /// 1 when the log lacks an event that this node knows: it went back, and the node serves nothing.
    log_went_back: IntGauge = "lethe_log_went_back" [],
    /// How often the log went back and a start has dealt with it.
    log_restores: IntGauge = "lethe_log_restores" [],
    /// For how long the newest event of the log was not compared or not written down; 0: it is.
    log_unwritten_seconds: Gauge = "lethe_log_unwritten_seconds" [],
    /// 0 while the server refuses what this node appends: a full disk, read-only, a right that is gone.
    log_writable: IntGauge = "lethe_log_writable" [],

    /// The last position that a reader has processed.
    reader_position: IntGaugeVec = "lethe_reader_position" ["reader", "version"],
    /// Events that a reader has not processed yet.
    reader_lag_events: IntGaugeVec = "lethe_reader_lag_events" ["reader", "version"],
    /// Age of the oldest event that a reader has not processed yet.
    reader_lag_seconds: GaugeVec = "lethe_reader_lag_seconds" ["reader", "version"],
    /// Streams that a reader has parked at an event that it cannot process.
    parked_streams: IntGaugeVec = "lethe_reader_parked_streams" ["reader", "version"],
    /// 1 while a projection that has read events has no table: what it shows is read from the log, stream by stream.
    reader_lacks_table: IntGaugeVec = "lethe_reader_lacks_table" ["reader", "version"],
    /// 1 while this node leaves a reader to newer nodes, because it came to an event that it does not know.
    reader_unknown_event: IntGaugeVec = "lethe_reader_unknown_event" ["reader", "version"],
    /// How often this node has started a reader again that stood still: the log had more for it.
    reader_restarts: IntCounterVec = "lethe_reader_restarts_total" ["reader", "version"],
    /// Statements that looked up rows of a projection and were given up after 2 seconds, by its reader.
    row_lookups_given_up: IntCounterVec = "lethe_row_lookups_given_up_total" ["reader", "version"],

    /// Generations of a projection that are written, by state: building, joined or kept.
    reader_generations: IntGaugeVec = "lethe_reader_generations" ["reader", "version", "state"],
    /// How far the generation is that a replay builds; 0: none is built.
    replay_position: IntGaugeVec = "lethe_replay_position" ["reader", "version"],
    /// How far it goes before it is joined; 0: none is built.
    replay_ceiling: IntGaugeVec = "lethe_replay_ceiling" ["reader", "version"],
    /// Generations that have failed within a day: none was built after it, or it had been built before it failed.
    replay_failed: IntGaugeVec = "lethe_replay_failed" ["reader", "version"],
    /// Bytes of a partition of the log, with its indexes.
    log_bytes: IntGaugeVec = "lethe_log_bytes" ["partition"],

    /// Erasures requested and not yet completed. At most 1,000 are counted.
    erasures_open: IntGauge = "lethe_erasures_open" [],
    /// Erasures of which the last turn has left rows: they go on at once.
    erasures_unfinished: IntGauge = "lethe_erasures_unfinished" [],
    /// Time since the oldest open erasure was requested.
    erasure_oldest_seconds: Gauge = "lethe_erasure_oldest_open_seconds" [],
    /// Open erasures on their 29th day or later. At most 1,000 are counted.
    erasures_overdue: IntGauge = "lethe_erasures_overdue" [],
    /// Erasures begun over a minute ago and not completed, by what they wait for. At most 64 are counted.
    erasures_waiting: IntGaugeVec = "lethe_erasures_waiting" ["reason"],

    /// Time since the completed erasure was requested whose backups have waited longest to be proven closed.
    erasure_unproven_seconds: Gauge = "lethe_erasure_oldest_unproven_seconds" [],

    /// Accounts that nobody has verified, by what was done: noticed, requested, or failed once more.
    unverified_accounts: IntCounterVec = "lethe_unverified_accounts_total" ["outcome"],

    /// Keys of the keyring, by state: live or destroyed. An estimate of PostgreSQL from 1,000 on.
    keys: IntGaugeVec = "lethe_keyring_keys" ["state"],
    /// Keys without a shard key, from before there were any. An estimate of PostgreSQL from 1,000 on.
    keys_under_roots: IntGauge = "lethe_keyring_keys_under_roots" [],
    /// Shard keys, by state: live or tainted. Those that are tainted are replaced when their root is.
    shard_keys: IntGaugeVec = "lethe_keyring_shard_keys" ["state"],
    /// Age of the root key that wraps the shard keys.
    root_age_seconds: Gauge = "lethe_keyring_root_age_seconds" [],
    /// 1 when this node cannot read a root key that it needs: it opens and seals nothing.
    roots_unusable: IntGauge = "lethe_keyring_roots_unusable" [],
    /// 1 when the place of the root keys does not answer this node: it goes on with those in its memory.
    roots_unreached: IntGauge = "lethe_keyring_roots_unreached" [],
    /// For how long the lease on keys in memory is not renewed: requests that need a key are refused; 0: it is.
    lease_lost_seconds: Gauge = "lethe_keyring_lease_lost_seconds" [],
    /// Old root keys that are not erased yet, by what they wait for.
    roots_held: IntGaugeVec = "lethe_keyring_roots_held" ["reason"],

    /// 1 when no old root key can be put into the escrow, or deleted there.
    escrow_unusable: IntGauge = "lethe_keyring_escrow_unusable" [],
    /// Old root keys that an escrow holds for an hour longer than it should.
    escrows_overdue: IntGauge = "lethe_keyring_escrows_overdue" [],

    /// How much of the last move of addresses to another key of the e-mail index is done, from 0 to 1.
    email_index_moved: Gauge = "lethe_email_index_moved_ratio" [],
    /// Reservations under erased keys, of a restored log, that the start of this node has looked at.
    addresses_restored: IntCounter = "lethe_addresses_restored_total" [],
    /// Accounts that could not be read when their address was moved. At most 10,000 are counted.
    addresses_unreadable: IntGauge = "lethe_addresses_unreadable" [],
    /// How long ago the copy of the keyring had every change; 0 where none is kept.
    copy_age_seconds: Gauge = "lethe_keyring_copy_age_seconds" [],

    /// Mails of the outbox, by state. At most 1,000 of each are counted.
    mails: IntGaugeVec = "lethe_mail_outbox" ["state"],
    /// Attempts to send a mail, by outcome.
    mails_handled: IntCounterVec = "lethe_mails_total" ["outcome"],

    /// Workspaces that nobody owns: nothing begins in them. At most 10,000 are counted.
    workspaces_restricted: IntGauge = "lethe_workspaces_restricted" [],

    /// Live seat leases. At most 10,000 are counted.
    seat_leases: IntGauge = "lethe_seat_leases" [],
    /// Requests for a seat, by outcome.
    seat_acquisitions: IntCounterVec = "lethe_seat_acquisitions_total" ["outcome"],
    /// Seat leases that this node expired.
    seat_expirations: IntCounter = "lethe_seat_leases_expired_total" [],

    /// Servers that this node watches.
    servers_watched: IntGauge = "lethe_servers_watched" [],
    /// Probes of watched servers, by outcome.
    server_probes: IntCounterVec = "lethe_server_probes_total" ["outcome"],
    /// What other nodes said of servers that this one does not reach: agreed, disagreed, or none in time.
    server_opinions: IntCounterVec = "lethe_server_opinions_total" ["outcome"],
    /// Servers that nobody watches any more, since they refused their credential. At most 10,000 are counted.
    watches_stopped: IntGauge = "lethe_watches_stopped" [],

    /// Attempts of runs that have not ended, by state. At most 1,000 of those that wait or are lost are counted.
    runs: IntGaugeVec = "lethe_runs" ["state"],
    /// Attempts of runs that have ended, by outcome.
    runs_ended: IntCounterVec = "lethe_runs_ended_total" ["outcome"],
    /// Age of the oldest run task that no node has claimed.
    run_queue_age_seconds: Gauge = "lethe_run_queue_age_seconds" [],
    /// Attempts that this node may work on at the same time.
    run_slots: IntGauge = "lethe_run_slots" [],
    /// How many more it may take. The last fifth is for workspaces and accounts that have no attempt at work.
    run_slots_free: IntGauge = "lethe_run_slots_free" [],
    /// Requests for runs that were refused, because as many tasks of the workspace wait as may.
    run_quotas_reached: IntCounter = "lethe_run_quotas_reached_total" [],
    /// Folders on servers that could not be removed yet when their attempts had ended. At most 10,000 are counted.
    run_leftovers: IntGauge = "lethe_run_leftovers" [],
    /// Attempts that were reported as lost, because their outcome is unknown.
    runs_lost: IntCounter = "lethe_runs_lost_total" [],
    /// Attempts that ended without a proof that no process of them is left.
    runs_unproven: IntCounter = "lethe_runs_unproven_total" [],
    /// Attempts whose processes were to be killed, and may be left. At most 2,000 are counted.
    run_kills_waiting: IntGauge = "lethe_run_kills_waiting" [],
    /// Running attempts that another node took over.
    runs_reattached: IntCounter = "lethe_runs_reattached_total" [],
    /// Bytes in the logs of attempts that have ended.
    run_log_bytes: IntCounter = "lethe_run_log_bytes_total" [],
    /// Logs that were cut because the logs of their workspace have what they may have in a day.
    run_log_quota_reached: IntCounter = "lethe_run_log_quota_reached_total" [],

    /// Open connections of a pool.
    pool_connections: IntGaugeVec = "lethe_pool_connections" ["pool"],
    /// Idle connections of a pool.
    pool_available: IntGaugeVec = "lethe_pool_available_connections" ["pool"],
    /// Callers that wait for a connection of a pool.
    pool_waiting: IntGaugeVec = "lethe_pool_waiting_callers" ["pool"],
    /// Callers that wait until their password is hashed.
    argon2_waiting: IntGaugeVec = "lethe_argon2_waiting_callers" ["queue"],

    /// API tokens that are refused, and could not be revoked in their workspace: each attempt is counted.
    token_revocations_failed: IntCounter = "lethe_token_revocations_failed_total" [],

    /// Runs of workers that have panicked.
    worker_panics: IntCounter = "lethe_worker_panics_total" [],

    /// How far a clock is from the time that Lethe uses; above 0: ahead of it.
    clock_skew_seconds: GaugeVec = "lethe_clock_skew_seconds" ["clock"],

    /// Always 1; the labels hold the version and the build profile.
    build: IntGaugeVec = "lethe_build_info" ["version", "profile"],
}

impl Metrics {
    /// The media type of `text`.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// A new registry, which also holds the metrics of the process.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        registry.register(Box::new(process))?;
        let metrics = Self::register(registry)?;
        let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
        metrics.build.with_label_values(&[env!("CARGO_PKG_VERSION"), profile]).set(1);
        Ok(metrics)
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Result<Vec<u8>, MetricsError> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metrics_doc_comment_is_its_help_text() {
        let metrics = Metrics::new().unwrap();
        metrics.appends.with_label_values(&["appended"]).inc();

        let text = String::from_utf8(metrics.text().unwrap()).unwrap();

        assert!(text.contains(
            "# HELP lethe_appends_total Appends, by outcome.\n\
             # TYPE lethe_appends_total counter\n\
             lethe_appends_total{outcome=\"appended\"} 1\n"
        ));
    }

    #[test]
    fn the_process_and_the_build_are_among_the_metrics() {
        let text = String::from_utf8(Metrics::new().unwrap().text().unwrap()).unwrap();

        assert!(text.contains("lethe_build_info{profile="));
        assert!(text.contains("process_resident_memory_bytes"));
        // An alert compares the two.
        assert!(text.contains("\nprocess_open_fds ") && text.contains("\nprocess_max_fds "));
    }
}
