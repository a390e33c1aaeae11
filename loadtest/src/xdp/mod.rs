//! The relay in the kernel under load: three network namespaces on this machine, frames from a generator in the
//! kernel (`xdp/bench.bpf.c`, run with `BPF_F_TEST_XDP_LIVE_FRAMES`), sinks that count, and clocks for
//! whatever the machine does meanwhile.

pub mod machine;
pub mod net;
pub mod programs;
