//! `lethe replay`: builds a projection anew from the log, and says how far it is.

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use infra::ids::Ids;
use infra::log::watermark::Watermark;
use infra::log::{Progress, REPLAY_CONNECTIONS, Reader, ReplayOptions, replay};

use super::CliError;
use super::stop::Stop;
use super::terminal::{complain, say};
use crate::config::Config;
use crate::databases::Databases;
use crate::installation;
use crate::wiring::{self, Creation};

const BAR: &str = "{prefix} {wide_bar} {pos}/{len} {msg}";

#[derive(Args)]
pub struct ReplayArgs {
    #[arg(value_parser = named, help = format!("The projection to build again: {}", names()))]
    projection: Reader,
    /// Continue a replay that a crash has interrupted, if there is one; the code must be the same.
    #[arg(long)]
    resume: bool,
}

fn names() -> String {
    projections::all().iter().map(Reader::name).collect::<Vec<_>>().join(", ")
}

fn named(name: &str) -> Result<Reader, String> {
    projections::named(name).ok_or_else(|| format!("use one of {}", names()))
}

pub async fn run(config: &Config, args: ReplayArgs) -> Result<(), CliError> {
    let stop = Stop::on_signals()?;
    let databases = Databases::existing(config).await?;
    let replayed = play(config, &databases, &args.projection, args.resume, &stop).await;
    databases.close().await;
    replayed
}

async fn play(
    config: &Config,
    databases: &Databases,
    reader: &Reader,
    resume: bool,
    stop: &Stop,
) -> Result<(), CliError> {
    databases.check_schema().await?;
    installation::open(databases, Creation::Nothing).await?;
    let known = Watermark::default();
    let mut config = config.clone();
    config.pool_size = config.pool_size.max(REPLAY_CONNECTIONS);
    let pool = wiring::log_pool(&config, databases, Some(known.hook())).await?;
    let bar = bar(reader.name());
    let options = ReplayOptions { resume, ..ReplayOptions::of(Ids::system().uuid()) };
    let replayed = replay(&pool, reader, options, stop.watched(), |progress| show(&bar, progress));
    let replayed = replayed.await;
    bar.finish_and_clear();
    let replayed = replayed?;
    if resume && replayed.from == 0 {
        complain("there was no interrupted replay: the whole log was read");
    }
    let seconds = replayed.took.as_secs_f64();
    say(format_args!(
        "{}: {} events through position {} in {seconds:.1} s",
        reader.name(),
        replayed.events,
        replayed.through,
    ));
    if replayed.parked > 0 {
        say(format_args!("streams parked: {}; see /v1/admin/parked-streams", replayed.parked));
    }
    Ok(())
}

fn bar(name: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(BAR).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_prefix(name)
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(u64::try_from(progress.total).unwrap_or_default());
    bar.set_position(u64::try_from(progress.done).unwrap_or_default());
    let rate = format!("{:.0} events/s", progress.events_per_second);
    bar.set_message(match progress.left {
        Some(left) => format!("{rate}, {} s left", left.as_secs()),
        None => rate,
    });
}
