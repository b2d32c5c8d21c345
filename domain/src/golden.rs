//! Every shape that an event ever had in the log is kept in a file, and is read for ever.

mod variants;

use std::collections::BTreeSet;
use std::path::Path;

use crate::Event;

/// `events` has one event of each type. `LETHE_BLESS=1` writes the files that are missing; it never
/// changes one, since the log holds such events.
pub fn check<E: Event>(folder: &str, events: Vec<E>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder).join("golden");
    let mut given_types = BTreeSet::new();
    for event in events {
        let (event_type, version) = event.type_and_version();
        assert_eq!(crate::newest_version(event_type), Some(version), "readers know {event_type}");
        let path = folder.join(format!("{event_type}.{version}.json"));
        let encoded = event.encode().unwrap();
        if std::env::var_os("LETHE_BLESS").is_some() && !path.exists() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, format!("{encoded}\n")).unwrap();
        }
        let golden =
            std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path:?} is missing"));
        assert_eq!(encoded, golden.trim_end(), "{event_type} is written as it was");
        assert_eq!(E::decode(event_type, version, golden.trim_end()).unwrap(), event);
        given_types.insert(event_type);
    }
    let types: BTreeSet<_> = E::TYPES.iter().map(|(event_type, _)| *event_type).collect();
    assert_eq!(given_types, types, "one event of each type");

    for file in std::fs::read_dir(&folder).unwrap() {
        let name = file.as_ref().unwrap().file_name().into_string().unwrap();
        let (event_type, version) = name.strip_suffix(".json").unwrap().rsplit_once('.').unwrap();
        let golden = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let read = E::decode(event_type, version.parse().unwrap(), golden.trim_end());
        assert_eq!(read.unwrap().type_and_version().0, event_type, "{name} is read");
    }
}
