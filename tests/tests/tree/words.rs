//! Rules for what people read: the terms of the project, the READMEs and their links.

use std::fs::read_to_string;
use std::process::Command;

use super::tidy::{PACKAGES, none, top};

/// `count.py` holds the list of replaced words.
#[test]
fn no_replaced_word_of_the_terms_is_left() {
    let script = top().join("tests/count.py");
    let counted = Command::new("python3").arg(script).arg(top()).arg("--terms").output().unwrap();
    let left = String::from_utf8_lossy(&counted.stdout);
    let errors = String::from_utf8_lossy(&counted.stderr);
    assert!(counted.status.success(), "use the new word instead:\n{left}{errors}");
}

#[test]
fn each_package_has_a_readme_that_its_rustdoc_shows() {
    let shows = "#![doc = include_str!(\"../README.md\")]";
    let without = PACKAGES.iter().filter(|package| {
        let library = read_to_string(top().join(package).join("src/lib.rs")).unwrap();
        !top().join(package).join("README.md").exists() || !library.starts_with(shows)
    });
    none("without a README in its documentation", without);
}

#[test]
fn links_in_readmes_lead_somewhere() {
    let folders = PACKAGES.iter().copied().chain(["", "migrations"]);
    let mut links = 0;
    let mut broken = Vec::new();
    for folder in folders.map(|folder| top().join(folder)) {
        let text = read_to_string(folder.join("README.md")).unwrap();
        for rest in text.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            if !folder.join(target).exists() {
                broken.push(format!("{}: {target}", folder.join("README.md").display()));
            }
        }
    }
    assert!(links > 5, "only {links} links: this test looks in the wrong place");
    none("broken links", broken);
}
