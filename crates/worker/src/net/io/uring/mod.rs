//! `io_uring`: every socket has one standing request to receive (multishot, into buffers that the kernel
//! picks), and all datagrams of a round leave in one system call. At load there are two system calls per tick,
//! one that sends and one that sleeps and takes in, whatever the number of packets. Needs Linux 6.1, and a sandbox that
//! allows it.

mod buffers;
mod sends;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_uring::squeue::{Entry, Flags};
use io_uring::types::{Fd, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::{Buffer, PacketIo, Parcel, SocketTable, Tally, Woken};
use crate::net::address::{NAME_LEN, Name};
use crate::net::batch::PACKET_BYTES_MAX;
use crate::net::{Socket, SocketOptions, Token, Wake, raise_file_limit};
use buffers::Buffers;
use sends::{SENDS_MAX, Sends};

/// Requests that may wait to be handed over: sends, and receive requests to renew.
const REQUESTS_MAX: u32 = 4 * SENDS_MAX as u32;
/// Datagrams that one socket may bring per round before it has to pause for one: a flood.
const SHARE_MAX: u16 = 32;
/// Before the name that the kernel writes in front of a datagram: four numbers (`io_uring_recvmsg_out`).
const OUT_BYTES: usize = 16;
/// Where the datagram itself begins.
const DATA_AT: usize = OUT_BYTES + NAME_LEN as usize;
/// Rounds without want after which there may be fewer buffers: ten seconds of ticks.
const CALM_ROUNDS: u32 = 10_000;
/// Datagrams that leave in the system call that waits. The wait begins after the sending and ends as much too late, so more
/// of them have a call of their own: else each frame of a prompt would be as late as the sending of the one before it took.
const SENT_WITH_WAIT_MAX: usize = 4;
/// How long the kernel may take to let go of a socket that is being closed. It takes microseconds.
const CLOSING_MAX: Duration = Duration::from_secs(1);

/// What a request was for, as its number says: kind, generation, token or slot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Receive { token: Token, generation: u16 },
    Send(usize),
    Bell,
    Cancel,
}

impl Purpose {
    const fn number(self) -> u64 {
        match self {
            Purpose::Receive { token, generation } => (generation as u64) << 32 | (token.0 & 0xffff_ffff),
            Purpose::Send(slot) => 1 << 48 | slot as u64,
            Purpose::Bell => 2 << 48,
            Purpose::Cancel => 3 << 48,
        }
    }

    fn of(number: u64) -> Purpose {
        let low = number & 0xffff_ffff;
        match number >> 48 {
            0 => Purpose::Receive { token: Token(low), generation: (number >> 32) as u16 },
            1 => Purpose::Send(usize::try_from(low).unwrap_or(usize::MAX)),
            2 => Purpose::Bell,
            _ => Purpose::Cancel,
        }
    }
}

/// A socket's standing request.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// The socket's place among the registered files, while there is one.
    place: u32,
    /// Counts the sockets that had this token.
    generation: u16,
    /// The kernel has the request.
    armed: bool,
    /// The socket is being closed: what still arrives is thrown away.
    closing: bool,
    /// Datagrams of this round, and which round.
    share: u16,
    round: u32,
}

/// A datagram in a buffer.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    token: Token,
    buffer: u16,
    bytes: usize,
}

/// See the module's text. The ring comes first: it is closed before the memory that the kernel may use
/// for it goes.
pub(super) struct Uring {
    ring: IoUring,
    sockets: SocketTable,
    watches: Vec<Watch>,
    /// Places among the registered files that nobody has: there may be more tokens than a process may have files.
    places: Vec<u32>,
    /// Sockets whose request ended and must be renewed.
    to_renew: Vec<Token>,
    /// Sockets that brought too much in one round.
    to_pause: Vec<Token>,
    buffers: Buffers,
    sends: Sends,
    arrivals: VecDeque<Arrival>,
    /// What every receive request points to: room for the sender's name, none for control messages.
    form: Box<libc::msghdr>,
    bell: Fd,
    bell_listens: bool,
    /// Results that have room.
    results_max: u32,
    rang: bool,
    round: u32,
    /// A datagram had to wait because no buffer was free.
    is_starved: bool,
    /// The round in which the number of buffers was last looked at.
    fitted: u32,
    tally: Tally,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Uring({:?}, {} arrived)", self.sends, self.arrivals.len())
    }
}

impl Uring {
    /// Opens a ring after another one has shown that all of it works here.
    pub(super) fn open(bell: &Wake, tokens_max: usize) -> io::Result<Box<dyn PacketIo>> {
        probe()?;
        Ok(Box::new(Uring::new(bell, tokens_max)?))
    }

