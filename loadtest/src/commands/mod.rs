//! One file per subcommand.

pub(crate) mod bridge_bench;
pub(crate) mod calls;
pub(crate) mod compare;
pub(crate) mod compare_acd;
pub(crate) mod compare_sip;
pub(crate) mod demo;
pub(crate) mod registers;
pub(crate) mod relay;
pub(crate) mod rtp;
pub(crate) mod xdp;
pub(crate) mod xdp_prompts;
