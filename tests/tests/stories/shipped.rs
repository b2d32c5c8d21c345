//! What is shipped starts as it is shipped: the image, run as the README says, and the unit. Each has file systems
//! and a network of its own, so that its folders and ports are the real ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use infra::postgres::binaries;
use services::config::SYSTEM_FILE;
use test_support::sshd::busybox;
use tests::{Client, Mailbox, Person, PlainBrowser, Programme, TestServer};

const SHIPPED: &str = "LETHE_TEST_SHIPPED";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const PORT: &str = "8080";
const DATA: &str = "/var/lib/lethe";

/// How a shipped thing starts.
#[derive(Debug)]
struct Start {
    environment: BTreeMap<String, String>,
    command: Vec<String>,
    uid: u32,
    /// Made for the user, and on a disk that lasts.
    folders: Vec<String>,
    /// Of settings: what stands in them, and where they are.
    files: Vec<(String, String)>,
    data_dir: &'static str,
}

#[tokio::test]
async fn the_image_starts_as_the_readme_says_and_the_mailed_link_is_followed() {
    apart("image").await;
}

#[tokio::test]
async fn a_file_that_is_mounted_comes_before_what_the_image_sets() {
    apart("mounted").await;
}

#[tokio::test]
async fn the_unit_starts_with_its_settings_and_the_mailed_link_is_followed() {
    apart("unit").await;
}

async fn apart(what: &str) {
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--net", "--"]).arg(std::env::current_exe().unwrap());
    inside.args(["shipped::it_starts_apart", "--exact", "--ignored", "--nocapture"]);
    inside.env(SHIPPED, what);
    let done = tokio::process::Command::from(inside).output().await.unwrap();
    let [out, errors] = [&done.stdout, &done.stderr].map(|text| String::from_utf8_lossy(text));
    if errors.contains("unshare failed") {
        let left_out = std::env::var_os("LETHE_TEST_NO_MOUNT").is_some();
        assert!(left_out, "run as root, or set LETHE_TEST_NO_MOUNT=1: {errors}");
        return;
    }
    assert!(done.status.success() && out.contains("1 passed"), "{out}\n{errors}");
}

#[tokio::test]
#[ignore = "the process that the test above starts"]
async fn it_starts_apart() {
    let start = match std::env::var(SHIPPED).unwrap().as_str() {
        "image" => Start::image(),
        "mounted" => Start::mounted(),
        _ => Start::unit(),
    };
    // On the disk of the build: what is in memory is refused as no volume.
    let target = Programme::Lethe.path().parent().unwrap();
    let disk = tempfile::tempdir_in(target).unwrap();
    start.make_place(disk.path());
    let server = TestServer::start(start.command(disk.path())).await;

    let (client, bob) = (Client::new(&format!("http://127.0.0.1:{PORT}")), Person::named("bob"));
    bob.register(&client).await;
    let mails = Path::new(start.data_dir).join("mail");
    let mail = Mailbox::new(mails).mail(&bob.email, 1).await;
    let mut browser = PlainBrowser::new();
    browser.open(mail.link()).await;
    browser.press("Yes, it is mine").await;

    assert_eq!(browser.text_of("h1"), "Your address is confirmed");
    let signed_in = bob.sign_in(&client).await;
    assert_eq!(signed_in.get("/v1/me").await.expect(200).field("/email_verified"), "true");
    let metrics = reqwest::get("http://127.0.0.1:9090/metrics").await.unwrap();
    assert!(metrics.text().await.unwrap().contains("lethe_"));
    assert!(server.stop().await.success());
}

impl Start {
    /// `docker run` as the README has it.
    fn image() -> Self {
        let file = read("infra/deploy/Dockerfile");
        let file = file.rsplit("\nFROM ").next().unwrap().replace("\\\n", " ");
        let lines: Vec<&str> = file.lines().filter(|line| !line.starts_with('#')).collect();
        let said = |word: &str| lines.iter().find_map(|line| line.strip_prefix(word)).unwrap();
        let array = |word: &str| serde_json::from_str::<Vec<String>>(said(word)).unwrap();
        let after = |word: &str| file.split(word).nth(1).unwrap().split_whitespace();
        let readme = read("services/README.md");
        let run = readme.split("docker run ").nth(1).unwrap().split("```").next().unwrap();
        let run: Vec<&str> = run.split_whitespace().collect();
        let options = |name: &str| {
            let pairs = run.windows(2).filter(|pair| pair[0] == name);
            pairs.map(|pair| pair[1].to_owned()).collect::<Vec<String>>()
        };

        assert_eq!(said("USER "), "lethe");
        let variables = said("ENV ").split_whitespace().map(str::to_owned).chain(options("-e"));
        let home = after("--home-dir ").next().unwrap();
        let environment = variables
            .chain([format!("HOME={home}"), format!("PATH={DEFAULT_PATH}")])
            .map(|set| set.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap());
        let volumes = options("-v").into_iter().map(|it| it.split_once(':').unwrap().1.to_owned());
        let volumes: Vec<String> = volumes.collect();
        let made: Vec<&str> = after("install -d -o lethe -g lethe -m 0700 ").collect();
        assert!(volumes.len() == 3 && volumes.iter().all(|it| made.contains(&it.as_str())));
        let mut copied = after("COPY --chmod=0644 ");
        let [from, to] = [copied.next(), copied.next()].map(Option::unwrap);
        let environment: BTreeMap<String, String> = environment.collect();
        assert_eq!(environment["LETHE_DEFAULTS"], to);
        Self {
            environment,
            command: [array("ENTRYPOINT "), array("CMD ")].concat(),
            uid: after("--uid ").next().unwrap().parse().unwrap(),
            folders: volumes,
            files: vec![(read(from), to.to_owned())],
            data_dir: DATA,
        }
    }