    fn new(bell: &Wake, tokens_max: usize) -> io::Result<Self> {
        let buffers = Buffers::count_for(tokens_max);
        // More than may wait to be looked at: a result for each buffer, for each refused send, and some that say an end.
        let results_max = 2 * u32::from(buffers).max(REQUESTS_MAX);
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(results_max)
            .build(REQUESTS_MAX)?;
        if !ring.params().is_feature_ext_arg() || !ring.params().is_feature_skip_cqe_on_success() {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        let files = u64::try_from(tokens_max).unwrap_or(u64::MAX).min(raise_file_limit()?.soft);
        let files = u32::try_from(files).unwrap_or(u32::MAX);
        ring.submitter().register_files_sparse(files)?;
        // SAFETY: a `msghdr` is integers and pointers, for which zero is a valid value.
        let mut form: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        form.msg_namelen = NAME_LEN;
        Ok(Uring {
            buffers: Buffers::new(&ring, buffers)?,
            ring,
            sockets: SocketTable::default(),
            watches: vec![Watch::default(); tokens_max],
            places: (0..files).rev().collect(),
            to_renew: Vec::new(),
            to_pause: Vec::new(),
            sends: Sends::default(),
            arrivals: VecDeque::with_capacity(results_max as usize),
            form,
            bell: Fd(bell.as_raw_fd()),
            bell_listens: false,
            results_max,
            rang: false,
            round: 0,
            is_starved: false,
            fitted: 0,
            tally: Tally::default(),
        })
    }

    /// Hands a request over with the next system call, or this one if no room is left. `false` if the kernel
    /// takes none any more.
    #[inline]
    fn request(&mut self, entry: &Entry) -> bool {
        if self.ring.submission().is_full() {
            self.submit();
        }
        self.enqueue(entry)
    }

    /// Hands a request over with the next system call. `false` if no room is left.
    #[inline]
    fn enqueue(&mut self, entry: &Entry) -> bool {
        // SAFETY: what the entry points to is `self.form`, or a slot of `self.sends`; both outlive the ring.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// The standing request of `token`, anew.
    fn renew(&mut self, token: Token) {
        let Some(watch) = self.watches.get_mut(token.index()) else { return };
        if watch.armed || watch.closing || self.sockets.get(token).is_none() {
            return;
        }
        watch.armed = true;
        let purpose = Purpose::Receive { token, generation: watch.generation };
        let receive = opcode::RecvMsgMulti::new(Fixed(watch.place), &raw const *self.form, Buffers::GROUP);
        if !self.request(&receive.build().user_data(purpose.number())) {
            self.retry_later(token);
        }
    }

    fn retry_later(&mut self, token: Token) {
        if let Some(watch) = self.watches.get_mut(token.index()) {
            watch.armed = false;
            self.to_renew.push(token);
        }
    }

    fn cancel(&mut self, token: Token) {
        let Some(watch) = self.watches.get(token.index()).filter(|watch| watch.armed) else { return };
        let receive = Purpose::Receive { token, generation: watch.generation };
        let cancel = opcode::AsyncCancel::new(receive.number()).build();
        self.request(&cancel.flags(Flags::SKIP_SUCCESS).user_data(Purpose::Cancel.number()));
    }

    fn listen_to_bell(&mut self) {
        let poll = opcode::PollAdd::new(self.bell, libc::POLLIN as u32).multi(true).build();
        self.bell_listens = self.request(&poll.user_data(Purpose::Bell.number()));
    }

    /// As many buffers as the last rounds needed.
    fn fit_buffers(&mut self) {
        if std::mem::take(&mut self.is_starved) {
            self.buffers.grow();
        } else if self.round.wrapping_sub(self.fitted) >= CALM_ROUNDS {
            self.buffers.shrink();
        } else {
            return;
        }
        self.fitted = self.round;
    }

    /// Requests that the last round made necessary.
    fn prepare(&mut self) {
        self.fit_buffers();
        for token in std::mem::take(&mut self.to_pause) {
            self.cancel(token);
        }
        for token in std::mem::take(&mut self.to_renew) {
            self.renew(token);
        }
        if !self.bell_listens {
            self.listen_to_bell();
        }
    }

    /// Hands all requests to the kernel without waiting.
    fn submit(&mut self) {
        self.tally.sent.calls += 1;
        // What fails here is an interrupted or overloaded kernel: the requests stay where they are.
        let _ = self.ring.submit();
        self.reap();
    }

    /// Hands all requests over and waits for `results`, at most `timeout`.
    fn submit_and_wait(&mut self, results: u32, timeout: Option<Duration>) -> io::Result<()> {
        self.tally.sent.calls += u64::from(!self.sends.is_empty());
        self.tally.receives += 1;
        let time = timeout.map(Timespec::from);
        let args = time.iter().fold(SubmitArgs::new(), |args, time| args.timespec(time));
        let done = self.ring.submitter().submit_with_args(results as usize, &args);
        self.reap();
        match done {
            Ok(_) => Ok(()),
            // Time is up, a signal came, or results had to be taken first, which they were.
            Err(error) => match error.raw_os_error() {
                Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// Looks at all results.
    fn reap(&mut self) {
        if self.ring.submission().is_empty() {
            // All was taken in; what was refused says so below.
            self.sends.submitted(&mut self.tally.sent);
        }
        loop {
            let Some(result) = self.ring.completion().next() else { return };
            let (value, flags) = (result.result(), result.flags());
            match Purpose::of(result.user_data()) {
                Purpose::Receive { token, generation } => self.received(token, generation, value, flags),
                Purpose::Send(slot) => {
                    let sockets = &self.sockets;
                    self.sends.refused(slot, -value, &mut self.tally.sent, |token| sockets.get(token));
                }
                Purpose::Bell => {
                    self.rang = true;
                    self.bell_listens = cqueue::more(flags);
                }
                Purpose::Cancel => {}
            }
        }
    }

    /// A receive request brought a datagram, or its end.
    fn received(&mut self, token: Token, generation: u16, value: i32, flags: u32) {
        let buffer = cqueue::buffer_select(flags);
        let round = self.round;
        let watch = self.watches.get_mut(token.index()).filter(|watch| watch.generation == generation);
        let Some(watch) = watch else { return self.recycle(buffer) };
        if !cqueue::more(flags) {
            watch.armed = false;
            self.to_renew.push(token);
        }
        if watch.closing {
            return self.recycle(buffer);
        }
        let (Ok(bytes), Some(buffer)) = (usize::try_from(value), buffer) else {
            self.recycle(buffer);
            return match -value {
                libc::ECANCELED => {}
                libc::ENOBUFS => {
                    self.tally.starved += 1;
                    self.is_starved = true;
                }
                // An ICMP error about something we sent. Reporting it cleared it.
                _ => self.tally.icmp += 1,
            };
        };
        self.arrivals.push_back(Arrival { token, buffer, bytes });
        self.tally.packets_in += 1;
        if watch.round != round {
            (watch.round, watch.share) = (round, 0);
        }
        watch.share = watch.share.saturating_add(1);
        if watch.share == SHARE_MAX {
            self.tally.flooded += 1;
            self.to_pause.push(token);
        }
    }

    /// Gives the kernel a buffer back that nobody wants to look into.
    fn recycle(&mut self, number: Option<u16>) {
        if let Some((number, buffer)) = number.and_then(|number| Some((number, self.buffers.take(number)?))) {
            self.buffers.lend(number, buffer);
        }
    }

    /// Waits until the kernel has let go of a socket's request.
    fn await_end(&mut self, token: Token) {
        let armed = |io: &Uring| io.watches.get(token.index()).is_some_and(|watch| watch.armed);
        let deadline = Instant::now() + CLOSING_MAX;
        while armed(self) && Instant::now() < deadline {
            if self.submit_and_wait(1, Some(CLOSING_MAX)).is_err() {
                return;
            }
        }
    }
}

/// What the kernel wrote into `buffer`; the buffer itself if the datagram was cut or its sender is unknown.
fn unwrap(token: Token, place: u16, buffer: Box<Buffer>, bytes: usize) -> Result<Parcel, Box<Buffer>> {
    let number = |at: usize| {
        let four = buffer.get(at..)?.first_chunk::<4>()?;
        Some(u32::from_ne_bytes(*four))
    };
    let (name_bytes, flags) = (number(0).unwrap_or(0) as usize, number(12).unwrap_or(0));
    let name = buffer.get(OUT_BYTES..OUT_BYTES + name_bytes.min(NAME_LEN as usize));
    let from = name.and_then(|name| Name::from_bytes(name).get());
    match from {
        Some(from) if flags & libc::MSG_TRUNC as u32 == 0 && bytes >= DATA_AT => {
            let end = bytes.min(DATA_AT + PACKET_BYTES_MAX);
            Ok(Parcel { token, from, buffer, start: DATA_AT, end, place })
        }
        _ => Err(buffer),
    }
}

/// Whether all that is needed works here: a datagram goes out and comes in.
fn probe() -> io::Result<()> {
    let bell = Wake::new()?;
    let mut io = Uring::new(&bell, 2)?;
    let options = SocketOptions { receive_buffer_bytes: None, send_buffer_bytes: None, dscp: 0 };
    let socket = Socket::bind(SocketAddr::from(([127, 0, 0, 1], 0)), &options)?;
    let address = socket.local_address()?;
    io.add(Token(0), socket)?;
    io.send(Token(0), Some(address), b"pro", b"be");
    io.wait(Some(Instant::now() + Duration::from_secs(1)))?;
    match io.next().as_mut().map(|parcel| &*parcel.bytes()) {
        Some(b"probe") => Ok(()),
        _ => Err(io::Error::other("a datagram that was sent did not arrive")),
    }
}

impl PacketIo for Uring {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn add(&mut self, token: Token, socket: Socket) -> io::Result<()> {
        let full = || io::Error::from_raw_os_error(libc::EMFILE);
        let watch = self.watches.get_mut(token.index()).ok_or_else(full)?;
        let &place = self.places.last().ok_or_else(full)?;
        self.ring.submitter().register_files_update(place, &[socket.as_raw_fd()])?;
        self.places.pop();
        watch.place = place;
        self.sockets.insert(token, socket);
        self.to_renew.push(token);
        Ok(())
    }

    fn socket(&self, token: Token) -> Option<&Socket> {
        self.sockets.get(token)
    }

    fn close(&mut self, token: Token) -> bool {
        self.flush();
        let Some(socket) = self.sockets.remove(token) else { return false };
        if let Some(watch) = self.watches.get_mut(token.index()) {
            watch.closing = true;
        }
        for arrival in std::mem::take(&mut self.arrivals) {
            if arrival.token == token {
                self.recycle(Some(arrival.buffer));
            } else {
                self.arrivals.push_back(arrival);
            }
        }
        self.cancel(token);
        self.await_end(token);
        let place = self.watches.get(token.index()).map_or(0, |watch| watch.place);
        // Only a place beyond the table could fail, and this one was filled.
        let _ = self.ring.submitter().register_files_update(place, &[-1]);
        self.places.push(place);
        drop(socket);
        self.to_renew.retain(|other| *other != token);
        self.to_pause.retain(|other| *other != token);
        if let Some(watch) = self.watches.get_mut(token.index()) {
            *watch = Watch { generation: watch.generation.wrapping_add(1), ..Watch::default() };
        }
        true
    }

    /// In two system calls, as a wait after much sending. (Linux 6.12 could be told when to end it instead.)
    fn rest(&mut self, until: Instant) {
        self.prepare();
        self.flush();
        let time = until.saturating_duration_since(Instant::now());
        if !time.is_zero() && self.submit_and_wait(self.results_max - 1, Some(time)).is_err() {
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
    }

    fn wait(&mut self, until: Option<Instant>) -> io::Result<Woken> {
        self.prepare();
        if self.sends.len() > SENT_WITH_WAIT_MAX {
            self.flush();
        }
        if self.arrivals.is_empty() && !self.rang {
            let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
            self.submit_and_wait(1, timeout)?;
        } else {
            self.flush();
        }
        self.round = self.round.wrapping_add(1);
        Ok(Woken { bell: std::mem::take(&mut self.rang), packets: !self.arrivals.is_empty() })
    }

    fn next(&mut self) -> Option<Parcel> {
        loop {
            let Arrival { token, buffer: number, bytes } = self.arrivals.pop_front()?;
            let Some(buffer) = self.buffers.take(number) else { continue };
            match unwrap(token, number, buffer, bytes) {
                Ok(parcel) => {
                    self.tally.bytes_in += (parcel.end - parcel.start) as u64;
                    return Some(parcel);
                }
                Err(buffer) => {
                    self.tally.oversize += 1;
                    self.buffers.lend(number, buffer);
                }
            }
        }
    }

    fn give_back(&mut self, parcel: Parcel) {
        self.buffers.lend(parcel.place, parcel.buffer);
    }

    fn send(&mut self, token: Token, to: Option<SocketAddr>, header: &[u8], payload: &[u8]) -> bool {
        // Room is made before the datagram has a slot: a submission frees all slots, and one that was filled before
        // it and handed over after it would be filled again meanwhile.
        if self.sends.is_full() || self.ring.submission().is_full() {
            self.submit();
        }
        // Nobody knows the token: the kernel says so of a place that nobody has.
        let known = self.watches.get(token.index()).filter(|_| self.sockets.get(token).is_some());
        let place = known.map_or(u32::MAX, |watch| watch.place);
        let Some((slot, entry)) = self.sends.push(token, Fixed(place), to, header, payload) else {
            return false;
        };
        if !self.enqueue(&entry.user_data(Purpose::Send(slot).number())) {
            self.sends.forget_last();
            self.tally.sent.blocked += 1;
        }
        true
    }

    fn flush(&mut self) {
        if !self.sends.is_empty() {
            self.submit();
        }
    }

    fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.tally)
    }
}

/// Takes every socket back from the kernel, so that their ports are free at once: it closes a ring, and
/// what the ring holds, in its own time.
impl Drop for Uring {
    fn drop(&mut self) {
        for token in self.sockets.tokens() {
            self.close(token);
        }
    }
}
