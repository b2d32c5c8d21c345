//! `lethe config`: the settings in force.

use super::terminal::say;
use crate::config::Config;

pub fn print(config: &Config) {
    let entries = config.entries();
    let widest = |length: fn(&(&str, String, &crate::config::Origin)) -> usize| {
        entries.iter().map(length).max().unwrap_or_default()
    };
    let (names, values) = (widest(|row| row.0.len()), widest(|row| row.1.len().min(48)));
    for (setting, value, origin) in &entries {
        say(format_args!("{setting:names$}  {value:values$}  {origin}"));
    }
}
