//! What commands note of themselves on their machine, outside their home, and how it is read.

use std::fs;

use test_support::Machine;

/// Hundredths of a second since this machine began, which every machine of a test shares.
pub type Hundredths = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Begin,
    /// It is at work.
    Beat,
    End(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub at: Hundredths,
    /// The deployment, or the run of a command: no two attempts of it may be at work at the same time.
    pub group: String,
    /// The attempt, as the server knows it.
    pub task: String,
    pub step: Step,
}

pub fn now() -> Hundredths {
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    hundredths(uptime.split_whitespace().next().unwrap()).unwrap()
}

/// `12.34` is 1234.
fn hundredths(text: &str) -> Option<Hundredths> {
    let (whole, part) = text.split_once('.')?;
    (part.len() == 2).then(|| format!("{whole}{part}").parse().ok())?
}

/// Notes that it begins, ten times a second that it is at work, and its code.
pub fn command(group: &str, beats: u32, code: u8) -> String {
    let record = Machine::RECORD;
    format!(
        "note() {{ read -r up _ </proc/uptime; echo \"$up {group} $LETHE_RUN $*\" >>{record}; }}
note begin
n=0
while [ $n -lt {beats} ]; do n=$((n + 1)); echo $n; note beat; sleep 0.1; done
note end {code}
exit {code}"
    )
}

/// The name of an attempt, as its command knows it.
pub fn task_of(run: &str, attempt: u64, server: &str) -> String {
    format!("{run}-{attempt}-{server}")
}

/// Of the groups whose names begin so, in the order of time. A last line without its end is being written.
pub fn read(records: &[String], prefix: &str) -> Vec<Entry> {
    let lines = records.iter().flat_map(|record| record.split_inclusive('\n'));
    let lines = lines.filter_map(|line| line.strip_suffix('\n'));
    let entries = lines.map(|line| entry(line).unwrap_or_else(|| panic!("on record: {line:?}")));
    let mut entries: Vec<Entry> = entries.filter(|it| it.group.starts_with(prefix)).collect();
    entries.sort_by_key(|entry| entry.at);
    entries
}

fn entry(line: &str) -> Option<Entry> {
    let words: Vec<&str> = line.split(' ').collect();
    let [at, group, task, step @ ..] = &words[..] else { return None };
    let step = match step {
        ["begin"] => Step::Begin,
        ["beat"] => Step::Beat,
        ["end", code] => Step::End(code.parse().ok()?),
        _ => return None,
    };
    let (group, task) = ((*group).to_owned(), (*task).to_owned());
    Some(Entry { at: hundredths(at)?, group, task, step })
}

#[test]
fn what_a_command_notes_is_read() {
    let records =
        ["7.05 b t2 beat\n7.01 b t1 begin\n".to_owned(), "7.03 b t1 end 7\n7.0".to_owned()];
    let of =
        |at, task: &str, step| Entry { at, group: "b".to_owned(), task: task.to_owned(), step };

    let entries = read(&records, "b");

    let expected =
        [of(701, "t1", Step::Begin), of(703, "t1", Step::End(7)), of(705, "t2", Step::Beat)];
    assert_eq!(entries, expected);
    assert!(read(&records, "c").is_empty());
    assert!(now() > 0);
}
