//! `lethe help`: explains a subcommand by its own options, and the settings on a page of their own.

use std::fmt::Write;

use clap::{Args, Command, CommandFactory};

use super::terminal::say;
use super::{Cli, CliError};
use crate::config::{Config, Layers};

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
    if let [first, rest @ ..] = topic
        && first == SETTINGS
    {
        return match rest {
            [] => Ok(settings()),
            [setting, ..] => Err(CliError::Input(format!(
                "there is no page for `{setting}` alone: `lethe help {SETTINGS}` has every setting"
            ))),
        };
    }
    let mut root = Cli::command();
    root.build();
    let mut command = &mut root;
    for name in topic {
        let (known, parent) = (subcommands(command), command.get_name().to_owned());
        command = command.find_subcommand_mut(name).ok_or_else(|| {
            CliError::Input(if known.is_empty() {
                format!("`{parent}` has no subcommands: use `lethe help {parent}`")
            } else {
                let known = known.join(", ");
                format!("there is no help for `{name}`: use one of {known}, or {SETTINGS}")
            })
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
                    environment over the file; what an image sets (LETHE_DEFAULTS names its\nfile) comes after them. \
                    `lethe config` prints what is in force.\n\n"
        .to_owned();
    let defaults = Config::of(&Layers::default());
    let defaults = defaults.as_ref().map(Config::entries).unwrap_or_default();
    for (name, help) in Config::HELP {
        let default = defaults.iter().find(|(setting, value, _)| setting == name && value != "-");
        let default = default.map(|(_, value, _)| format!(" [default: {value}]"));
        let (name, default) = (name.replace('_', "-"), default.unwrap_or_default());
        // Writing to a String does not fail.
        let _ = writeln!(page, "  --{name:<30}{}{default}", help.trim());
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
    fn help_for_settings_shows_their_defaults() {
        let help = of("settings");
        assert!(help.contains("[default: 127.0.0.1:8080]"), "{help}");
        assert!(!help.contains("[default: -]") && !help.contains("[default: ]"), "{help}");
    }

    #[test]
    fn help_for_a_process_that_serves_says_where_the_settings_are() {
        for subcommand in ["serve", "api", "work"] {
            assert!(of(subcommand).contains("lethe help settings"), "{subcommand}");
        }
    }

    #[test]
    fn help_for_what_is_not_there_names_what_is() {
        let refused = |topic: &str| {
            let topic = topic.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
            page(&topic).unwrap_err().to_string()
        };
        let error = refused("replays");
        assert!(error.contains("`replays`") && error.contains("replay, token"), "{error}");
        let below = refused("replay accounts");
        assert_eq!(below, "`replay` has no subcommands: use `lethe help replay`");
        let setting = refused("settings listen");
        assert!(
            setting.contains("`listen`") && setting.contains("lethe help settings"),
            "{setting}"
        );
    }
}
