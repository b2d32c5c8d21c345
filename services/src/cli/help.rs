//! `lethe help`: explains a subcommand by its own options, and the settings on a page of their own.

use std::fmt::Write;

use clap::{Args, Command, CommandFactory};

use super::terminal::say;
use super::{Cli, CliError};
use crate::config::Config;

/// What stands under the help of `lethe` itself.
pub const SEE_SETTINGS: &str = "Each setting can also be given as an option: see `lethe help \
                                settings`.";

const SETTINGS: &str = "settings";

#[derive(Args)]
pub struct HelpArgs {
    /// A subcommand such as `replay` or `token create`, or `settings`.
    topic: Vec<String>,
}

pub fn print(args: &HelpArgs) -> Result<(), CliError> {
    say(page(&args.topic)?.trim_end());
    Ok(())
}

fn page(topic: &[String]) -> Result<String, CliError> {
    if topic == [SETTINGS] {
        return Ok(settings());
    }
    let mut root = Cli::command();
    root.build();
    let mut command = &mut root;
    for name in topic {
        let known = subcommands(command);
        command = command.find_subcommand_mut(name).ok_or_else(|| {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            CliError::Input(format!(
                "there is no help for `{name}`: use one of {known}, or `lethe help {SETTINGS}`"
            ))
        })?;
    }
    Ok(command.render_long_help().to_string())
}

/// The names of what can stand after a command.
pub fn subcommands(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn settings() -> String {
    let mut page = "A setting is an option (--drain-seconds 5), a variable of the environment \
                    (LETHE_DRAIN_SECONDS=5),\nor a line of lethe.toml (drain_seconds = 5; --config \
                    FILE names another file). An option wins over\nthe environment, and the \
                    environment over the file. `lethe config` prints what is in force.\n\n"
        .to_owned();
    for (name, help) in Config::HELP {
        // Writing to a String does not fail.
        let _ = writeln!(page, "  --{:<30}{}", name.replace('_', "-"), help.trim());
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: &str) -> String {
        page(&topic.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_help_of_a_subcommand_shows_its_own_options_and_no_settings() {
        let help = of("replay");
        assert!(help.contains("--resume"), "{help}");
        assert!(!help.contains("--metrics-listen"), "{help}");
        assert!(of("token create").contains("--days"));
        assert!(!of("").contains("--metrics-listen"));
    }

    #[test]
    fn the_help_of_replay_names_every_projection() {
        let help = of("replay");
        for reader in projections::all() {
            assert!(help.contains(reader.name()), "{}: {help}", reader.name());
        }
    }

    #[test]
    fn every_setting_stands_under_help_settings() {
        let help = of("settings");
        for setting in Config::SETTINGS {
            assert!(help.contains(&format!("--{} ", setting.replace('_', "-"))), "{setting}");
        }
    }

    #[test]
    fn help_for_what_is_not_there_names_what_is() {
        let error = page(&["replays".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("`replays`") && error.contains("replay, token"), "{error}");
    }
}
