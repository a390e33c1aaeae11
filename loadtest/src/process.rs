//! What other processes use, as the kernel tells.

use std::collections::BTreeMap;
use std::fs::{read_dir, read_to_string};

/// Processor time that process `pid` has used, all its living threads together, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> Option<u64> {
    Some(threads_ns(pid, "")? / 1000)
}

/// The same of its threads whose names begin with `name`, in nanoseconds.
pub(crate) fn threads_ns(pid: u32, name: &str) -> Option<u64> {
    let threads = read_dir(format!("/proc/{pid}/task")).ok()?;
    let used = |thread: std::io::Result<std::fs::DirEntry>| {
        let folder = thread.ok()?.path();
        if !read_to_string(folder.join("comm")).ok()?.starts_with(name) {
            return None;
        }
        let text = read_to_string(folder.join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    Some(threads.filter_map(used).sum())
}

/// The processes whose names begin with `name`; the kernel's own threads are among them.
pub(crate) fn named(name: &str) -> Vec<u32> {
    let pids = read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_it =
        |pid: &u32| read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.starts_with(name));
    pids.filter(is_it).collect()
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
        assert_eq!(super::threads_ns(std::process::id(), "nobody is called so"), Some(0));
    }
}
