//! What a media thread counts. One writer, any number of readers, no locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread changes and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `count`. Only the owning thread may call this: load and store are apart, which spares the
    /// hot path a locked instruction.
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Ordering::Relaxed);
    }

    /// Replaces the number. Only the owning thread may call this.
    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds `count` from any thread.
    pub(crate) fn add_shared(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Keeps the largest. Only the owning thread may call this.
    pub(crate) fn raise_to(&self, value: u64) {
        if value > self.get() {
            self.set(value);
        }
    }
}

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counters of one media thread. They only grow, unless said otherwise.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $name: Counter,)*
        }

        /// [`Counters`] read at one moment, of one thread or summed over several.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct CounterValues {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Counters {
            /// The values now. Each is exact; they are not from exactly the same moment.
            pub fn read(&self) -> CounterValues {
                CounterValues { $($name: self.$name.get(),)* }
            }
        }

        impl CounterValues {
            /// Name, meaning and value of every counter, for a metrics page.
            pub fn list(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), concat!($($doc),*), self.$name),)*].into_iter()
            }

            /// The sum over two threads; of what ends in `_max` the larger.
            #[must_use]
            pub fn plus(&self, other: &CounterValues) -> CounterValues {
                let lag_us_max = self.lag_us_max.max(other.lag_us_max);
                let sum = CounterValues { $($name: self.$name.wrapping_add(other.$name),)* };
                CounterValues { lag_us_max, ..sum }
            }
        }
    };
}

counters! {
    /// Datagrams received.
    packets_in,
    /// Octets of UDP payload received.
    bytes_in,
    /// Datagrams sent.
    packets_out,
    /// Datagrams sent past the sockets (AF_XDP); they are in `packets_out` too.
    packets_af_xdp,
    /// Octets of UDP payload sent.
    bytes_out,
    /// System calls that took datagrams in.
    receives,
    /// System calls that sent datagrams.
    sends,
    /// Datagrams dropped because they were longer than any voice packet.
    drops_oversize,
    /// Datagrams not sent because a send buffer was full.
    drops_blocked,
    /// Datagrams not sent because the kernel refused them (unreachable, no route).
    drops_failed,
    /// Datagrams not sent because the leg has no such socket (any more).
    drops_no_socket,
    /// ICMP errors reported by the kernel and ignored.
    icmp_errors,
    /// Wake-ups: rounds of draining all ready sockets.
    rounds,
    /// Wake-ups that came over 1 ms later than planned.
    rounds_late,
    /// Whether the thread does not keep up (1), so that new calls go elsewhere or are refused (goes down too).
    late,
    /// The latest wake-up so far, µs after it was planned.
    lag_us_max,
    /// Sockets that had more waiting than one round takes: a flood.
    rounds_flooded,
    /// Times that datagrams had to wait in the kernel because the thread's buffers were full.
    buffers_exhausted,
    /// Commands carried out.
    commands,
    /// Commands waiting now (goes down too).
    commands_waiting,
    /// Commands returned to their sender because the ring was full.
    commands_full,
    /// Events handed over.
    events,
    /// Events lost because the ring was full. Never one that ends a leg.
    events_lost,
    /// Events that wait now because the ring is full; no command is carried out meanwhile (goes down too).
    events_held,
    /// Unimportant events dropped at the relay's own limit.
    events_dropped,
    /// Legs not let into a mix that was full.
    mixes_full,
    /// Legs that could not be: no port, no file, or no place for one more.
    binds_failed,
    /// Legs now (goes down too).
    legs,
    /// Panics caught. Each ended at least one leg.
    panics,
    /// Processor time used by the thread, µs.
    cpu_us,
    /// RTP packets accepted from peers.
    rtp_in,
    /// RTP packets sent, of any source.
    rtp_out,
    /// RTP packets that the kernel passed on by itself; they are in `rtp_in` and `rtp_out` too.
    rtp_offloaded,
    /// Bridges that the kernel carries now (goes down too).
    offloaded,
    /// Bridges handed to the kernel.
    offloads,
    /// Bridges taken back from the kernel.
    offloads_ended,
    /// Bridges for which the kernel had no room; they stayed in user space.
    offloads_refused,
    /// RTCP packets accepted from peers.
    rtcp_in,
    /// RTCP packets sent.
    rtcp_out,
    /// Dropped: from somebody else than the peer.
    drops_stranger,
    /// Dropped: not RTP or RTCP, or of a payload type that nobody agreed to.
    drops_malformed,
    /// Dropped: from the peer's address with another stream's source.
    drops_wrong_ssrc,
    /// Dropped: SRTP whose tag does not fit its key, or plain RTP where SRTP was agreed on.
    drops_forged,
    /// Dropped: SRTP that came before.
    drops_replayed,
    /// Not sent: SRTP refused to protect it.
    drops_unprotected,
    /// Not recorded: no memory for the decoder that it needs.
    drops_untranslatable,
    /// Dropped: duplicates, and packets older than a change of source.
    drops_stale,
    /// Keys not sent: too many waited, or the peer takes none.
    drops_digits,
    /// Milliseconds of prompts, music and silence that were begun over 20 ms late.
    ticks_late,
    /// 20 ms frames of prompts and music that were skipped because the thread came too late.
    ticks_skipped,
    /// Commands about legs that were not there.
    commands_ignored,
    /// Recordings of callers' messages begun.
    recordings,
    /// Recordings refused because those under way take all the memory they may.
    recordings_refused,
}

