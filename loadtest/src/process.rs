//! What other processes use, as the kernel tells.

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

#[cfg(test)]
mod tests {
    #[test]
    fn this_process_has_used_some() {
        assert!(super::cpu_us(std::process::id()).is_some());
        assert!(super::cpu_us(u32::MAX).is_none());
    }
}
