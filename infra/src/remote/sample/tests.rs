use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::parse;
use super::{CpuTime, DiskSpace, Sample, sample};
use crate::remote::task::tests::harness::SshHarness;
use test_support::sshd::SshdOptions;

const GOOD: &str = "Welcome\n\nlethe: sample\ncpu  10 0 20 60 10 0 0 0 0 0\nMemTotal:  8000 kB\n\
    MemAvailable: 5000 kB\nload 0.20 1.18 10.12 1/80 11206\nup 350735.47 234388.90\n\
    disk /dev/my disk 4000 1000 3000 25% /\n";

fn good() -> Sample {
    Sample {
        cpu: Some(CpuTime { busy: 30, total: 100 }),
        memory_bytes: Some(8_192_000),
        memory_available_bytes: Some(5_120_000),
        disk: Some(DiskSpace { bytes: 4_096_000, available_bytes: 3_072_000 }),
        load: Some([0.2, 1.18, 10.12]),
        uptime_seconds: Some(350_735.47),
    }
}

#[test]
fn a_sample_is_read() {
    assert_eq!(parse::sample(GOOD.as_bytes()), Some(good()));
}

/// The lines of a server that lacks one of them, and what is missing then.
#[test]
fn each_line_may_be_missing_alone() {
    let good = good();
    for (line, expected) in [
        ("cpu ", Sample { cpu: None, ..good }),
        ("MemTotal:", Sample { memory_bytes: None, ..good }),
        ("MemAvailable:", Sample { memory_available_bytes: None, ..good }),
        ("load ", Sample { load: None, ..good }),
        ("up ", Sample { uptime_seconds: None, ..good }),
        ("disk ", Sample { disk: None, ..good }),
    ] {
        let others: Vec<&str> =
            GOOD.split_inclusive('\n').filter(|text| !text.starts_with(line)).collect();
        assert_eq!(others.len() + 1, GOOD.lines().count(), "{line}");
        assert_eq!(parse::sample(others.concat().as_bytes()), Some(expected), "without {line}");
    }
    assert_eq!(parse::sample(b"lethe: sample\n"), Some(Sample::default()));
    assert_eq!(parse::sample(b"sh: not found\n"), None, "nothing was run");
}

#[test]
fn a_line_that_is_wrong_is_missing_and_takes_no_other_with_it() {
    let good = good();
    for (right, wrong, expected) in [
        ("60 10", "60 18446744073709551615", Sample { cpu: None, ..good }),
        ("cpu  10", "cpu  -10", Sample { cpu: None, ..good }),
        ("8000 kB", "8000 MB", Sample { memory_bytes: None, ..good }),
        ("able: 5000", "able: 9000", Sample { memory_available_bytes: None, ..good }),
        ("0.20", "nan", Sample { load: None, ..good }),
        ("1.18", "-1.18", Sample { load: None, ..good }),
        ("10.12", "1e3", Sample { load: None, ..good }),
        ("up 350735.47", "up inf", Sample { uptime_seconds: None, ..good }),
        ("25% /", "25% /home", Sample { disk: None, ..good }),
        ("3000 25%", "5000 25%", Sample { disk: None, ..good }),
        ("25% /\n", "25% /\ndisk / 1 1 1 1% /\n", good),
        ("25% /\n", "25% /\nlogout\n", good),
    ] {
        let text = GOOD.replace(right, wrong);
        assert_ne!(text, GOOD);
        assert_eq!(parse::sample(text.as_bytes()), Some(expected), "{wrong}");
    }
}

