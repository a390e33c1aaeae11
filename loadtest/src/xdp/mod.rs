//! The relay in the kernel under load: three network namespaces on this machine, frames from a generator in the
//! kernel (`xdp/bench.bpf.c`, run with `BPF_F_TEST_XDP_LIVE_FRAMES`), sinks that count.

pub mod net;
pub mod programs;
pub mod speaker;
