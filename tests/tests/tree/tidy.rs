//! Rules that every file of the tree keeps.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Component, Path, PathBuf};

const LINES_MAX: usize = 350;
pub(super) const PACKAGES: [&str; 5] = ["domain", "infra", "projections", "services", "tests"];
const TOP: [&str; 10] = [
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "domain",
    "infra",
    "justfile",
    "migrations",
    "projections",
    "services",
    "tests",
];

pub(super) struct File {
    /// From the top of the tree.
    pub path: PathBuf,
    pub text: String,
}

pub(super) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

pub(super) fn files(ending: &str) -> Vec<File> {
    let mut found = Vec::new();
    for folder in PACKAGES.iter().chain(&["migrations"]) {
        walk(&top().join(folder), ending, &mut found);
    }
    assert!(!found.is_empty(), "no .{ending} anywhere: this test looks in the wrong place");
    found
}

fn walk(folder: &Path, ending: &str, found: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push(File { path: path.strip_prefix(top()).unwrap().to_path_buf(), text });
        }
    }
}

impl File {
    /// Lines of code with their numbers.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_this(&self) -> bool {
        self.path.ends_with("tests/tests/tree/tidy.rs")
    }

    /// Golden files are read and written by tests only.
    pub fn is_test(&self) -> bool {
        let tests = ["tests", "tests.rs", "golden.rs"];
        self.path.iter().any(|part| tests.iter().any(|name| part == *name))
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

#[track_caller]
pub(super) fn none<T: Display>(what: &str, found: impl IntoIterator<Item = T>) {
    let found: Vec<String> = found.into_iter().map(|each| each.to_string()).collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// Places in Rust code that hold one of these words.
fn places<'a>(files: &'a [File], words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
    files.iter().filter(|file| !file.is_this()).flat_map(move |file| {
        let hits = file.code().filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        hits.map(|(number, line)| format!("{}: {}", file.at(number), line.trim()))
    })
}

#[test]
fn no_file_is_long() {
    let files = files("rs");
    let long = files.iter().filter(|file| file.text.lines().count() > LINES_MAX);
    none("longer than 350 lines", long.map(|file| file.path.display()));
}

#[test]
fn nothing_is_left_open() {
    let files = files("rs");
    let open = ["todo!", "unimplemented!", "dbg!("];
    none("left open", places(&files, &open));
    // What another test starts as a process of its own is no test by itself.
    let processes = r#"#[ignore = "the process that the test above starts"#;
    let ignored = files.iter().filter(|file| !file.is_this()).flat_map(|file| {
        let lines = file.text.lines().enumerate();
        lines
            .filter(|(_, line)| line.contains("#[ignore") && !line.contains(processes))
            .map(|(number, _)| file.at(number + 1))
    });
    none("tests that do not run", ignored);

    let notes = ["TODO", "FIXME", "XXX", "HACK"];
    let others = files.iter().filter(|file| !file.is_this());
    let marked = others.filter(|file| notes.iter().any(|note| file.text.contains(note)));
    none("notes to oneself", marked.map(|file| file.path.display()));
}

#[test]
fn names_say_what_a_thing_is() {
    let vague = ["Manager", "Helper", "Util", "Utils", "Service", "Impl", "Dto"];
    let files = files("rs");
    let named = files.iter().filter(|file| !file.is_this()).flat_map(|file| {
        file.code().filter_map(|(number, line)| {
            let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.find(|word| matches!(*word, "struct" | "enum" | "trait" | "type"))?;
            let name = words.next()?;
            vague.iter().any(|end| name.ends_with(end)).then(|| file.at(number))
        })
    });
    none("vague names", named);
}

#[test]
fn every_statement_is_included_somewhere() {
    let mut included = BTreeSet::new();
    for file in files("rs") {
        let folder = file.path.parent().unwrap();
        for rest in file.text.split("include_str!(").skip(1) {
            if let Some(name) = rest.split('"').nth(1) {
                included.insert(normal(&folder.join(name)));
            }
        }
    }
    let statements = files("sql");
    // A test of infra compares the functions with those in the database.
    let own = statements.iter().filter(|file| !file.path.starts_with("migrations"));
    let forgotten = own.filter(|file| !included.contains(&file.path));
    none("included nowhere", forgotten.map(|file| file.path.display()));
}

#[test]
fn a_short_statement_is_a_constant_and_not_a_file() {
    let statements = files("sql");
    let own = statements.iter().filter(|file| !file.path.starts_with("migrations"));
    let short = own.filter(|file| file.text.trim().lines().count() <= 2);
    none("of one or two lines", short.map(|file| file.path.display()));
}

#[test]
fn migrations_are_numbered_and_sql_is_lower_case() {
    let statements = files("sql");
    let folders = ["migrations/log", "migrations/keyring"];
    let migrations =
        statements.iter().filter(|file| folders.iter().any(|folder| file.path.starts_with(folder)));
    let misnamed = migrations.filter(|file| {
        let name = file.path.file_stem().unwrap().to_string_lossy();
        let number = name.split_once("__").and_then(|(number, _)| number.strip_prefix('V'));
        number.is_none_or(|number| number.parse::<u32>().is_err())
    });
    none("not V<n>__<name>.sql", misnamed.map(|file| file.path.display()));

    let shouted = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "CREATE ", " FROM ", " WHERE "];
    let loud = statements.iter().flat_map(|file| {
        let code = file.text.lines().enumerate().filter(|(_, line)| !line.contains("--"));
        let loud = code.filter(|(_, line)| shouted.iter().any(|word| line.contains(word)));
        loud.map(|(index, _)| file.at(index + 1))
    });
    none("upper-case SQL", loud);
}

