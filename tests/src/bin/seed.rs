//! `just seed 1000000`: fills the databases that the settings name, or the private ones.

use std::sync::Arc;
use std::time::Instant;

use infra::clock::Clock;
use infra::event_store::{Executor, ExecutorConfig};
use infra::ids::Ids;
use infra::metrics::Metrics;
use services::config::{Config, Flags};
use services::databases::Databases;
use services::wiring::{self, Creation};

fn main() {
    let events = std::env::args().nth(1).map_or(Ok(1_000_000), |events| events.parse());
    let events: i64 = events.expect("seed EVENTS");
    let config = Config::load(&Flags::default()).unwrap();
    // A server that is started ends with the thread that started it, so that is this one.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(seed(&config, events));
}

async fn seed(config: &Config, events: i64) {
    let databases = Databases::reach(config).await.unwrap();
    databases.migrate(false).await.unwrap();
    let pool = wiring::log_pool(config, &databases, None).await.unwrap();
    let keys = wiring::keyring_pool(config, &databases).await.unwrap();
    let keyring = wiring::keyring(config, keys, Clock::system(), Creation::All).await.unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let (options, direct) = (ExecutorConfig::default(), &databases.direct);
    let (sealer, macs) = (keyring.sealer.clone(), keyring.request_macs.clone());
    let executor = Executor::start(options, pool, direct, sealer, macs, metrics).await.unwrap();
    let started = Instant::now();
    let tell = move |appended: i64| {
        let rate = appended as f64 / started.elapsed().as_secs_f64();
        eprint!("\r{appended} of {events} events, {rate:.0} events/s ");
    };
    let appended = tests::seed::seed(&executor, &keyring, &Ids::system(), events, tell).await;
    eprintln!(
        "\r{appended} events in {:.0} s                    ",
        started.elapsed().as_secs_f64()
    );
    drop((executor, keyring));
    databases.close().await;
}
