use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::parse;
use super::{CpuTime, Sample, sample};
use crate::remote::task::tests::harness::SshHarness;
use test_support::sshd::SshdOptions;

const GOOD: &str = "Welcome\n\nlethe: sample\ncpu 10 0 20 60 10 0 0 0 0 0\nMemTotal: 8000 kB\n\
    MemAvailable: 5000 kB\nload 0.20 1.18 10.12 1/80 11206\nup 350735.47 234388.90\n\
    Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/my disk 4000 1000 3000 25% /\n";

#[test]
fn a_sample_is_read() {
    let expected = Sample {
        cpu: CpuTime { busy: 30, total: 100 },
        memory_bytes: 8_192_000,
        memory_available_bytes: 5_120_000,
        disk_bytes: 4_096_000,
        disk_available_bytes: 3_072_000,
        load: [0.2, 1.18, 10.12],
        uptime_seconds: 350_735.47,
    };
    assert_eq!(parse::sample(GOOD.as_bytes()), Some(expected));
}

#[test]
fn half_a_sample_is_none() {
    for end in 0..GOOD.len() - 2 {
        assert_eq!(parse::sample(&GOOD.as_bytes()[..end]), None, "{end}");
    }
    for (good, bad) in [
        ("60 10", "60 18446744073709551615"),
        ("cpu 10", "cpu -10"),
        ("8000 kB", "8000 MB"),
        ("MemAvailable: 5000", "MemAvailable: 9000"),
        ("0.20", "nan"),
        ("1.18", "-1.18"),
        ("10.12", "1e3"),
        ("up 350735.47", "up inf"),
        ("25% /", "25% /home"),
        ("3000 25%", "5000 25%"),
        ("25% /\n", "25% /\n/ 1 1 1 1% /\n"),
    ] {
        let text = GOOD.replace(good, bad);
        assert_ne!(text, GOOD);
        assert_eq!(parse::sample(text.as_bytes()), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), at in 0..GOOD.len(), with in any::<u8>()) {
        let mut near = GOOD.as_bytes().to_vec();
        near[at] = with;
        for bytes in [bytes, near] {
            if let Some(sample) = parse::sample(&bytes) {
                prop_assert!(sample.memory_available_bytes <= sample.memory_bytes);
                prop_assert!(sample.cpu.busy <= sample.cpu.total);
                prop_assert!(sample.load.iter().all(|load| load.is_finite() && *load >= 0.0));
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

fn is_sound(sample: &Sample) {
    assert!(sample.cpu.busy > 0 && sample.memory_bytes > 0 && sample.disk_bytes > 0, "{sample:?}");
    assert!(sample.uptime_seconds > 1.0, "{sample:?}");
}

#[tokio::test]
async fn a_real_server_is_sampled_whatever_its_shell() {
    let bash = SshdOptions { shell: PathBuf::from("/bin/bash"), ..SshdOptions::default() };
    for options in [SshdOptions::default(), bash] {
        let harness = SshHarness::with(&options);
        let connection = harness.connect().await;
        let before = sample(&connection).await.unwrap();
        is_sound(&before);
        let mut after = before;
        while after.cpu.total == before.cpu.total {
            after = sample(&connection).await.unwrap();
        }
        let share = after.cpu.share_since(before.cpu).unwrap();
        assert!((0.0..=1.0).contains(&share));
        assert!(after.uptime_seconds >= before.uptime_seconds);
    }
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
