//! Room for datagrams, lent to the kernel: it fills the next free buffer when a datagram arrives.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;
use std::ops::RangeInclusive;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::IoUring;
use io_uring::types::BufRingEntry;

use super::DATA_AT;
use crate::net::batch::PACKET_BYTES_MAX;
use crate::net::io::{BUFFER_BYTES, Buffer};

/// Limits of the most buffers that there may be.
const COUNT: RangeInclusive<usize> = 256..=4096;
/// As many there are at first, and while they are enough. The kernel takes the one that has lain the longest, so all of
/// them pass through the processor's cache: four times as many cost a packet a tenth more.
const USUAL: u16 = 1024;
/// Of a buffer, what the kernel may fill: a longer datagram is cut and marked.
const FILL_BYTES: usize = DATA_AT + PACKET_BYTES_MAX;
const _: () = assert!(FILL_BYTES <= BUFFER_BYTES);
/// Of a page, where the kernel wants the list to begin.
const PAGE: usize = 4096;

/// A list shared with the kernel (`io_uring_register_buf_ring`(3)): we append free buffers, it takes the
/// oldest.
#[derive(Debug)]
pub(super) struct Buffers {
    list: NonNull<BufRingEntry>,
    layout: Layout,
    /// Places in the list, a power of two.
    count: u16,
    tail: u16,
    /// By number; null while a parcel has the buffer, and where there is none.
    with_kernel: Vec<*mut Buffer>,
    /// Buffers that there are, and that there should be.
    held: u16,
    wanted: u16,
    /// Numbers of those that there are not.
    spare: Vec<u16>,
}

impl Buffers {
    /// The group's number in receive requests.
    pub(super) const GROUP: u16 = 1;

    /// How many there may be for so many sockets: one for every second leg (a leg has two sockets), to the next power
    /// of two. A leg brings a packet every 20 ms, so these are what comes in 10 ms or more. What comes while none is
    /// free waits in the sockets, whose requests end and must each be renewed, at the worst of moments.
    pub(super) fn count_for(sockets_max: usize) -> u16 {
        let count = (sockets_max / 4).clamp(*COUNT.start(), *COUNT.end()).next_power_of_two();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// At most `count`, from [`Buffers::count_for`].
    pub(super) fn new(ring: &IoUring, count: u16) -> io::Result<Self> {
        let bytes = usize::from(count) * size_of::<BufRingEntry>();
        let layout = Layout::from_size_align(bytes, PAGE).map_err(io::Error::other)?;
        // SAFETY: the layout's size is not zero.
        let list = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        let with_kernel = vec![ptr::null_mut(); usize::from(count)];
        let (wanted, spare) = (count.min(USUAL), (0..count).rev().collect());
        let mut buffers =
            Buffers { list: list.cast(), layout, count, tail: 0, with_kernel, held: 0, wanted, spare };
        // SAFETY: `list` has room for `count` entries, begins at a page, and lives until `self` is dropped,
        // which `Uring` does after it closed the ring.
        unsafe {
            let address = buffers.list.as_ptr() as u64;
            ring.submitter().register_buf_ring_with_flags(address, count, Self::GROUP, 0)?;
        }
        buffers.fill();
        Ok(buffers)
    }

    /// They were not enough: twice as many, if there may be.
    #[cold]
    pub(super) fn grow(&mut self) {
        self.wanted = self.wanted.saturating_mul(2).min(self.count);
        self.fill();
    }

    /// They have long been enough: half as many, but not fewer than usual.
    pub(super) fn shrink(&mut self) {
        self.wanted = (self.wanted / 2).max(self.count.min(USUAL));
    }

    fn fill(&mut self) {
        while self.held < self.wanted
            && let Some(number) = self.spare.pop()
        {
            self.held += 1;
            self.hand_over(number, Box::new([0; BUFFER_BYTES]));
        }
    }

    /// Gives buffer `number` back to the kernel, if it is wanted.
    #[inline]
    pub(super) fn lend(&mut self, number: u16, buffer: Box<Buffer>) {
        if self.held > self.wanted {
            self.held -= 1;
            self.spare.push(number);
        } else {
            self.hand_over(number, buffer);
        }
    }

    #[inline]
    fn hand_over(&mut self, number: u16, buffer: Box<Buffer>) {
        let Some(place) = self.with_kernel.get_mut(usize::from(number)).filter(|place| place.is_null())
        else {
            return;
        };
        let address = Box::into_raw(buffer);
        *place = address;
        let index = usize::from(self.tail & (self.count - 1));
        // SAFETY: `index` is below `count`, so the entry lies in the list; the kernel does not look at it
        // before the tail says so.
        unsafe {
            let entry = &mut *self.list.as_ptr().add(index);
            entry.set_addr(address as u64);
            entry.set_len(FILL_BYTES as u32);
            entry.set_bid(number);
        }
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail is a `u16` inside the list's first entry, which is aligned and ours to write.
        let tail = unsafe { &*BufRingEntry::tail(self.list.as_ptr()).cast::<AtomicU16>() };
        // The entry is written before the kernel may see it.
        tail.store(self.tail, Ordering::Release);
    }

    /// Takes back buffer `number`, which the kernel filled.
    #[inline]
    pub(super) fn take(&mut self, number: u16) -> Option<Box<Buffer>> {
        let place = self.with_kernel.get_mut(usize::from(number))?;
        let address = std::mem::replace(place, ptr::null_mut());
        if address.is_null() {
            return None;
        }
        // SAFETY: the address came from `Box::into_raw` in `lend`, and the kernel, which reported the
        // buffer as filled, does not use it any more.
        Some(unsafe { Box::from_raw(address) })
    }
}

impl Drop for Buffers {
    fn drop(&mut self) {
        for number in 0..self.count {
            drop(self.take(number));
        }
        // SAFETY: allocated in `new` with this layout; the ring that knew it is closed.
        unsafe { dealloc(self.list.as_ptr().cast(), self.layout) };
    }
}
