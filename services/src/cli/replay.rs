//! `lethe replay`: builds a projection anew from the log, and says how far it is; or does what is left to do with
//! what it has built.

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use infra::build_id::Build;
use infra::ids::Ids;
use infra::log::watermark::Watermark;
use infra::log::{Progress, REPLAY_CONNECTIONS, Reader, ReplayOptions, Replayed, replay};
use infra::postgres::Pool;

use super::CliError;
use super::generations::{ActArgs, kept};
use super::stop::Stop;
use super::terminal::{complain, say};
use crate::config::{Config, REPLAY_KEEP_HOURS_MAX};
use crate::databases::Databases;
use crate::installation;
use crate::operations::change_generation::keep;
use crate::wiring::{self, Creation};

const BAR: &str = "{prefix} {wide_bar} {pos}/{len} {msg}";

#[derive(Args)]
pub struct ReplayArgs {
    #[arg(value_parser = named, help = format!("The projection to build again: {}", names()))]
    projection: Reader,
    /// Continue a replay that a crash has interrupted, if there is one; the programme must be the same.
    #[arg(long, conflicts_with = "act")]
    resume: bool,
    /// Leave it joined: it is written beside the one that is shown, until it is promoted or discarded.
    #[arg(long, conflicts_with = "act")]
    no_promote: bool,
    /// Hours for which the generation that was shown is kept; 0: it is dropped. By default `replay_keep_hours`.
    #[arg(
        long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(..=i64::from(REPLAY_KEEP_HOURS_MAX)),
        conflicts_with_all = ["no_promote", "list", "compare", "discard"]
    )]
    keep: Option<u32>,
    #[command(flatten)]
    act: ActArgs,
}

fn names() -> String {
    projections::all().iter().map(Reader::name).collect::<Vec<_>>().join(", ")
}

fn named(name: &str) -> Result<Reader, String> {
    projections::named(name).ok_or_else(|| format!("use one of {}", names()))
}

pub async fn run(config: &Config, args: ReplayArgs) -> Result<(), CliError> {
    // What is short needs no end of its own.
    let stop = if args.act.is_given() { None } else { Some(Stop::on_signals()?) };
    let databases = Databases::existing(config).await?;
    let done = on(config, &databases, &args, stop.as_ref()).await;
    databases.close().await;
    done
}

async fn on(
    config: &Config,
    databases: &Databases,
    args: &ReplayArgs,
    stop: Option<&Stop>,
) -> Result<(), CliError> {
    databases.check_schema().await?;
    installation::open(databases, Creation::Nothing).await?;
    let known = Watermark::default();
    let mut config = config.clone();
    config.pool_size = config.pool_size.max(REPLAY_CONNECTIONS);
    let pool = wiring::log_pool(&config, databases, Some(known.hook())).await?;
    let keep = keep(args.keep.unwrap_or(config.replay_keep_hours));
    let Some(stop) = stop else {
        return args.act.run(&pool, &args.projection, keep, &known).await;
    };
    let options = ReplayOptions {
        resume: args.resume,
        promote: !args.no_promote,
        keep,
        build: Build::of_this_programme().await?,
        ..ReplayOptions::of(Ids::system().uuid())
    };
    play(&pool, &args.projection, options, stop).await
}

async fn play(
    pool: &Pool,
    reader: &Reader,
    options: ReplayOptions,
    stop: &Stop,
) -> Result<(), CliError> {
    let bar = bar(reader.name());
    let replayed = replay(pool, reader, options, stop.watched(), |progress| show(&bar, progress));
    let replayed = replayed.await;
    bar.finish_and_clear();
    let replayed = replayed?;
    if options.resume && replayed.from == 0 {
        complain("there was no interrupted replay: the whole log was read");
    }
    let ends = if options.promote {
        format!("generation {} is live{}", replayed.generation, kept(pool, reader).await?)
    } else {
        let number = replayed.generation;
        format!("generation {number} is joined: compare it (--compare {number}), and --promote it")
    };
    say_replayed(reader.name(), &replayed, &ends);
    Ok(())
}

fn say_replayed(name: &str, replayed: &Replayed, ends: &str) {
    let seconds = replayed.took.as_secs_f64();
    say(format_args!(
        "{name}: {} events through position {} in {seconds:.1} s; {ends}",
        replayed.events, replayed.through,
    ));
    if replayed.parked > 0 {
        say(format_args!(
            "streams parked: {}; /v1/admin/parked-streams shows those of the live generation",
            replayed.parked
        ));
    }
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
