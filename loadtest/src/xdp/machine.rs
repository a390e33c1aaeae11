//! What the whole machine does: on each processor a thread of the lowest priority spins, and what it does not get
//! is what everything else used, the kernel's packet work included.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use worker::net::{pin_to, thread_cpu_time};

/// Spinning threads on all processors.
#[derive(Debug)]
pub struct Machine {
    stop: Arc<AtomicBool>,
    spun_ns: Vec<Arc<AtomicU64>>,
    threads: Vec<JoinHandle<()>>,
}

/// A moment, for the difference to another one.
#[derive(Clone, Debug)]
pub struct Reading {
    at: Instant,
    spun_ns: Vec<u64>,
}

impl Machine {
    /// Starts to measure.
    pub fn new() -> Machine {
        let stop = Arc::new(AtomicBool::new(false));
        // Not those that this thread may use, but all.
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let of_one = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
        let processors = text.lines().filter(of_one).count();
        let mut machine = Machine { stop, spun_ns: Vec::new(), threads: Vec::new() };
        for cpu in 0..processors {
            let (stop, spun) = (Arc::clone(&machine.stop), Arc::new(AtomicU64::new(0)));
            machine.spun_ns.push(Arc::clone(&spun));
            machine.threads.push(std::thread::spawn(move || {
                if pin_to(cpu).is_ok() && lowest_priority() {
                    spin(&stop, &spun);
                }
            }));
        }
        machine
    }

    /// Now.
    pub fn read(&self) -> Reading {
        Reading {
            at: Instant::now(),
            spun_ns: self.spun_ns.iter().map(|spun| spun.load(Ordering::Relaxed)).collect(),
        }
    }

    /// Busy time since `before`, for each processor, and how long that was.
    pub fn since(&self, before: &Reading) -> (Vec<Duration>, Duration) {
        let now = self.read();
        let wall = now.at - before.at;
        let spun = now.spun_ns.iter().zip(&before.spun_ns).map(|(now, before)| now.saturating_sub(*before));
        (spun.map(|spun| wall.saturating_sub(Duration::from_nanos(spun))).collect(), wall)
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic.
            let _ = thread.join();
        }
    }
}

fn spin(stop: &AtomicBool, spun: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..200 {
            std::hint::spin_loop();
        }
        let used = thread_cpu_time().as_nanos();
        spun.store(u64::try_from(used).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "std has no scheduling classes")]
fn lowest_priority() -> bool {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel reads one `sched_param`, which lives for the length of the call; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameter) == 0 }
}
