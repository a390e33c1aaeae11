//! What a figure was measured on.

use std::fmt;
use std::fs::read_to_string;

/// The machine, as far as it tells.
#[derive(Clone, Debug)]
pub struct Machine {
    processor: String,
    processors: usize,
    memory_gb: u64,
    kernel: String,
    system: String,
    load: String,
}

impl Machine {
    /// This machine, now.
    pub fn this() -> Machine {
        let read = |path: &str| read_to_string(path).unwrap_or_default();
        let after = |text: &str, key: &str, split: char| {
            let line = text.lines().find(|line| line.starts_with(key));
            line.and_then(|line| line.split_once(split)).map(|(_, value)| value.trim().to_owned())
        };
        let cpu = read("/proc/cpuinfo");
        let memory = after(&read("/proc/meminfo"), "MemTotal", ':').unwrap_or_default();
        let kilobytes: u64 = memory.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        let system = after(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_default();
        let load = read("/proc/loadavg");
        Machine {
            processor: after(&cpu, "model name", ':').unwrap_or_else(|| "unknown processor".into()),
            processors: cpu.lines().filter(|line| line.starts_with("processor")).count(),
            memory_gb: kilobytes / 1_000_000,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            system: system.trim_matches('"').to_owned(),
            load: load.split(' ').next().unwrap_or("?").to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, processors, memory_gb, kernel, system, load } = self;
        write!(f, "{processors} × {processor}, {memory_gb} GB, Linux {kernel}, {system}; load average {load}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_processor_and_a_kernel() {
        let machine = Machine::this();
        assert!(machine.processors > 0 && !machine.kernel.is_empty(), "{machine}");
    }
}
