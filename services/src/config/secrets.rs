//! No output about the settings holds a password, however it is written.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::cli::lines_at_start;

const SECRET: &str = "S3cr";
const SETTINGS: [&str; 8] = [
    "database_url",
    "direct_url",
    "keyring_url",
    "smtp_url",
    "public_url",
    "cors_origins",
    "root_vault",
    "root_vault_token",
];

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

/// A password in every place that people put it, encoded and not.
fn values(password: &str) -> Vec<String> {
    let quoted = format!("'{}'", password.replace('\\', "\\\\").replace('\'', "\\'"));
    let mut values = vec![
        format!("host=localhost user=u password={quoted}"),
        format!("password = {quoted} host=localhost user=u"),
        format!("host=localhost user=u password={password}"),
        format!("host=localhost user=u password = {password} dbname=l"),
        format!("u:{password}@localhost"),
        format!("localhost password {password}"),
    ];
    for scheme in ["postgres", "postgresql", "smtp", "smtps", "https", "http", "mysql"] {
        for password in [password.to_owned(), percent_encoded(password)] {
            values.push(format!("{scheme}://u:{password}@localhost/d"));
            values.push(format!("{scheme}://u:{password}@localhost"));
            values.push(format!("{scheme}://:{password}@localhost:7/?x=y"));
            values.push(format!("{scheme}://u@localhost/d?password={password}"));
            values
                .push(format!("{scheme}://localhost?user=u&pass%77ord={password}&sslmode=disable"));
        }
    }
    values
}

/// What the programme says of these layers.
fn said(layers: &Layers) -> String {
    match Config::of(layers) {
        Ok(config) => format!("{:?}{config:?}{:?}", config.entries(), lines_at_start(&config)),
        Err(error) => format!("{error}{error:?}"),
    }
}

fn in_environment(setting: &str, value: &str) -> Layers {
    let variable = |setting: &str| format!("LETHE_{}", setting.to_uppercase());
    let mut environment = BTreeMap::from([(variable(setting), value.to_owned())]);
    if ["direct_url", "keyring_url"].contains(&setting) {
        environment.insert("DATABASE_URL".to_owned(), "postgres://u@localhost/l".to_owned());
    }
    if setting == "root_vault_token" {
        environment.insert(variable("root_vault"), "https://vault.example".to_owned());
    }
    Layers { environment, ..Layers::default() }
}

/// The file as somebody may have written it: right, without quotes, cut off, and so on.
fn files(setting: &str, value: &str) -> Vec<String> {
    let quoted = format!("{value:?}");
    vec![
        format!("{setting} = {quoted}\n"),
        format!("{setting} = {value}\n"),
        format!("{setting} {quoted}\n"),
        format!("{setting} = \"{value}\n"),
        format!("{setting} = '{value}'\n"),
        format!("{setting} = \"{value}\" # {value}\nlisten\n"),
        format!("{setting} = [{quoted}]\n"),
        format!("[{setting}]\npassword = {quoted}\n"),
        format!("{setting} = {quoted}\n{setting} = {quoted}\n"),
        format!("{quoted} = \"{setting}\"\n"),
        format!("{value} = \"{setting}\"\n"),
        format!("workers = {quoted}\n"),
        format!("listen = {quoted}\n"),
        format!("egress_allow = {quoted}\n"),
        format!("mail_from = {quoted}\nlog_format = {quoted}\n"),
        format!("log_format = {quoted}\n"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_output_about_the_settings_holds_a_password(
        start in "[ -~]{0,5}",
        end in "[ -~]{0,5}",
        setting in prop::sample::select(&SETTINGS[..]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lethe.toml");
        for value in values(&format!("{start}{SECRET}{end}")) {
            let shown = said(&in_environment(setting, &value));
            prop_assert!(!shown.contains(SECRET), "{setting}={value}: {shown}");
            for file in files(setting, &value) {
                std::fs::write(&path, &file).unwrap();
                let shown = match Layers::here(Some(path.clone()), BTreeMap::new()) {
                    Ok(layers) => said(&Layers { environment: BTreeMap::new(), ..layers }),
                    Err(error) => format!("{error}{error:?}"),
                };
                prop_assert!(!shown.contains(SECRET), "{file}: {shown}");
            }
        }
    }
}
