//! What is wrong with a command line, and what is possible instead: on one line.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Error};

use super::Cli;
use super::help::subcommands;

const USAGE: &str = "Usage: ";

/// The message of clap has several lines, and the first alone may leave out the very name.
/// `arguments` are those that were refused, the programme's name first.
pub fn one_line(error: &Error, arguments: &[OsString]) -> String {
    let text = without_secrets(error.to_string(), arguments);
    let mut root = Cli::command();
    root.build();
    let (path, command) = command_of(&text, arguments, &root);
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

/// A URL with a password may stand at the wrong place of the command line: arguments are repeated only
/// where they are plain.
fn without_secrets(text: String, arguments: &[OsString]) -> String {
    let arguments = arguments.iter().skip(1).map(|argument| argument.to_string_lossy());
    let mut given: Vec<String> = arguments.map(std::borrow::Cow::into_owned).collect();
    let values: Vec<String> = given
        .iter()
        .filter_map(|argument| argument.split_once('='))
        .map(|(_, value)| value.to_owned())
        .collect();
    given.extend(values);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    given.retain(|argument| !argument.chars().all(is_plain));
    given.sort_by_key(|argument| std::cmp::Reverse(argument.len()));
    given.iter().fold(text, |text, argument| text.replace(argument.as_str(), "…"))
}

/// All that clap says before the usage, as one sentence.
fn complaint(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with(USAGE));
    let lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    let mut sentence = String::new();
    for line in lines {
        let ends = sentence.is_empty() || sentence.ends_with(':') || line.starts_with('[');
        let stop = if ends { " " } else { "; " };
        sentence.push_str(stop);
        sentence.push_str(line);
    }
    sentence.trim().trim_start_matches("error: ").to_owned()
}

/// The subcommand that the usage in `text` is about, with its path. An error about a value has no usage:
/// there it is the one that the arguments name.
fn command_of<'a>(text: &str, arguments: &[OsString], root: &'a Command) -> (String, &'a Command) {
    let usage = text.lines().find_map(|line| line.trim().strip_prefix(USAGE));
    let names: Vec<&str> = match usage {
        Some(usage) => usage.split_whitespace().skip(1).collect(),
        None => arguments.iter().skip(1).filter_map(|argument| argument.to_str()).collect(),
    };
    let (mut path, mut command) = (root.get_name().to_owned(), root);
    for name in names {
        if let Some(next) = command.find_subcommand(name) {
            (path, command) = (format!("{path} {name}"), next);
        }
    }
    (path, command)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn refused(line: &str) -> String {
        let arguments: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        let error = Cli::try_parse_from(&arguments).err().unwrap();
        let refused = one_line(&error, &arguments);
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
    fn a_value_of_another_form_is_refused_with_the_form_and_the_command() {
        for (line, said) in [
            ("lethe token create --days 0", "use a whole number from 1 to 3650"),
            (
                "lethe token create --name ada@example.org",
                "use 1 to 64 letters and digits of ASCII",
            ),
            ("lethe token revoke ada", "this is not the id of a token (a UUID)"),
            ("lethe erase ada --grace-days=7", "this is not an account id (a UUID)"),
        ] {
            let refused = refused(line);
            let command = line.rsplitn(3, ' ').last().unwrap();
            assert!(refused.contains(said), "{refused}");
            assert!(refused.contains(&format!("(see `{command}")), "{refused}");
        }
    }

    #[test]
    fn a_subcommand_that_is_not_known_or_missing_is_refused_with_those_that_are() {
        let unknown = refused("lethe destroy");
        assert!(unknown.contains("'destroy'") && unknown.contains("serve, api"), "{unknown}");
        let missing = refused("lethe token");
        let needed = "`lethe token` needs a subcommand: create, list, revoke";
        assert!(missing.contains(needed), "{missing}");
    }

    #[test]
    fn an_argument_that_may_hold_a_password_is_not_repeated() {
        for line in [
            "lethe postgres://u:S3cr@h/d",
            "lethe config postgres://u:S3cr@h/d",
            "lethe config --database-ur=postgres://u:S3cr@h/d",
            "lethe config --database-ur postgres://u:S3cr@h/d",
            "lethe config --password=a/S3cr",
            "lethe token create --days=u:S3cr@h",
            "lethe token revoke u:S3cr@h",
            "lethe replay u:S3cr@h",
        ] {
            assert!(!refused(line).contains("S3cr"), "{}", refused(line));
        }
    }

    #[test]
    fn an_option_that_is_not_known_is_refused_with_the_one_that_is_near() {
        let refused = refused("lethe replay accounts --resum");
        assert!(refused.contains("'--resum'") && refused.contains("'--resume'"), "{refused}");
        assert!(refused.contains("found; tip: "), "{refused}");
    }
}
