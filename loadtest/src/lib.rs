//! The load that Usher is measured with: paced RTP streams, relays to compare with, reports.
//!
//! [`rtp::Generator`] plays and listens to thousands of RTP streams and knows, for each packet that
//! arrives, when it was sent; drivers that set calls up by SIP hand it their sockets. [`rig`] is the
//! agreement about addresses that lets a relay and a generator meet without signalling.

pub mod null_relay;
pub mod null_sender;
pub mod results;
pub mod rig;
pub mod rtp;
pub mod xdp;
