//! Alerts and dashboards use metrics that exist, and what is shipped works as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use infra::metrics::Metrics;
use services::config::{Config, Layers, SYSTEM_FILE};
use tests::promtool;

const SERIES: [&str; 3] = ["_bucket", "_sum", "_count"];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Every word that begins as metrics of a node do.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("lethe_") || word.starts_with("process_"));
    let bare = |word: &str| SERIES.iter().find_map(|end| word.strip_suffix(end)).map(str::to_owned);
    ours.map(|word| bare(word).unwrap_or_else(|| word.to_owned())).collect()
}

#[test]
fn rules_and_dashboards_name_metrics_that_exist() {
    let mut exist = metrics(&read("infra/src/metrics/mod.rs"));
    assert!(exist.len() > 20);
    // What a registry adds to ours.
    let of_process = String::from_utf8(Metrics::new().unwrap().text().unwrap()).unwrap();
    exist.extend(metrics(&of_process));

    for path in ["infra/deploy/rules.yaml", "infra/deploy/dashboard.json"] {
        let named = metrics(&read(path));
        let unknown: Vec<_> = named.difference(&exist).collect();
        assert!(unknown.is_empty(), "{path}: {unknown:?}");
    }
}

#[test]
fn the_alerts_do_what_they_say() {
    let files = ["infra/deploy/rules.test.yaml", "infra/deploy/rules.days.test.yaml"];

    let checked = promtool(&[&["test", "rules"], &files[..]].concat(), "");

    assert_eq!(checked.matches("SUCCESS").count(), files.len(), "{checked}");
}

/// The majors that follow a word.
fn majors(text: &str, after: &str) -> Vec<u32> {
    let number = |rest: &str| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    text.split(after).skip(1).filter_map(number).collect()
}

/// An older `pg_dump` refuses a newer server.
#[test]
fn the_container_can_back_up_the_servers_of_the_compose_file() {
    let (compose, container) = (read("infra/deploy/compose.yaml"), read("infra/deploy/Dockerfile"));

    let servers = majors(&compose, "image: postgres:");
    let clients = majors(&container, "postgresql-client-");

    assert_eq!((servers.len(), clients.len()), (2, 1));
    assert!(servers.iter().all(|server| clients.contains(server)), "{servers:?} {clients:?}");
}

/// The services of the compose file, and what is said of each.
fn services() -> BTreeMap<String, String> {
    let compose = read("infra/deploy/compose.yaml");
    let all = compose.split("\nservices:\n").nth(1).unwrap().split("\nvolumes:").next().unwrap();
    let mut services = BTreeMap::<String, String>::new();
    let mut current = String::new();
    for line in all.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.strip_prefix("  ").filter(|name| !name.starts_with(' ')) {
            Some(name) => name.trim_end_matches(':').clone_into(&mut current),
            None => services.entry(current.clone()).or_default().extend([line, "\n"]),
        }
    }
    services
}

/// The values of a directive of the unit.
fn unit(directive: &str) -> Vec<String> {
    let unit = read("infra/deploy/lethe.service");
    let lines = unit.lines().filter_map(|line| line.strip_prefix(directive)?.strip_prefix('='));
    lines.flat_map(|values| values.split(' ')).map(str::to_owned).collect()
}

/// What the image sets, below a file that is mounted.
fn image() -> Layers {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/deploy/image.toml");
    let defaults = Layers::here(Some(file), BTreeMap::new()).unwrap().file;
    Layers { defaults, ..Layers::default() }
}

/// A variable of the image would come before a file that is mounted.
#[test]
fn the_image_has_its_settings_from_the_file_that_it_names_and_no_variable() {
    let container = read("infra/deploy/Dockerfile");
    let set: Vec<_> =
        container.split_whitespace().filter(|word| word.starts_with("LETHE_")).collect();

    assert_eq!(set, ["LETHE_DEFAULTS=/usr/local/etc/lethe/image.toml"]);
    let copied = "COPY --chmod=0644 infra/deploy/image.toml /usr/local/etc/lethe/image.toml\n";
    assert!(container.contains(copied), "{container}");
}

/// Nobody who runs the image can take a setting out of it.
#[test]
fn the_image_leaves_the_choice_between_its_folder_of_root_keys_and_a_vault() {
    let of_vault = [
        ("LETHE_PUBLIC_URL", "https://lethe.example"),
        ("LETHE_ROOT_VAULT", "https://vault.example:8200"),
        ("LETHE_ROOT_VAULT_TOKEN_FILE", "/run/vault/token"),
    ];
    let with = |more: &[(&str, &str)]| {
        let set = of_vault.iter().chain(more);
        let environment = set.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::of(&Layers { environment: environment.collect(), ..image() })
    };

    assert!(with(&[]).unwrap().root_vault.is_some());
    let both = with(&[("LETHE_ROOT_DIR", "/srv/roots")]).unwrap_err().to_string();
    assert!(both.starts_with("root_vault: the root keys are either in Vault or"), "{both}");
}

