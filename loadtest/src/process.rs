//! What other processes cost.

use std::collections::BTreeMap;

/// Processor time that process `pid` has used, in microseconds: user and system of `/proc/PID/stat`, whose
/// unit is 10 ms.
pub(crate) fn cpu_us(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 10_000)
}

/// The same of a process and all that it started.
pub(crate) fn cpu_us_of_all(pid: u32) -> Option<u64> {
    let parent_of = |pid: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let pids = std::fs::read_dir("/proc").ok()?.flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: BTreeMap<u32, u32> = pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
    let is_its = |mut of: u32| {
        // A chain of parents is no longer than there are processes.
        for _ in 0..parents.len() {
            if of == pid {
                return true;
            }
            let Some(&parent) = parents.get(&of) else { return false };
            of = parent;
        }
        false
    };
    Some(parents.keys().filter(|&&of| is_its(of)).filter_map(|&of| cpu_us(of)).sum())
}
