//! Limits and clocks of this process and its threads.

use std::io;
use std::time::Duration;

use super::socket::check;

/// How many files and sockets this process may hold open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLimit {
    /// The limit now in force.
    pub soft: u64,
    /// What an unprivileged process may raise it to.
    pub hard: u64,
}

/// Raises the soft limit of open files (`RLIMIT_NOFILE`) to the hard one and says what is in force.
pub fn raise_file_limit() -> io::Result<FileLimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `rlimit`, which is ours.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: the kernel reads one `rlimit`, which is ours.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) })?;
        limit = raised;
    }
    Ok(FileLimit { soft: limit.rlim_cur, hard: limit.rlim_max })
}

/// Keeps the calling thread on processor `cpu`.
pub fn pin_to(cpu: usize) -> io::Result<()> {
    let most = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
    if cpu >= most {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: a `cpu_set_t` is a bit array, for which zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `cpu` is below `CPU_SETSIZE`, so the bit lies inside `set`.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the kernel reads one `cpu_set_t`; 0 names the calling thread.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) }).map(drop)
}

/// Lets the calling thread's waits end when they should, instead of up to 50 µs later.
pub fn sharpen_timers() {
    const SLACK_NANOS: libc::c_ulong = 1;
    // SAFETY: takes no pointers. A kernel that refuses leaves things as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK_NANOS) };
}

/// Lets the calling thread, and those that it begins from now on, come after the others when there is not enough
/// processor time for all: by `steps` of the scheduler's niceness, of which each is a share a fifth smaller. It cannot
/// be undone without rights.
///
/// # Errors
/// What the operating system refuses.
pub fn step_back(steps: u8) -> io::Result<()> {
    // SAFETY: takes no pointers. On Linux a niceness belongs to a thread, 0 names the calling one, and asking for one's
    // own does not fail.
    let now = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: as above. The kernel takes what lies beyond its last step, 19, for that one.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, now + libc::c_int::from(steps)) }).map(drop)
}

/// Gives memory that nobody uses back to the system: what the allocator keeps between what is still in use. Takes
/// milliseconds, in which other threads may wait for memory.
pub fn give_memory_back() {
    // SAFETY: takes no pointers, and moves nothing that is in use.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Processor time that the calling thread has used.
pub fn thread_cpu_time() -> Duration {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Processor time that this process has used, all threads together.
pub fn process_cpu_time() -> Duration {
    read_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn read_clock(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one `timespec`, which is ours; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_it_goes() {
        let limit = raise_file_limit().unwrap();
        assert_eq!(limit.soft, limit.hard);
        assert!(thread_cpu_time() > Duration::ZERO);
        assert!(pin_to(1 << 20).is_err());
    }

    #[test]
    fn who_steps_back_takes_along_whom_he_begins_and_nobody_else() {
        // SAFETY: takes no pointers; 0 names the calling thread.
        let niceness = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = niceness();
        let (own, child) = std::thread::spawn(move || {
            step_back(3).unwrap();
            step_back(4).unwrap();
            (niceness(), std::thread::spawn(niceness).join().unwrap())
        })
        .join()
        .unwrap();
        // The scheduler's last step is 19.
        let behind = (before + 7).min(19);
        assert_eq!((own, child, niceness()), (behind, behind, before));
    }
}
