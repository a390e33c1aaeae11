//! Waiting for many sockets at once, and being woken by another thread.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::socket::check;

/// What a socket was registered under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub u64);

impl Token {
    /// As an index of a table.
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// An epoll set, edge-triggered: a socket is reported once when datagrams arrive, not again while they
/// wait.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    /// Whether the kernel has `epoll_pwait2` (Linux 5.11), which waits to the nanosecond.
    fine: bool,
}

/// Ready sockets taken per call of [`Epoll::wait`].
const EVENTS_MAX: usize = 512;

impl Epoll {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was opened just now and nobody else owns it.
        Ok(Epoll { fd: unsafe { OwnedFd::from_raw_fd(fd) }, fine: true })
    }

    /// Reports `source` under `token` from now on. Closing the source ends that.
    pub fn add(&self, source: &impl AsRawFd, token: Token) -> io::Result<()> {
        #[expect(clippy::cast_sign_loss, reason = "a bit set")]
        let events = (libc::EPOLLIN | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: token.0 };
        let (set, fd) = (self.fd.as_raw_fd(), source.as_raw_fd());
        // SAFETY: the kernel reads one `epoll_event`, which lives for the length of the call.
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &raw mut event) }).map(drop)
    }

    /// Appends the tokens of ready sources to `ready`. Waits for the first one at most `timeout`
    /// (`None`: for ever; zero: not at all). An interrupted wait is an empty answer.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Token>) -> io::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS_MAX];
        let mut timeout = timeout;
        loop {
            let got = self.wait_once(timeout, &mut events)?;
            ready.extend(events.iter().take(got).map(|event| Token(event.u64)));
            if got < EVENTS_MAX {
                return Ok(());
            }
            timeout = Some(Duration::ZERO);
        }
    }

    fn wait_once(
        &mut self,
        timeout: Option<Duration>,
        events: &mut [libc::epoll_event; EVENTS_MAX],
    ) -> io::Result<usize> {
        let fine = self.fine && timeout.is_some_and(|timeout| !timeout.is_zero());
        let got = if fine { self.wait_fine(timeout, events) } else { self.wait_coarse(timeout, events) };
        match usize::try_from(got) {
            Ok(got) => Ok(got),
            Err(_) => match io::Error::last_os_error() {
                error if error.raw_os_error() == Some(libc::ENOSYS) && fine => {
                    self.fine = false;
                    self.wait_once(timeout, events)
                }
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    fn wait_fine(&self, timeout: Option<Duration>, events: &mut [libc::epoll_event; EVENTS_MAX]) -> i64 {
        let limit = timeout.map(|timeout| libc::timespec {
            tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: libc::c_long::from(i32::try_from(timeout.subsec_nanos()).unwrap_or(0)),
        });
        let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        let no_mask = std::ptr::null::<libc::sigset_t>();
        // SAFETY: the kernel writes at most `EVENTS_MAX` entries into `events` and reads one timespec
        // (or none: null means for ever); both live for the length of the call. No signal mask is given.
        unsafe {
            let (set, room) = (self.fd.as_raw_fd(), EVENTS_MAX);
            libc::syscall(libc::SYS_epoll_pwait2, set, events.as_mut_ptr(), room, limit, no_mask, 8usize)
        }
    }

    fn wait_coarse(&self, timeout: Option<Duration>, events: &mut [libc::epoll_event; EVENTS_MAX]) -> i64 {
        // Rounded up: waking early would only mean waking twice.
        let millis =
            timeout.map_or(-1, |t| i32::try_from(t.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX));
        let room = EVENTS_MAX as i32;
        // SAFETY: the kernel writes at most `EVENTS_MAX` entries into `events`, which is ours.
        i64::from(unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events.as_mut_ptr(), room, millis) })
    }
}

/// Wakes the thread that waits in an [`Epoll`]. Waking twice before it looks costs one system call.
#[derive(Debug)]
pub struct Wake {
    fd: OwnedFd,
    pending: AtomicBool,
}

impl Wake {
    /// An event counter that nobody has rung yet.
    pub fn new() -> io::Result<Self> {
        // SAFETY: takes no pointers.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) })?;
        // SAFETY: `fd` was opened just now and nobody else owns it.
        Ok(Wake { fd: unsafe { OwnedFd::from_raw_fd(fd) }, pending: AtomicBool::new(false) })
    }

    /// Wakes the waiting thread. What was written before this call is seen by it.
    pub fn ring(&self) {
        if !self.pending.swap(true, Ordering::SeqCst) {
            let one = 1u64;
            // SAFETY: the kernel reads 8 bytes from `one`. The counter cannot overflow: it is rung once
            // per `pending`, so the result needs no look.
            unsafe { libc::write(self.fd.as_raw_fd(), (&raw const one).cast(), 8) };
        }
    }

    /// Called by the woken thread before it looks at what was left for it. With an edge-triggered set
    /// the counter itself need not be read.
    pub fn heard(&self) {
        self.pending.store(false, Ordering::SeqCst);
    }
}

impl AsRawFd for Wake {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_heard_each_time() {
        let (mut set, wake) = (Epoll::new().unwrap(), Wake::new().unwrap());
        set.add(&wake, Token(7)).unwrap();
        let mut ready = Vec::new();
        for _ in 0..3 {
            wake.ring();
            wake.ring();
            ready.clear();
            set.wait(Some(Duration::from_secs(5)), &mut ready).unwrap();
            assert_eq!(ready, [Token(7)]);
            wake.heard();
        }
        ready.clear();
        set.wait(Some(Duration::from_micros(200)), &mut ready).unwrap();
        set.fine = false;
        set.wait(Some(Duration::from_micros(200)), &mut ready).unwrap();
        assert!(ready.is_empty());
    }
}