    /// The same, with a file that names another folder for the data, and says nothing else.
    fn mounted() -> Self {
        let elsewhere = "/var/lib/lethe-elsewhere";
        let mut start = Self::image();
        let data = start.folders.iter_mut().find(|folder| *folder == DATA).unwrap();
        elsewhere.clone_into(data);
        start.files.push((format!("data_dir = \"{elsewhere}\"\n"), SYSTEM_FILE.to_owned()));
        start.data_dir = elsewhere;
        start
    }

    /// As systemd starts it.
    fn unit() -> Self {
        let file = read("infra/deploy/lethe.service");
        let said = |name: &str| {
            let values = file.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values.flat_map(str::split_whitespace).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(said("User"), ["lethe"]);
        let variables = said("Environment").into_iter().chain([format!("PATH={DEFAULT_PATH}")]);
        let environment = variables
            .map(|set| set.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).unwrap());
        let of = |folder: &str, names: Vec<String>| {
            names.into_iter().map(|name| format!("{folder}/{name}")).collect::<Vec<_>>()
        };
        let [state, cache] = ["StateDirectory", "CacheDirectory"].map(said);
        Self {
            environment: environment.collect(),
            command: said("ExecStart"),
            uid: 10_001,
            folders: [of("/var/lib", state), of("/var/cache", cache)].concat(),
            files: vec![(read("infra/deploy/lethe.toml"), SYSTEM_FILE.to_owned())],
            data_dir: DATA,
        }
    }

    /// Copies what is changed, and mounts the copies where only this process and its children see them.
    fn make_place(&self, disk: &Path) {
        let uid = self.uid;
        let ip = busybox().map_or("ip".to_owned(), |path| format!("{} ip", path.display()));
        let lethe = Programme::Lethe.path().display();
        let mut script = vec![format!(
            "{ip} link set lo up
            cp -a /etc {disk}/etc; mkdir {disk}/bin {disk}/lib {disk}/cache {disk}/settings
            touch {disk}/bin/lethe
            echo lethe:x:{uid}:{uid}::/var/lib/lethe:/usr/sbin/nologin >> {disk}/etc/passwd
            mount --bind {disk}/etc /etc; mount --bind {disk}/lib /var/lib
            mount --bind {disk}/settings /usr/local/etc
            mount --bind {disk}/cache /var/cache; mount --bind {disk}/bin /usr/local/bin
            mount --bind {lethe} /usr/local/bin/lethe",
            disk = disk.display(),
        )];
        for (number, folder) in self.folders.iter().enumerate() {
            let made = format!("{}/volume-{number}", disk.display());
            let owned = format!("-d -o {uid} -g {uid} -m 0700 {made}");
            script.push(format!("install {owned}; mkdir {folder}; mount --bind {made} {folder}"));
        }
        for (number, (text, place)) in self.files.iter().enumerate() {
            let file = disk.join(format!("settings-{number}"));
            std::fs::write(&file, text).unwrap();
            script.push(format!("install -D -m 0640 -g {uid} {} {place}", file.display()));
        }
        let made = Command::new("sh").args(["-ec", &script.join("\n")]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    fn command(&self, disk: &Path) -> Command {
        let mut command = Command::new("setpriv");
        let user = [format!("--reuid={}", self.uid), format!("--regid={}", self.uid)];
        command.args(user).args(["--clear-groups", "--"]).args(&self.command);
        command.env_clear().envs(&self.environment).current_dir(disk);
        // Both come with a PostgreSQL where Lethe looks for one, which this machine may have elsewhere.
        let bin = binaries::find(None).unwrap();
        if !bin.starts_with("/usr/lib/postgresql") {
            command.env("PG_BINDIR", bin);
        }
        command
    }
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(top().join(path)).unwrap()
}
