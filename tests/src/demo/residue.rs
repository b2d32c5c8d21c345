//! The search for what she typed, with a control that is found.

use infra::residue::{Canaries, Encoding};

use super::claims::Claims;
use crate::dump::dump_roles;
use crate::{Installation, Place, Search, until};

pub async fn search(claims: &mut Claims, installation: &Installation, values: &[&str]) {
    claims.chapter("Everything she typed is searched for in a full pg_dump of both databases");
    let canaries = Canaries::new(values).unwrap();
    // Until then a file of the copy may be renamed while the disk is searched.
    until("the copy of the keyring has every change", async || {
        let doctor = installation.run(&["doctor"]).await.stdout;
        let doctor = String::from_utf8_lossy(&doctor).into_owned();
        let said = doctor.contains("the copy of the keyring has every change");
        if said { Ok(()) } else { Err(doctor) }
    })
    .await;
    let (count, forms) = (values.len(), Encoding::ALL.len());
    claims.see(format_args!(
        "{count} values, each in {forms} forms: as it is, lower case, base64, hex in two cases,"
    ));
    claims.see("URL-encoded, JSON-escaped, JSON in \\u escapes, UTF-16, reversed");
    let (log, keyring) = (installation.log_url(), installation.keyring_url());
    let mut dumps = [
        Place::Database { name: "the dump of the events", url: log },
        Place::Database { name: "the dump of the keyring", url: keyring },
    ];
    let mut bytes = dump_roles(&installation.log_url()).await;
    bytes.extend(dump_roles(&installation.keyring_url()).await);
    let roles = Place::Bytes { name: "the dump of the roles", bytes };
    let disk = Place::Folder { name: "the disk", path: installation.folder().to_owned() };
    let mut clean = true;
    for place in dumps.iter().chain([&roles]) {
        clean &= is_clean(claims, &place.search(&canaries).await);
    }
    claims.holds("the dump holds none of it", clean);
    let clean = is_clean(claims, &disk.search(&canaries).await);
    claims.holds("nor do the data files, the WAL, the mail folder and the logs", clean);
    claims.see("not searched: the memory of processes, free blocks of the disk, delivered mail");

    // The control comes last: what it plants stays behind in the data files.
    let mut found = true;
    for place in &mut dumps {
        place.plant(&canaries).await;
        found &= place.search(&canaries).await.missed(&canaries).is_empty();
    }
    claims.holds("control: planted in a table, as text and as bytes, all of it is found", found);
    let mut file = Place::File { name: "a file", path: installation.folder().join("planted") };
    file.plant(&canaries).await;
    let missed = file.search(&canaries).await.missed(&canaries);
    let claim = "control: planted in a file in every form, every form is found";
    claims.holds(claim, missed.is_empty());
}

fn is_clean(claims: &Claims, search: &Search) -> bool {
    claims.see(search);
    search.trouble().is_none()
}
