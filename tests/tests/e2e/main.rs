//! End-to-end tests: the built `usher` with SIPp as carriers and telephones, baresip as a softphone, and RTP that
//! is listened to. Needs `scripts/install-debian.sh test` and `cargo build -p usher` (`make test` does both).

mod desk;
mod refusals;
mod story;
