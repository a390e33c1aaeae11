//! An `AF_XDP` socket that only sends: frames go from memory that the kernel sees to a network card's queue, past UDP, IP
//! and the queueing discipline. Always by copying ("copy mode"): with a driver's "zero copy" the card's queue would also
//! receive into this memory, and what the kernel's own sockets shall hear would be lost.
//!
//! Layouts and rules: Linux, Documentation/networking/af_xdp.rst and `linux/if_xdp.h`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::net::Sent;
use crate::offload::mapping::Mapping;

/// Room for one frame: the least that the kernel takes.
pub(super) const CHUNK: usize = 2048;
/// Frames under way at most; more go by socket. A power of two, as rings are.
const CHUNKS: u32 = 1024;

/// A socket, its memory and its rings.
#[derive(Debug)]
pub(super) struct Xsk {
    fd: OwnedFd,
    chunks: Mapping,
    sending: Ring,
    sent: Ring,
    /// Chunks that nobody uses.
    free: Vec<u32>,
    /// Entries that were withdrawn, the oldest of the ring: the kernel passes them over.
    void: u32,
    /// The interface is no more.
    gone: bool,
    tally: Sent,
}

/// A ring of which one end is the kernel's. All indices wrap.
#[derive(Debug)]
struct Ring {
    mapping: Mapping,
    producer: usize,
    consumer: usize,
    entries: usize,
}

impl Ring {
    /// Maps the ring of `CHUNKS` entries of `entry` bytes at `offset`.
    fn map(fd: &OwnedFd, offset: i64, layout: &libc::xdp_ring_offset, entry: usize) -> io::Result<Ring> {
        let place = |at: u64| usize::try_from(at).map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        let entries = place(layout.desc)?;
        let bytes = entries.saturating_add(entry.saturating_mul(CHUNKS as usize));
        let mapping = Mapping::of(fd, offset, bytes)?;
        let ring =
            Ring { mapping, producer: place(layout.producer)?, consumer: place(layout.consumer)?, entries };
        if ring.index(ring.producer).is_none() || ring.index(ring.consumer).is_none() {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        Ok(ring)
    }

    fn index(&self, at: usize) -> Option<&AtomicU32> {
        let at: NonNull<AtomicU32> = self.mapping.at(at)?;
        // SAFETY: inside the mapping and aligned; the kernel and we reach it only as an atomic, and the reference does
        // not outlive the mapping.
        Some(unsafe { at.as_ref() })
    }

    fn producer(&self) -> u32 {
        self.index(self.producer).map_or(0, |index| index.load(Ordering::Acquire))
    }

    fn consumer(&self) -> u32 {
        self.index(self.consumer).map_or(0, |index| index.load(Ordering::Acquire))
    }

    fn set_producer(&self, value: u32) {
        if let Some(index) = self.index(self.producer) {
            index.store(value, Ordering::Release);
        }
    }

    fn set_consumer(&self, value: u32) {
        if let Some(index) = self.index(self.consumer) {
            index.store(value, Ordering::Release);
        }
    }

    /// The place of entry `number`.
    fn entry<T>(&self, number: u32) -> Option<NonNull<T>> {
        let offset = (number % CHUNKS) as usize * size_of::<T>();
        self.mapping.at(self.entries.checked_add(offset)?)
    }
}

impl Xsk {
    /// Opens a socket that sends by queue `queue` of the interface number `ifindex`. Needs `CAP_NET_RAW`.
    ///
    /// # Errors
    /// `EPERM` without that right, `EINVAL` if there is no such queue, `EBUSY` if the queue has such a socket already,
    /// `ENOBUFS` if the process may not lock as much memory; what else the kernel says.
    pub(super) fn open(ifindex: u32, queue: u32) -> io::Result<Xsk> {
        // SAFETY: takes no pointers.
        let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `fd` was opened just now and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let bytes = CHUNK * CHUNKS as usize;
        let chunks = Mapping::zeros(bytes)?;
        let first: NonNull<u8> = chunks.at(0).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        // SAFETY: integers, for which zero is a valid value.
        let mut memory: libc::xdp_umem_reg = unsafe { std::mem::zeroed() };
        memory.addr = first.as_ptr().expose_provenance() as u64;
        memory.len = bytes as u64;
        memory.chunk_size = CHUNK as u32;
        set(&fd, libc::SOL_XDP, libc::XDP_UMEM_REG, &memory)?;
        // The kernel wants the ring for receiving too; it stays empty.
        for ring in [libc::XDP_UMEM_FILL_RING, libc::XDP_UMEM_COMPLETION_RING, libc::XDP_TX_RING] {
            set(&fd, libc::SOL_XDP, ring, &CHUNKS)?;
        }
        // As many bytes as there are chunks, with what the kernel needs for each: the default holds some 200 frames.
        // Without the right to it there are fewer, and the rest goes by socket.
        let _ = set(&fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &(bytes as i32));
        let layout = offsets(&fd)?;
        let (tx, completion) = (libc::XDP_PGOFF_TX_RING, libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64);
        let sending = Ring::map(&fd, tx, &layout.tx, size_of::<libc::xdp_desc>())?;
        let sent = Ring::map(&fd, completion, &layout.cr, size_of::<u64>())?;
        bind(&fd, ifindex, queue)?;
        Ok(Xsk {
            fd,
            chunks,
            sending,
            sent,
            free: (0..CHUNKS).collect(),
            void: 0,
            gone: false,
            tally: Sent::default(),
        })
    }