#[test]
fn domain_knows_no_outside() {
    let inner = [
        "chrono",
        "cqrs-es",
        "serde",
        "serde_json",
        "thiserror",
        "uuid",
        "base64",
        "idna",
        "unicode-normalization",
        "unicode-security",
    ];
    let outer = dependencies("domain").into_iter();
    none("crates of the outside", outer.filter(|name| !inner.contains(&name.as_str())));
    let domain: Vec<File> = files("rs")
        .into_iter()
        .filter(|file| file.path.starts_with("domain") && !file.is_test())
        .collect();
    let outside = [
        "std::net::Tcp",
        "std::net::Udp",
        "ToSocketAddrs",
        "std::fs",
        "std::env",
        "std::process",
        "std::time",
        "tokio",
    ];
    none("the outside", places(&domain, &outside));
}

#[test]
fn each_package_uses_only_those_to_its_left() {
    for (index, package) in PACKAGES.iter().enumerate() {
        let right: BTreeSet<&str> = PACKAGES[index..].iter().copied().collect();
        let wrong = dependencies(package).into_iter().filter(|name| right.contains(name.as_str()));
        none(&format!("{package} uses to its right"), wrong);
    }
}

#[test]
fn events_hold_no_bare_string() {
    let events: Vec<File> = files("rs")
        .into_iter()
        .filter(|file| file.path.starts_with("domain") && file.path.ends_with("event.rs"))
        .collect();
    none("bare strings in events", places(&events, &[": String", "<String>", "(String"]));
}

#[test]
fn tests_do_not_sleep() {
    // Its writers pause at random, so that their appends meet in every order.
    let pauses = |file: &File| file.path.ends_with("log/writing.rs");
    let tests = files("rs").into_iter().filter(|file| file.is_test() && !pauses(file));
    let tests: Vec<File> = tests.collect();
    none("sleeps in tests", places(&tests, &["sleep("]));
}

#[test]
fn the_top_level_stays_these_names() {
    let names = std::fs::read_dir(top()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    let visible = names.filter(|name| !name.starts_with('.') && name != "target");
    none("new at the top", visible.filter(|name| !TOP.contains(&name.as_str())));
}

#[test]
fn every_package_takes_the_lints_of_the_workspace() {
    let read = |path: &str| std::fs::read_to_string(top().join(path)).unwrap();
    let taken = |text: &str| text.contains("[lints]\nworkspace = true");
    let packages = PACKAGES.iter().copied().filter(|package| *package != "tests");
    let others = packages.chain(["tests/support"]);
    let without = others.filter(|package| !taken(&read(&format!("{package}/Cargo.toml"))));
    none("without the lints", without);

    // A test fails by a panic and says what it saw: it is free of these lints, and of no other.
    let free = ["unwrap_used", "expect_used", "panic", "indexing_slicing", "print_"];
    let manifest = read("Cargo.toml");
    let lints = manifest
        .split("[workspace.lints.")
        .skip(1)
        .flat_map(|section| section.lines().skip(1).take_while(|line| !line.starts_with('[')));
    let own = read("tests/Cargo.toml");
    let missed = lints.filter(|line| !line.is_empty() && !own.lines().any(|known| known == *line));
    let missed = missed.filter(|line| !free.iter().any(|name| line.starts_with(name)));
    none("not among the lints of tests", missed);
}

/// The names under `[dependencies]`.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(top().join(package).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            part @ (Component::Normal(_)
            | Component::CurDir
            | Component::RootDir
            | Component::Prefix(_)) => normal.push(part),
        }
    }
    normal
}
