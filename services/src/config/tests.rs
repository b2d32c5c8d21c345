//! Layers, origins, secrets and cross-checks.

use infra::postgres::DatabaseUrl;

use super::*;

mod descriptors;
mod files;
mod network;
mod places;

fn layers(file: &[(&str, &str)], environment: &[(&str, &str)]) -> Layers {
    let owned = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    Layers { environment: owned(environment), file: owned(file), ..Layers::default() }
}

fn refusal(file: &[(&str, &str)]) -> String {
    Config::of(&layers(file, &[])).unwrap_err().to_string()
}

#[test]
fn a_flag_wins_over_the_environment_over_the_file_over_the_default() {
    let mut layers = layers(&[("listen", "127.0.0.1:2")], &[]);
    assert_eq!(Config::of(&layers).unwrap().listen.port(), 2);

    layers.environment.insert("LETHE_LISTEN".to_owned(), "127.0.0.1:3".to_owned());
    assert_eq!(Config::of(&layers).unwrap().listen.port(), 3);

    layers.flags.insert("listen".to_owned(), "127.0.0.1:4".to_owned());
    let config = Config::of(&layers).unwrap();
    assert_eq!(config.listen.port(), 4);
    assert_eq!(config.origin("listen"), &Origin::Flag);
    assert_eq!(config.origin("metrics_listen"), &Origin::Default);
}

#[test]
fn what_an_image_sets_comes_after_every_file_and_before_the_default() {
    let mut layers = layers(&[("listen", "127.0.0.1:2")], &[]);
    let image = [("listen", "0.0.0.0:8080"), ("drain_seconds", "7")];
    layers.defaults = image.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    layers.defaults_path = "/image.toml".into();

    let config = Config::of(&layers).unwrap();

    assert_eq!((config.listen.port(), config.drain_seconds), (2, 7));
    assert_eq!(config.origin("drain_seconds"), &Origin::Image("/image.toml".into()));
    layers.defaults.insert("listne".to_owned(), String::new());
    let unknown = Config::of(&layers).unwrap_err().to_string();
    assert!(unknown.starts_with("listne: there is no such") && unknown.contains("/image.toml"));
}

#[test]
fn the_databases_url_goes_by_its_common_name_too() {
    let url = "postgres://me:secret@localhost/lethe";
    let config = Config::of(&layers(&[], &[("DATABASE_URL", url)])).unwrap();

    assert_eq!(config.database_url.unwrap(), url.parse().unwrap());
}

#[test]
fn a_bad_setting_is_refused_by_name_on_one_line() {
    assert_eq!(
        refusal(&[("drain_seconds", "soon")]),
        "drain_seconds: `soon` is not a whole number from 0 to 4294967295 (file )"
    );
    let unknown = refusal(&[("listne", "127.0.0.1:1")]);
    assert!(unknown.starts_with("listne: there is no such setting: use listen, or"), "{unknown}");
}

#[test]
fn a_variable_that_is_no_setting_is_refused_with_the_nearest_name() {
    let refused = |variable: &str| {
        Config::of(&layers(&[], &[(variable, "5")])).map(drop).map_err(|error| error.to_string())
    };
    let near = refused("LETHE_DRAIN_SECOND").unwrap_err();
    let said = "LETHE_DRAIN_SECOND: there is no such setting: use LETHE_DRAIN_SECONDS, or";
    assert!(near.starts_with(said), "{near}");
    let far = refused("LETHE_FROBNICATE").unwrap_err();
    assert!(far.contains("setting: see `lethe help settings`"), "{far}");
    assert!(refused("LETHE_listen").is_err());
    for others in
        ["LETHE_DEFAULTS", "LETHE_RUN", "LETHE_PORT_8080_TCP", "LETHE_SERVICE_HOST", "LETHEAN"]
    {
        assert_eq!(refused(others), Ok(()), "{others}");
    }
}