/// The relay's own counters, as they are published here. A relay that starts over counts from zero
/// again, so what its predecessors counted is kept and added.
#[derive(Debug, Default)]
pub(crate) struct RelayTotals {
    before: [u64; RELAY.len()],
}

type Shown = fn(&Counters) -> &Counter;
type Source = fn(&media::relay::Counters) -> u64;

/// Where each counter of the relay is shown.
const RELAY: [(Shown, Source); 24] = [
    (|shown| &shown.rtp_in, |relay| relay.packets_in),
    (|shown| &shown.rtp_out, |relay| relay.packets_out),
    (|shown| &shown.rtp_offloaded, |relay| relay.packets_offloaded),
    (|shown| &shown.offloads, |relay| relay.offloads),
    (|shown| &shown.offloads_ended, |relay| relay.offloads_ended),
    (|shown| &shown.offloads_refused, |relay| relay.offloads_refused),
    (|shown| &shown.rtcp_in, |relay| relay.rtcp_in),
    (|shown| &shown.rtcp_out, |relay| relay.rtcp_out),
    (|shown| &shown.drops_stranger, |relay| relay.strangers),
    (|shown| &shown.drops_malformed, |relay| relay.malformed),
    (|shown| &shown.drops_wrong_ssrc, |relay| relay.wrong_ssrc),
    (|shown| &shown.drops_forged, |relay| relay.forged),
    (|shown| &shown.drops_replayed, |relay| relay.replayed),
    (|shown| &shown.drops_unprotected, |relay| relay.unprotected),
    (|shown| &shown.drops_untranslatable, |relay| relay.untranslatable),
    (|shown| &shown.drops_stale, |relay| relay.stale.wrapping_add(relay.no_leg)),
    (|shown| &shown.drops_digits, |relay| relay.digits_dropped),
    (|shown| &shown.ticks_late, |relay| relay.late_ticks),
    (|shown| &shown.ticks_skipped, |relay| relay.skipped_ticks),
    (|shown| &shown.commands_ignored, |relay| relay.commands_ignored),
    (|shown| &shown.events_dropped, |relay| relay.events_dropped),
    (|shown| &shown.mixes_full, |relay| relay.mixes_full),
    (|shown| &shown.recordings, |relay| relay.recordings),
    (|shown| &shown.recordings_refused, |relay| relay.recordings_refused),
];

impl RelayTotals {
    /// Publishes what `relay` has counted so far.
    pub(crate) fn publish(&self, relay: &media::relay::Counters, shown: &Counters) {
        for ((to, from), before) in RELAY.iter().zip(self.before) {
            to(shown).set(before.wrapping_add(from(relay)));
        }
    }

    /// Keeps what `relay` has counted: another one takes its place.
    pub(crate) fn keep(&mut self, relay: &media::relay::Counters) {
        for ((_, from), before) in RELAY.iter().zip(&mut self.before) {
            *before = before.wrapping_add(from(relay));
        }
    }
}
