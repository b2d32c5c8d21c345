//! Parses a sample from a server's answer, strictly.

use super::{CpuTime, Sample};

const BEGIN: &str = "lethe: sample";
const KIB: u64 = 1024;
/// user nice system idle iowait irq softirq steal; guest times are in the first two already.
const CPU_FIELDS: usize = 8;
const IDLE: [usize; 2] = [3, 4];

pub(super) fn sample(out: &[u8]) -> Option<Sample> {
    let text = std::str::from_utf8(out).ok()?;
    let mut lines = text.lines().skip_while(|line| *line != BEGIN).skip(1);
    let cpu = cpu(lines.next()?)?;
    let memory_bytes = memory(lines.next()?, "MemTotal:")?;
    let memory_available_bytes = memory(lines.next()?, "MemAvailable:")?;
    let load = load(lines.next()?)?;
    let uptime_seconds = uptime(lines.next()?)?;
    let [disk_bytes, disk_available_bytes] = disk(lines.nth(1)?)?;
    let is_consistent =
        memory_available_bytes <= memory_bytes && disk_available_bytes <= disk_bytes;
    let sample = Sample {
        cpu,
        memory_bytes,
        memory_available_bytes,
        disk_bytes,
        disk_available_bytes,
        load,
        uptime_seconds,
    };
    (is_consistent && lines.next().is_none()).then_some(sample)
}

/// `cpu 12 0 34 5678 9 0 1 0 0 0`
fn cpu(line: &str) -> Option<CpuTime> {
    let fields = line.strip_prefix("cpu ")?.split(' ').map(|field| field.parse::<u64>().ok());
    let fields: Vec<u64> = fields.collect::<Option<_>>()?;
    let fields = fields.get(..CPU_FIELDS)?;
    let sum = |sum: u64, field: &u64| sum.checked_add(*field);
    let total = fields.iter().try_fold(0, sum)?;
    let idle = IDLE.iter().filter_map(|index| fields.get(*index)).try_fold(0, sum)?;
    Some(CpuTime { busy: total.checked_sub(idle)?, total })
}

/// `MemTotal: 8031932 kB`
fn memory(line: &str, name: &str) -> Option<u64> {
    let [first, number, unit] = words(line)?;
    let kib: u64 = number.parse().ok()?;
    (first == name && unit == "kB").then_some(kib)?.checked_mul(KIB)
}

/// `load 0.20 0.18 0.12 1/80 11206`
fn load(line: &str) -> Option<[f64; 3]> {
    let [first, one, five, fifteen, _, _] = words(line)?;
    let loads = [decimal(one)?, decimal(five)?, decimal(fifteen)?];
    (first == "load").then_some(loads)
}

/// `up 350735.47 234388.90`
fn uptime(line: &str) -> Option<f64> {
    let [first, up, _] = words(line)?;
    let up = decimal(up)?;
    (first == "up").then_some(up)
}

/// `/dev/sda1 41151808 9120128 30097472 24% /`: the device's name may hold spaces.
fn disk(line: &str) -> Option<[u64; 2]> {
    let mut fields = line.split_whitespace().rev();
    let mount = fields.next()?;
    let (_share, available, _used, all) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let _device = fields.next()?;
    let kib = |field: &str| field.parse::<u64>().ok()?.checked_mul(KIB);
    let sizes = [kib(all)?, kib(available)?];
    (mount == "/").then_some(sizes)
}

fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split(' ').collect::<Vec<_>>().try_into().ok()
}

/// Digits with a point between: neither a sign, an exponent, `inf` nor `nan`.
fn decimal(word: &str) -> Option<f64> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value: f64 = word.parse().ok()?;
    (plain && value.is_finite()).then_some(value)
}
