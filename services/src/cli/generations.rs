//! `lethe replay NAME --list` and what else is done with the generations that a replay has left.

#![allow(clippy::option_option, reason = "the outer one is whether the option is given")]

use clap::Args;
use infra::log::watermark::Watermark;
use infra::log::{
    Comparison, Differs, Generation, GenerationState, Keep, Reader, compare, discard, generations,
    promote, roll_back,
};
use infra::postgres::Pool;

use super::CliError;
use super::terminal::{count, say, seconds};

/// So many rows that differ are printed at most.
const NAMED_MAX: usize = 1000;

/// In place of a replay.
#[derive(Args)]
#[group(id = "act", multiple = false)]
pub struct ActArgs {
    /// List the generations, the newest first.
    #[arg(long)]
    list: bool,
    /// Say in which rows a generation differs from the one that is shown.
    #[arg(long, value_name = "GENERATION", value_parser = number)]
    compare: Option<i32>,
    /// Show a generation: the one that is joined, or this one, joined or kept.
    #[arg(long, value_name = "GENERATION", value_parser = number)]
    promote: Option<Option<i32>>,
    /// Show the kept generation again that was shown last.
    #[arg(long)]
    roll_back: bool,
    /// Drop a generation that is not shown.
    #[arg(long, value_name = "GENERATION", value_parser = number)]
    discard: Option<i32>,
}

fn number(text: &str) -> Result<i32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "use the number of a generation: `--list` shows them".to_owned())
}

impl ActArgs {
    pub const fn is_given(&self) -> bool {
        self.list
            || self.compare.is_some()
            || self.promote.is_some()
            || self.roll_back
            || self.discard.is_some()
    }

    /// Whether another generation is shown after it.
    pub const fn shows(&self) -> bool {
        self.promote.is_some() || self.roll_back
    }

    /// Does what is given. `keep` is for the generation that is shown no more.
    pub async fn run(
        &self,
        pool: &Pool,
        reader: &Reader,
        keep: Keep,
        known: &Watermark,
    ) -> Result<(), CliError> {
        if let Some(generation) = self.compare {
            say_comparison(&compare(pool, reader, generation, NAMED_MAX).await?);
        } else if let Some(generation) = self.discard {
            discard(pool, reader, generation).await?;
            say(format_args!("{}: generation {generation} is dropped", reader.name()));
        } else if self.shows() {
            let shown = match self.promote {
                Some(generation) => promote(pool, reader, generation, keep, known).await?,
                None => roll_back(pool, reader, keep, known).await?,
            };
            let kept = kept(pool, reader).await?;
            say(format_args!("{}: generation {} is live{kept}", reader.name(), shown.generation));
        } else {
            for generation in generations(pool, reader.name()).await? {
                say(line(&generation));
            }
        }
        Ok(())
    }
}

/// What is kept of this version, as the end of a sentence.
pub async fn kept(pool: &Pool, reader: &Reader) -> Result<String, CliError> {
    let own = generations(pool, reader.name()).await?.into_iter();
    let own = own.filter(|it| it.version == reader.version() && it.state == GenerationState::Kept);
    let kept = own.map(|it| {
        let until = it.keep_until.map(|until| format!(" until {}", seconds(until)));
        format!(", generation {} is kept{}", it.generation, until.unwrap_or_default())
    });
    Ok(kept.collect())
}

fn line(of: &Generation) -> String {
    let (name, version, number) = (&of.name, of.version, of.generation);
    let mut parts = vec![format!("{name} version {version} generation {number}")];
    parts.push(format!("{:<9}", of.state.as_str()));
    parts.push(match of.state {
        GenerationState::Building => format!("position {} of {}", of.position, of.ceiling),
        GenerationState::Requested
        | GenerationState::Joined
        | GenerationState::Live
        | GenerationState::Kept
        | GenerationState::Dropped
        | GenerationState::Cancelled
        | GenerationState::Failed => format!("position {}", of.position),
    });
    parts.push(format!("{} bytes", of.bytes));
    let times = [
        ("requested", Some(of.requested_at)),
        ("built", of.built_at),
        ("live", of.live_at),
        ("kept until", of.keep_until),
        ("ended", of.ended_at),
    ];
    let times = times.into_iter().filter_map(|(what, at)| Some((what, at?)));
    parts.extend(times.map(|(what, at)| format!("{what} {}", seconds(at))));
    if of.parked > 0 {
        parts.push(count(of.parked, "stream parked", "streams parked"));
    }
    parts.extend(of.error.clone());
    parts.join("  ")
}

fn say_comparison(comparison: &Comparison) {
    let Comparison { generation, live, position, rows: [live_rows, rows], .. } = comparison;
    for difference in &comparison.differing {
        let key = &difference.key;
        match &difference.is {
            Differs::Missing => say(format_args!("{key}: only generation {live} has it")),
            Differs::More => say(format_args!("{key}: only generation {generation} has it")),
            Differs::Changed { columns } => {
                say(format_args!("{key}: {} differ", columns.join(", ")));
            }
        }
    }
    let differing = comparison.differing.len();
    let end = if comparison.is_complete { "" } else { ", and the others were not compared" };
    say(format_args!(
        "generation {generation} ({rows} rows) and the live generation {live} ({live_rows} rows), both through \
         position {position}: {differing} rows differ{end}"
    ));
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Cli;

    fn fits(line: &str) -> bool {
        Cli::try_parse_from(["lethe", "replay"].into_iter().chain(line.split(' '))).is_ok()
    }

    #[test]
    fn one_thing_is_done_at_a_time() {
        for line in [
            "accounts --list",
            "accounts --compare 2",
            "accounts --promote",
            "accounts --promote 2 --keep 0",
            "accounts --roll-back --keep 48",
            "accounts --discard 2",
            "accounts --resume --no-promote",
            "accounts --keep 1",
        ] {
            assert!(fits(line), "{line}");
        }
        for line in [
            "accounts --list --promote",
            "accounts --roll-back --discard 2",
            "accounts --resume --list",
            "accounts --no-promote --promote 2",
            "accounts --no-promote --keep 1",
            "accounts --list --keep 1",
            "accounts --compare 2 --keep 1",
            "accounts --discard 2 --keep 1",
            "accounts --discard 0",
            "accounts --compare",
            "--list",
        ] {
            assert!(!fits(line), "{line}");
        }
    }
}
