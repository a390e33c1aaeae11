//! The clock that packets carry, and this process's memory.

use std::time::{SystemTime, UNIX_EPOCH};

/// Wall time in nanoseconds since 1970: the clock in which the kernel stamps arrivals.
pub fn realtime_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Resident memory of process `pid` in bytes, if the kernel tells.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