    /// Lets `write` make a frame with `bytes` of payload; it is on its way after the next [`Xsk::flush`]. `write` gives its
    /// length, or `None` if there shall be none. `false` if there is none, or no room.
    #[inline]
    pub(super) fn push(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&mut [u8; CHUNK]) -> Option<usize>,
    ) -> bool {
        if self.free.is_empty() || self.waiting() >= CHUNKS {
            self.flush();
        }
        if self.gone || self.waiting() >= CHUNKS {
            return false;
        }
        let Some(&chunk) = self.free.last() else { return false };
        let address = chunk as usize * CHUNK;
        let Some(mut room) = self.chunks.at::<[u8; CHUNK]>(address) else { return false };
        // SAFETY: inside the mapping; the chunk is free, so neither the kernel nor anybody here looks at it.
        let Some(length) = write(unsafe { room.as_mut() }) else { return false };
        let producer = self.sending.producer();
        let Some(entry) = self.sending.entry::<libc::xdp_desc>(producer) else { return false };
        let descriptor = libc::xdp_desc { addr: address as u64, len: length as u32, options: 0 };
        // SAFETY: inside the mapping and aligned; the entry is ours until the producer has passed it, and fewer wait than
        // there are, so it is not one that the kernel has yet to read.
        unsafe { entry.write(descriptor) };
        self.sending.set_producer(producer.wrapping_add(1));
        self.free.pop();
        self.tally.bytes = self.tally.bytes.saturating_add(bytes as u64);
        true
    }

    /// Entries that the kernel has not passed yet.
    fn waiting(&self) -> u32 {
        self.sending.producer().wrapping_sub(self.sending.consumer())
    }

    /// Hands the frames to the card. What it has no room for waits for the next time; what cannot be sent is lost.
    pub(super) fn flush(&mut self) {
        while self.waiting() > 0 && self.kick() {}
        self.reclaim();
    }

    /// One system call, which takes 32 frames at most. `false` if there is no use in another one now.
    pub(super) fn kick(&mut self) -> bool {
        let before = self.sending.consumer();
        // SAFETY: no bytes and no address are handed over.
        let done = unsafe {
            libc::sendto(self.fd.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0)
        };
        let error = if done < 0 { io::Error::last_os_error().raw_os_error() } else { None };
        self.tally.calls = self.tally.calls.saturating_add(1);
        let passed = self.sending.consumer().wrapping_sub(before);
        let withdrawn = passed.min(self.void);
        self.void = self.void.wrapping_sub(withdrawn);
        let sent = passed.wrapping_sub(withdrawn);
        self.tally.packets = self.tally.packets.saturating_add(sent.into());
        match error {
            Some(libc::ENETDOWN) => self.withdraw(),
            Some(libc::ENXIO | libc::ENODEV | libc::EBADF) => {
                self.withdraw();
                self.gone = true;
            }
            // EAGAIN after a whole batch, or a card that is full.
            _ => return passed > 0,
        }
        false
    }

    /// What was sent since the last call.
    pub(super) fn tally(&mut self) -> Sent {
        std::mem::take(&mut self.tally)
    }

    /// Takes back what the kernel will not send. The entries stay, since the kernel may have seen how far the ring is filled,
    /// and point outside of our memory: it passes them over, when it sends again.
    fn withdraw(&mut self) {
        let (first, waiting) = (self.sending.consumer(), self.waiting());
        for number in self.void..waiting {
            let Some(mut entry) = self.sending.entry::<libc::xdp_desc>(first.wrapping_add(number)) else {
                continue;
            };
            // SAFETY: inside the mapping and aligned; written by `push`. In copy mode the kernel reads only within a
            // system call of this thread.
            let address = std::mem::replace(unsafe { &mut entry.as_mut().addr }, u64::MAX);
            self.give_back(address);
        }
        self.tally.failed = self.tally.failed.saturating_add(waiting.wrapping_sub(self.void).into());
        self.void = waiting;
    }

    /// Takes back the chunks that the card is done with.
    fn reclaim(&mut self) {
        let (mut at, end) = (self.sent.consumer(), self.sent.producer());
        while at != end {
            if let Some(entry) = self.sent.entry::<u64>(at) {
                // SAFETY: inside the mapping and aligned; the kernel has written it and waits for us to pass it.
                let address = unsafe { entry.read() };
                self.give_back(address);
            }
            at = at.wrapping_add(1);
        }
        self.sent.set_consumer(at);
    }

    fn give_back(&mut self, address: u64) {
        let chunk = u32::try_from(address / CHUNK as u64).ok().filter(|chunk| *chunk < CHUNKS);
        self.free.extend(chunk);
    }
}

/// Where the rings' parts are.
fn offsets(fd: &OwnedFd) -> io::Result<libc::xdp_mmap_offsets> {
    // SAFETY: integers, for which zero is a valid value.
    let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::xdp_mmap_offsets>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `offsets`; both live for the length of the call.
    let done = unsafe {
        let to = (&raw mut offsets).cast();
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_XDP, libc::XDP_MMAP_OFFSETS, to, &raw mut length)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(offsets) }
}

fn bind(fd: &OwnedFd, ifindex: u32, queue: u32) -> io::Result<()> {
    // SAFETY: integers, for which zero is a valid value.
    let mut name: libc::sockaddr_xdp = unsafe { std::mem::zeroed() };
    name.sxdp_family = libc::AF_XDP as u16;
    name.sxdp_flags = libc::XDP_COPY;
    name.sxdp_ifindex = ifindex;
    name.sxdp_queue_id = queue;
    let length = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from `name`, which lives for the length of the call.
    let done = unsafe { libc::bind(fd.as_raw_fd(), (&raw const name).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn set<T>(fd: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from `value`, which lives for the length of the call.
    let done =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), length) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