#[test]
fn what_was_cut_off_holds_nothing_but_what_was_measured() {
    let good = good();
    for end in 0..GOOD.len() {
        let Some(cut) = parse::sample(&GOOD.as_bytes()[..end]) else { continue };
        assert!(cut.cpu.is_none() || cut.cpu == good.cpu, "{end}");
        assert!(cut.memory_bytes.is_none() || cut.memory_bytes == good.memory_bytes, "{end}");
        let available = cut.memory_available_bytes;
        assert!(available.is_none() || available == good.memory_available_bytes, "{end}");
        assert!(cut.load.is_none() || cut.load == good.load, "{end}");
        assert!(cut.uptime_seconds.is_none() || cut.uptime_seconds == good.uptime_seconds, "{end}");
        assert_eq!(cut.disk, None, "{end}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), at in 0..GOOD.len(), with in any::<u8>()) {
        let mut near = GOOD.as_bytes().to_vec();
        near[at] = with;
        for bytes in [bytes, near] {
            if let Some(sample) = parse::sample(&bytes) {
                let memory = sample.memory_available_bytes.zip(sample.memory_bytes);
                prop_assert!(memory.is_none_or(|(available, all)| available <= all));
                prop_assert!(sample.cpu.is_none_or(|cpu| cpu.busy <= cpu.total));
                prop_assert!(sample.disk.is_none_or(|disk| disk.available_bytes <= disk.bytes));
                let loads = sample.load.unwrap_or_default();
                prop_assert!(loads.iter().all(|load| load.is_finite() && *load >= 0.0));
            }
        }
    }

    #[test]
    fn a_share_is_a_share(busy in any::<u64>(), total in any::<u64>(), less in any::<u64>(), of in any::<u64>()) {
        let share = CpuTime { busy, total }.share_since(CpuTime { busy: less, total: of });
        prop_assert_eq!(share.is_some(), total > of);
        prop_assert!(share.is_none_or(|share| (0.0..=1.0).contains(&share)));
    }
}

/// Its CPU time and uptime.
fn sound(sample: &Sample) -> (CpuTime, f64) {
    let cpu = sample.cpu.filter(|cpu| cpu.busy > 0);
    let up = sample.uptime_seconds.filter(|up| *up > 1.0);
    let is_whole = sample.memory_bytes > sample.memory_available_bytes
        && sample.memory_available_bytes.is_some()
        && sample.disk.is_some_and(|disk| disk.bytes > 0)
        && sample.load.is_some();
    let sound = cpu.zip(up).filter(|_| is_whole);
    sound.unwrap_or_else(|| panic!("{sample:?}"))
}

#[tokio::test]
async fn a_real_server_is_sampled_whatever_its_shell() {
    let bash = SshdOptions { shell: PathBuf::from("/bin/bash"), ..SshdOptions::default() };
    for options in [SshdOptions::default(), bash] {
        let harness = SshHarness::with(&options);
        let connection = harness.connect().await;
        let (before, up_before) = sound(&sample(&connection).await.unwrap());
        let (mut after, mut up_after) = (before, up_before);
        while after.total == before.total {
            (after, up_after) = sound(&sample(&connection).await.unwrap());
        }
        let share = after.share_since(before).unwrap();
        assert!((0.0..=1.0).contains(&share));
        assert!(up_after >= up_before);
        // The timer of `df` is gone, too.
        harness.until_only(0).await;
    }
}

/// As where the file system of `/` does not answer.
#[tokio::test]
async fn a_df_that_does_not_end_leaves_out_the_disk_alone() {
    let folder = tempfile::tempdir().unwrap();
    let df = folder.path().join("df");
    std::fs::write(&df, "#!/bin/sh\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&df, PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let environment = vec![("PATH".to_owned(), path)];
    let harness = SshHarness::with(&SshdOptions { environment, ..SshdOptions::default() });
    let connection = harness.connect().await;

    let measured = sample(&connection).await.unwrap();

    assert_eq!(measured.disk, None);
    assert!(measured.cpu.is_some() && measured.memory_bytes.is_some(), "{measured:?}");
    assert!(measured.load.is_some() && measured.uptime_seconds.is_some(), "{measured:?}");
    assert!(connection.is_live(), "the next sample is taken over it");
    harness.until_only(0).await;
}

/// Ticks of a hundredth of a second that the server's sshd and all its ended children have used.
fn ticks(harness: &SshHarness) -> u64 {
    let children = |pid: u32| {
        let list = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
    };
    let used = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<u64> = stat
            .rsplit(") ")
            .next()
            .unwrap()
            .split_whitespace()
            .map(|field| field.parse().unwrap_or_default())
            .collect();
        fields[11..15].iter().sum::<u64>()
    };
    children(harness.sshd.pid().unwrap()).into_iter().map(used).sum()
}

#[tokio::test]
async fn a_sample_costs_the_server_little() {
    let harness = SshHarness::start();
    let connection = harness.connect().await;
    sample(&connection).await.unwrap();
    let before = ticks(&harness);
    let begun = tokio::time::Instant::now();
    for _ in 0..100 {
        sample(&connection).await.unwrap();
    }
    let (cpu, took) =
        (Duration::from_millis((ticks(&harness) - before) * 10) / 100, begun.elapsed() / 100);
    println!("a sample costs the server {cpu:?} of CPU and takes {took:?}");
    assert!(cpu < Duration::from_millis(100), "{cpu:?}");
}
