//! `io_uring`: a multishot receive per socket, each datagram sent on from the buffer that it came in, one
//! system call per tick to send and one to sleep and receive.

#![expect(unsafe_code, reason = "requests to io_uring; each block says why it is sound")]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::{Duration, Instant};

use io_uring::squeue::Flags;
use io_uring::types::{BufRingEntry, CancelBuilder, Fixed, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode};

use super::NullRelay;

/// Buffers, a power of two, and their size: a voice packet has 172 bytes.
const BUFFERS: u16 = 1024;
const BYTES: usize = 256;
const RESULTS: u32 = 4096;
const GROUP: u16 = 0;
/// Marks the results of failed sends.
const SEND: u64 = 1 << 32;

pub(super) fn run(relay: &NullRelay, stop: &AtomicBool) -> io::Result<()> {
    let mut ring = IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_submit_all()
        .setup_cqsize(RESULTS)
        .build(RESULTS / 2)?;
    let files: Vec<i32> = relay.sockets.iter().map(AsRawFd::as_raw_fd).collect();
    ring.submitter().register_files(&files)?;
    let mut buffers = Buffers::new(&ring)?;
    for leg in 0..files.len() {
        receive(&mut ring, leg as u32);
    }
    let done = relay_all(relay, stop, &mut ring, &mut buffers);
    // The kernel closes a ring in its own time; the ports shall be free at once.
    let _ = ring.submitter().register_sync_cancel(None, CancelBuilder::any());
    while ring.completion().count() > 0 || wait(&ring, 1, Duration::from_millis(1)).is_err() {}
    ring.submitter().unregister_files()?;
    // Closes the ring before the buffers go.
    drop(ring);
    done
}

fn relay_all(
    relay: &NullRelay,
    stop: &AtomicBool,
    ring: &mut IoUring,
    buffers: &mut Buffers,
) -> io::Result<()> {
    let mut used = Vec::new();
    let mut arrived = Vec::new();
    let mut began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        if !relay.tick.is_zero() && !arrived.is_empty() {
            // Sent first: a sleep in the same call would begin after the sending and make the tick longer.
            ring.submit()?;
            let rest = relay.next_tick(began).saturating_duration_since(Instant::now());
            if !rest.is_zero() {
                wait(ring, RESULTS - 1, rest)?;
            }
        }
        if ring.completion().is_empty() {
            wait(ring, 1, Duration::from_millis(100))?;
        }
        // All sends of the last round were taken in: the buffers are free.
        used.drain(..).for_each(|number| buffers.lend(number));
        began = Instant::now();
        relay.moved.rounds.fetch_add(1, Ordering::Relaxed);
        arrived.clear();
        arrived.extend(ring.completion());
        let (mut count, mut failed) = (0, 0);
        for result in &arrived {
            if result.user_data() & SEND != 0 {
                failed += 1;
                continue;
            }
            let leg = result.user_data() as u32;
            if let (Some(number), Ok(length)) =
                (cqueue::buffer_select(result.flags()), u32::try_from(result.result()))
            {
                count += 1;
                let send = opcode::Send::new(Fixed(leg ^ 1), buffers.address(number), length)
                    .flags(libc::MSG_DONTWAIT)
                    .build();
                push(ring, &send.flags(Flags::SKIP_SUCCESS).user_data(SEND));
                used.push(number);
            }
            if !cqueue::more(result.flags()) {
                receive(ring, leg);
            }
        }
        relay.moved.count(count, count - failed.min(count));
    }
    Ok(())
}

fn wait(ring: &IoUring, results: u32, time: Duration) -> io::Result<()> {
    let time = Timespec::from(time);
    match ring.submitter().submit_with_args(results as usize, &SubmitArgs::new().timespec(&time)) {
        Err(error) if !matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR)) => Err(error),
        _ => Ok(()),
    }
}

fn receive(ring: &mut IoUring, leg: u32) {
    push(ring, &opcode::RecvMulti::new(Fixed(leg), GROUP).build().user_data(u64::from(leg)));
}

fn push(ring: &mut IoUring, entry: &io_uring::squeue::Entry) {
    // SAFETY: receives point to nothing, sends to one of the buffers, which outlive the ring.
    while unsafe { ring.submission().push(entry) }.is_err() {
        // The next try will do.
        let _ = ring.submit();
    }
}

/// Room for datagrams, shared with the kernel.
struct Buffers {
    list: *mut BufRingEntry,
    bytes: Vec<[u8; BYTES]>,
    layout: Layout,
    tail: u16,
}

impl Buffers {
    fn new(ring: &IoUring) -> io::Result<Self> {
        let size = usize::from(BUFFERS) * size_of::<BufRingEntry>();
        let layout = Layout::from_size_align(size, 4096).map_err(io::Error::other)?;
        // SAFETY: the layout's size is not zero.
        let list: *mut BufRingEntry = unsafe { alloc_zeroed(layout) }.cast();
        if list.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let bytes = vec![[0; BYTES]; usize::from(BUFFERS)];
        let mut buffers = Buffers { list, bytes, layout, tail: 0 };
        // SAFETY: the list has room for `BUFFERS` entries, begins at a page and outlives the ring.
        unsafe { ring.submitter().register_buf_ring_with_flags(list as u64, BUFFERS, GROUP, 0)? };
        (0..BUFFERS).for_each(|number| buffers.lend(number));
        Ok(buffers)
    }

    fn address(&self, number: u16) -> *const u8 {
        self.bytes.get(usize::from(number)).map_or(std::ptr::null(), |bytes| bytes.as_ptr())
    }

    fn lend(&mut self, number: u16) {
        let address = self.address(number);
        // SAFETY: the masked tail is below `BUFFERS`; the kernel looks at the entry only once the tail
        // says so, and the tail is a `u16` in the first entry.
        let tail = unsafe {
            let entry = &mut *self.list.add(usize::from(self.tail & (BUFFERS - 1)));
            entry.set_addr(address as u64);
            entry.set_len(BYTES as u32);
            entry.set_bid(number);
            &*BufRingEntry::tail(self.list).cast::<AtomicU16>()
        };
        self.tail = self.tail.wrapping_add(1);
        tail.store(self.tail, Ordering::Release);
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.list.cast(), self.layout) };
    }
}
