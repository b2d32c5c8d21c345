//! Parses a sample from a server's answer: each line strictly, and none because of another.

use super::{CpuTime, DiskSpace, Sample};

const BEGIN: &str = "lethe: sample";
const KIB: u64 = 1024;
/// user nice system idle iowait irq softirq steal; guest times are in the first two already.
const CPU_FIELDS: usize = 8;
const IDLE: [usize; 2] = [3, 4];

/// `None`: the script did not run.
pub(super) fn sample(out: &[u8]) -> Option<Sample> {
    let text = String::from_utf8_lossy(out);
    // What has no end may have been cut in the middle of a number.
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    let mut lines = lines.skip_while(|line| *line != BEGIN);
    lines.next()?;
    let mut sample = Sample::default();
    for line in lines {
        read(line, &mut sample);
    }
    let total = sample.memory_bytes;
    sample.memory_available_bytes = sample
        .memory_available_bytes
        .filter(|available| total.is_none_or(|total| *available <= total));
    Some(sample)
}

/// The first line of each name counts.
fn read(line: &str, sample: &mut Sample) {
    let mut words = line.split_whitespace();
    let (Some(name), words) = (words.next(), words.collect::<Vec<_>>()) else { return };
    match name {
        "cpu" => sample.cpu = sample.cpu.or_else(|| cpu(&words)),
        "MemTotal:" => sample.memory_bytes = sample.memory_bytes.or_else(|| memory(&words)),
        "MemAvailable:" => {
            sample.memory_available_bytes =
                sample.memory_available_bytes.or_else(|| memory(&words));
        }
        "load" => sample.load = sample.load.or_else(|| load(&words)),
        "up" => sample.uptime_seconds = sample.uptime_seconds.or_else(|| uptime(&words)),
        "disk" => sample.disk = sample.disk.or_else(|| disk(&words)),
        _ => {}
    }
}

/// `cpu 12 0 34 5678 9 0 1 0 0 0`
fn cpu(words: &[&str]) -> Option<CpuTime> {
    let fields: Vec<u64> =
        words.iter().map(|field| field.parse::<u64>().ok()).collect::<Option<_>>()?;
    let fields = fields.get(..CPU_FIELDS)?;
    let sum = |sum: u64, field: &u64| sum.checked_add(*field);
    let total = fields.iter().try_fold(0, sum)?;
    let idle = IDLE.iter().filter_map(|index| fields.get(*index)).try_fold(0, sum)?;
    Some(CpuTime { busy: total.checked_sub(idle)?, total })
}

/// `MemTotal: 8031932 kB`
fn memory(words: &[&str]) -> Option<u64> {
    let [number, "kB"] = words else { return None };
    kib(number)
}

/// `load 0.20 0.18 0.12 1/80 11206`
fn load(words: &[&str]) -> Option<[f64; 3]> {
    let [one, five, fifteen, _, _] = words else { return None };
    Some([decimal(one)?, decimal(five)?, decimal(fifteen)?])
}

/// `up 350735.47 234388.90`
fn uptime(words: &[&str]) -> Option<f64> {
    let [up, _] = words else { return None };
    decimal(up)
}

/// `disk /dev/sda1 41151808 9120128 30097472 24% /`: the device's name may hold spaces.
fn disk(words: &[&str]) -> Option<DiskSpace> {
    let [_, .., all, _used, available, _share, "/"] = words else { return None };
    let (bytes, available_bytes) = (kib(all)?, kib(available)?);
    (available_bytes <= bytes).then_some(DiskSpace { bytes, available_bytes })
}

fn kib(word: &str) -> Option<u64> {
    word.parse::<u64>().ok()?.checked_mul(KIB)
}

/// Digits with a point between: neither a sign, an exponent, `inf` nor `nan`.
fn decimal(word: &str) -> Option<f64> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = word.parse().ok()?;
    (plain && value.is_finite()).then_some(value)
}
