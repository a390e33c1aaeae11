//! What other processes use, as the kernel tells.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};

/// Processor time that process `pid` has used, all its living threads together, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> Option<u64> {
    let threads = read_dir(format!("/proc/{pid}/task")).ok()?;
    let used = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Some(threads.filter_map(used).sum::<u64>() / 1000)
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

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_used_some() {
        assert!(super::cpu_us(std::process::id()).is_some());
        assert!(super::cpu_us(u32::MAX).is_none());
    }
}
