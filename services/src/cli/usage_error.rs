//! What is wrong with a command line, and what is possible instead: on one line.

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Error};

use super::Cli;
use super::help::subcommands;

const USAGE: &str = "Usage: ";

/// The message of clap has several lines, and the first alone may leave out the very name.
pub fn one_line(error: &Error) -> String {
    let text = error.to_string();
    let mut root = Cli::command();
    root.build();
    let (path, command) = command_of(&text, &root);
    let known = subcommands(command).join(", ");
    let is = |kind| error.kind() == kind;
    let reason = if is(ErrorKind::MissingSubcommand)
        || is(ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
    {
        format!("`{path}` needs a subcommand: {known}")
    } else if is(ErrorKind::InvalidSubcommand) {
        format!("{}; use one of {known}", complaint(&text))
    } else {
        complaint(&text)
    };
    format!("{reason} (see `{path} --help`)")
}

/// All that clap says before the usage, as one sentence.
fn complaint(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with(USAGE));
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

/// The subcommand that the usage in `text` is about, with its path.
fn command_of<'a>(text: &str, root: &'a Command) -> (String, &'a Command) {
    let usage = text.lines().find_map(|line| line.trim().strip_prefix(USAGE)).unwrap_or_default();
    let (mut path, mut command) = (root.get_name().to_owned(), root);
    for name in usage.split_whitespace().skip(1) {
        let Some(next) = command.find_subcommand(name) else { break };
        (path, command) = (format!("{path} {name}"), next);
    }
    (path, command)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn refused(line: &str) -> String {
        let error = Cli::try_parse_from(line.split_whitespace()).err().unwrap();
        let refused = one_line(&error);
        assert!(!refused.contains('\n'), "{refused}");
        refused
    }

    #[test]
    fn a_missing_argument_is_named() {
        let refused = refused("lethe replay");
        assert!(refused.contains("<PROJECTION>"), "{refused}");
        assert!(refused.contains("lethe replay --help"), "{refused}");
    }

    #[test]
    fn a_value_that_is_not_known_is_refused_with_those_that_are() {
        let scope = refused("lethe token create --scope all");
        assert!(scope.contains("'all'") && scope.contains("admin, audit"), "{scope}");
        let projection = refused("lethe replay account");
        assert!(projection.contains("accounts"), "{projection}");
    }

    #[test]
    fn a_subcommand_that_is_not_known_or_missing_is_refused_with_those_that_are() {
        let unknown = refused("lethe destroy");
        assert!(unknown.contains("'destroy'") && unknown.contains("serve, api"), "{unknown}");
        let missing = refused("lethe token");
        assert!(missing.contains("`lethe token` needs a subcommand: create, revoke"), "{missing}");
    }

    #[test]
    fn an_option_that_is_not_known_is_refused_with_the_one_that_is_near() {
        let refused = refused("lethe replay accounts --resum");
        assert!(refused.contains("'--resum'") && refused.contains("'--resume'"), "{refused}");
    }
}