#[test]
fn a_variable_that_kubernetes_makes_for_a_service_is_no_setting() {
    let of = |variable: &str| Config::of(&layers(&[], &[(variable, "5")])).map(drop);
    for service in ["LETHE", "LETHE_API", "LETHE_POSTGRES"] {
        for made in [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "SERVICE_PORT_HTTP_ALT",
            "PORT",
            "PORT_8080_TCP",
            "PORT_8080_TCP_PROTO",
            "PORT_8080_TCP_PORT",
            "PORT_8080_TCP_ADDR",
            "PORT_53_UDP",
            "PORT_9_SCTP_ADDR",
        ] {
            let variable = format!("{service}_{made}");
            assert!(of(&variable).is_ok(), "{variable}");
        }
    }
    for meant in [
        "LETHE_API_PORTS",
        "LETHE_EXPORT",
        "LETHE_API_PORT_TCP",
        "LETHE_API_PORT_8080",
        "LETHE_API_PORT_8080_QUIC",
        "LETHE_API_PORT_8080_TCP_NAME",
        "LETHE_API_PORT__TCP",
        "LETHE_DRAIN_SERVICE",
    ] {
        assert!(of(meant).is_err(), "{meant}");
    }
}

#[test]
fn the_time_for_which_an_old_root_is_kept_counts_towards_the_planned_days() {
    let settings = |hours| [("erasure_grace_days", "20"), ("root_retention_hours", hours)];
    Config::of(&layers(&settings("24"), &[])).unwrap();
    let refused = refusal(&settings("25"));
    assert!(
        refused.starts_with("erasure_grace_days: 20 days of grace, 7 of escrow and 3 until"),
        "{refused}"
    );
    assert!(refused.contains("are 30 days: use at most 29 in all"), "{refused}");
}

#[test]
fn what_a_start_would_refuse_later_is_refused_as_a_setting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for (setting, value) in [
        ("escrow_recipient", "foo"),
        ("mail_from", "x y z"),
        ("smtp_url", "smtp://h:70000"),
        ("data_dir", file.path().to_str().unwrap()),
        ("metrics_listen", "127.0.0.1:8080"),
    ] {
        let refused = refusal(&[(setting, value)]);
        assert!(refused.starts_with(&format!("{setting}: ")), "{refused}");
    }
}

#[test]
fn an_erasure_must_reach_the_backups_within_29_days() {
    assert!(Config::of(&layers(&[("erasure_grace_days", "20")], &[])).is_ok());
    assert!(refusal(&[("erasure_grace_days", "21")]).starts_with("erasure_grace_days: "));
}

#[test]
fn the_root_keys_are_in_one_place_whose_token_is_in_one_place() {
    let vault = ("root_vault", "https://vault.example:8200");
    let token = ("root_vault_token", "hvs.abc");
    let file = ("root_vault_token_file", "/run/vault/token");
    assert!(refusal(&[vault]).starts_with("root_vault: needs root_vault_token_file"));
    assert!(refusal(&[vault, token, file]).starts_with("root_vault_token: "));
    assert!(
        refusal(&[vault, token, ("root_dir", "/srv/roots")]).starts_with("root_vault: the root")
    );
    for idle in [token, file, ("root_vault_ca", "/etc/vault.pem")] {
        assert!(refusal(&[idle]).contains("is of no use without root_vault"));
    }
    let clear = ("root_vault", "http://vault.example:8200");
    assert!(refusal(&[clear, token]).starts_with("root_vault: TLS is required"));
    assert!(
        refusal(&[vault, token, ("root_vault_mount", "/transit")]).starts_with("root_vault_mount")
    );
    let config = Config::of(&layers(&[vault, token], &[])).unwrap();
    let shown =
        config.entries().into_iter().find(|(name, ..)| *name == "root_vault_token").unwrap();
    assert_eq!(shown.1, "<token>");
}

#[test]
fn beyond_loopback_everything_is_encrypted() {
    let plain = "postgres://db.example/lethe?sslmode=disable";
    assert!(refusal(&[("database_url", plain)]).contains("TLS is required"));
    let encrypted = "postgres://db.example/lethe";
    assert!(Config::of(&layers(&[("database_url", encrypted)], &[])).is_ok());
    assert!(refusal(&[("public_url", "http://lethe.example")]).starts_with("public_url: "));
    assert!(refusal(&[("smtp_url", "http://mail.example")]).starts_with("smtp_url: "));
}