/// A container without a name goes with it, and so does a volume without one.
#[test]
fn what_the_container_writes_is_on_volumes_that_have_a_name() {
    let container = read("infra/deploy/Dockerfile");
    let lethe = &services()["lethe"];
    let image = image().defaults;
    let folders = image.iter().filter(|(setting, _)| setting.ends_with("_dir"));
    let folders = folders.map(|(_, path)| path.as_str());
    let folders: Vec<_> = folders.chain(["/var/lib/lethe-backups"]).collect();

    assert_eq!(folders.len(), 5, "{folders:?}");
    for path in folders {
        assert!(lethe.contains(&format!(":{path}\n")), "{path} is no volume of the compose file");
        assert!(
            container.contains(&format!("{path} ")) || container.contains(&format!("{path}\n"))
        );
    }
    assert!(!container.lines().any(|line| line.starts_with("VOLUME")));
    assert_eq!(image.get("volumes_required").map(String::as_str), Some("true"));
}

#[test]
fn what_ends_is_started_again_however_often() {
    for (service, says) in services() {
        assert!(says.contains("    restart: unless-stopped\n"), "{service} stays ended");
    }
    assert_eq!(unit("Restart"), ["on-failure"]);
    assert_eq!(unit("StartLimitIntervalSec"), ["0"]);
    let pause: u32 = unit("RestartSec")[0].parse().unwrap();
    assert!((1..=30).contains(&pause), "{pause}");
}

/// Of ten thousand servers, too, where nobody has changed a setting.
#[test]
fn what_ships_may_have_more_descriptors_open_than_a_node_needs() {
    let needed = Config::of(&Layers::default()).unwrap().descriptors_needed(10_000);

    let of_unit: u64 = unit("LimitNOFILE")[0].parse().unwrap();
    assert!(of_unit > needed, "{of_unit}, and {needed} are needed");
    let ulimits = format!("    ulimits: {{ nofile: {of_unit} }}\n");
    assert!(services()["lethe"].contains(&ulimits), "{}", services()["lethe"]);
}

/// Clients that all have the proxy's address would share its limits.
#[test]
fn the_api_of_the_compose_file_is_reached_through_its_proxy_alone() {
    let services = services();
    let (lethe, proxy) = (&services["lethe"], &services["proxy"]);

    assert!(!lethe.contains("ports:"), "{lethe}");
    assert!(lethe.contains("LETHE_TRUSTED_PROXIES: 1\n"), "{lethe}");
    assert!(lethe.contains("LETHE_PUBLIC_URL: https://${LETHE_HOST:-localhost}\n"), "{lethe}");
    assert!(proxy.contains("LETHE_HOST: \"${LETHE_HOST:-localhost}\""), "{proxy}");
    assert!(proxy.contains("./Caddyfile:/etc/caddy/Caddyfile:ro"), "{proxy}");
    let site = "{$LETHE_HOST} {\n\treverse_proxy lethe:8080\n}\n";
    assert!(read("infra/deploy/Caddyfile").ends_with(site));
}

/// A proxy logs what it cannot pass on, with its query.
#[test]
fn the_proxy_of_the_compose_file_logs_no_secret_of_a_link() {
    let caddyfile = read("infra/deploy/Caddyfile");
    let words: Vec<_> = caddyfile.split_whitespace().collect();
    let filter = "log default { format filter { wrap json fields { request>uri query { delete token \
                  delete next } resp_headers>Location delete } } }";
    assert!(words.join(" ").contains(filter), "{caddyfile}");
}

/// The image alone listens at every address, and does not guess what people open.
#[test]
fn links_lead_to_the_proxy_of_the_compose_file_and_the_image_alone_asks_where_they_lead() {
    let of = |environment| Config::of(&Layers { environment, ..image() });

    assert!(image().defaults.len() > 5, "{:?}", image().defaults);
    let refused = of(BTreeMap::new()).unwrap_err().to_string();
    assert!(refused.starts_with("public_url: is needed"), "{refused}");
    let compose = services()["lethe"].clone();
    let lines = compose.lines().filter_map(|line| line.trim().split_once(": "));
    let compose = lines.filter(|(name, _)| name.starts_with("LETHE_")).map(|(name, value)| {
        (name.to_owned(), value.replace("${LETHE_HOST:-localhost}", "h.example"))
    });
    let config = of(compose.collect()).unwrap();
    assert_eq!(config.public_url_at(config.listen), "https://h.example");
    assert!(config.network_warnings().is_empty(), "{:?}", config.network_warnings());
}

/// A command that reads other settings works on another installation, or makes one.
#[test]
fn the_unit_has_its_settings_from_the_file_that_commands_read() {
    let ours = |value: &String| value.starts_with("LETHE_");
    let set: Vec<_> = unit("Environment").into_iter().filter(ours).collect();
    assert_eq!(set, [format!("LETHE_CONFIG={SYSTEM_FILE}")]);

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/deploy/lethe.toml");
    let read = Layers::here(Some(file), BTreeMap::new()).unwrap();
    let config = Config::of(&Layers { environment: BTreeMap::new(), ..read }).unwrap();

    let made: Vec<_> =
        unit("StateDirectory").iter().map(|name| format!("/var/lib/{name}")).collect();
    let copy = config.copy_dir.clone().unwrap();
    for folder in [&config.data_dir, &config.root_dir, &copy, &config.escrow_dir] {
        // The rest of the disk is read-only to the unit.
        assert!(made.iter().any(|made| folder == Path::new(made)), "{}", folder.display());
    }
}