#[test]
fn the_keyring_is_a_database_beside_the_events() {
    for (events, keyring) in [
        ("postgres://me@localhost/lethe", "postgres://me@localhost:5432/lethe_keys"),
        ("postgres://me:a?b@localhost?sslmode=disable", "postgres://me@localhost:5432/me_keys"),
        ("host=/run/pg user=me dbname=lethe", "postgres://me@%2Frun%2Fpg/lethe_keys"),
    ] {
        let config = Config::of(&layers(&[("database_url", events)], &[])).unwrap();
        let events: DatabaseUrl = events.parse().unwrap();
        let url = config.keyring_url.clone().unwrap();

        assert_eq!(url, events.with_database(url.database().unwrap()));
        assert_eq!(url.to_string(), keyring);
        assert_eq!(config.origin("keyring_url"), &Origin::Default);
    }
}

#[test]
fn every_setting_has_bounds() {
    let local = "postgres://me@localhost/lethe";
    let counts = [
        ("pool_size", "1", "2"),
        ("session_idle_minutes", "0", "1"),
        ("session_absolute_days", "0", "1"),
        ("address_requests_per_second", "0", "1"),
        ("account_requests_per_second", "0", "1"),
        ("operator_requests_per_second", "0", "1"),
        ("sign_ins_per_minute", "0", "1"),
        ("registrations_per_hour", "0", "1"),
        ("mails_per_hour", "0", "1"),
        ("checks_per_minute", "0", "1"),
        ("ssh_connect_seconds", "0", "1"),
        ("sample_days", "0", "1"),
        ("workers", "0", "1"),
        ("runs_per_server", "0", "1"),
        ("runs_per_workspace", "0", "1"),
        ("runs_per_account", "0", "1"),
        ("runs_per_node", "0", "1"),
        ("runs_queued_per_workspace", "0", "1"),
        ("run_lost_seconds", "0", "1"),
        ("run_log_bytes_max", "1023", "1024"),
        ("run_log_bytes_per_day", "67108863", "67108864"),
        ("run_log_bytes_per_day", "1125899906842625", "1125899906842624"),
        ("replay_keep_hours", "8761", "8760"),
        ("replay_keep_hours", "8761", "0"),
        ("seat_limit_default", "10001", "10000"),
        ("seat_lease_seconds", "0", "1"),
        ("seat_lease_seconds", "3601", "3600"),
        ("root_rotation_hours", "0", "1"),
        ("root_rotation_hours", "25", "24"),
        ("erasure_grace_days_min", "8", "7"),
        ("unverified_accounts_days", "3651", "0"),
        ("erasure_grace_days", "21", "20"),
    ];
    for (setting, beyond, allowed) in counts {
        let refused = refusal(&[(setting, beyond)]);
        assert!(refused.starts_with(&format!("{setting}: ")), "{setting} {beyond}: {refused}");
        let config = Config::of(&layers(&[(setting, allowed)], &[]));
        assert!(config.is_ok(), "{setting} {allowed}: {:?}", config.err());
    }
    for setting in ["keyring_url", "direct_url"] {
        let alone = refusal(&[(setting, local)]);
        assert!(alone.contains("can only be set together with database_url"), "{alone}");
        let both = Config::of(&layers(&[(setting, local), ("database_url", local)], &[]));
        assert!(both.is_ok(), "{:?}", both.err());
    }
}

#[test]
fn a_variable_that_is_not_utf_8_is_refused_if_it_may_be_a_setting() {
    use std::os::unix::ffi::OsStringExt;
    let damaged = || std::ffi::OsString::from_vec(vec![0xff]);
    let read = |name: &str| {
        let variables = [(name.into(), damaged()), ("LETHE_WORKERS".into(), "2".into())];
        super::layers::environment(variables.into_iter()).map_err(|error| error.to_string())
    };
    for name in ["LETHE_LISTEN", "DATABASE_URL"] {
        let refused = read(name).unwrap_err();
        assert!(refused.starts_with(&format!("{name}: the value is not UTF-8")), "{refused}");
    }
    for name in ["PATH", "MY_LETHE_LISTEN"] {
        let expected = std::collections::BTreeMap::from([("LETHE_WORKERS".into(), "2".into())]);
        assert_eq!(read(name), Ok(expected), "{name}");
    }
}
