//! The contract of every backend in the table.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base::{Rng, Seed};

use super::*;
use crate::net::{SocketOptions, raise_file_limit};

const PATIENCE: Duration = Duration::from_secs(10);

/// An address for the sockets of one line: what others on this machine still send to ports of theirs that are
/// closed is not heard there.
fn home(line: u32) -> String {
    format!("127.29.{}.{}:0", line / 250, 1 + line % 250)
}

fn soon() -> Option<Instant> {
    Some(Instant::now() + PATIENCE)
}

fn for_each_backend(test: impl Fn(&mut dyn PacketIo, &Wake)) {
    for_each_backend_of(8, test);
}

fn for_each_backend_of(tokens_max: usize, test: impl Fn(&mut dyn PacketIo, &Wake)) {
    for backend in BACKENDS {
        let bell = Wake::new().unwrap();
        match IoChoice::Only(backend).open(&bell, tokens_max) {
            Ok((mut io, _)) => {
                assert_eq!(io.name(), backend.name);
                test(&mut *io, &bell);
            }
            Err(error) => eprintln!("not tested: {error}"),
        }
    }
}

/// A socket at `address`, bound by its number also if that was 0: `connect` and its undoing keep the port.
fn add(io: &mut dyn PacketIo, token: u64, address: &str) -> SocketAddr {
    let options = SocketOptions { receive_buffer_bytes: Some(1 << 20), ..SocketOptions::default() };
    let any = Socket::bind(address.parse().unwrap(), &options).unwrap();
    let bound = any.local_address().unwrap();
    drop(any);
    io.add(Token(token), Socket::bind(bound, &options).unwrap()).unwrap();
    bound
}

/// Waits for `count` datagrams: token, sender and bytes of each.
fn take(io: &mut dyn PacketIo, count: usize) -> Vec<(u64, SocketAddr, Vec<u8>)> {
    let mut taken = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{}: {} of {count}, {:?}", io.name(), taken.len(), io.tally());
        io.wait(soon()).unwrap();
        while let Some(mut parcel) = io.next() {
            taken.push((parcel.token.0, parcel.from, parcel.bytes().to_vec()));
            io.give_back(parcel);
        }
    }
    taken
}

#[test]
fn what_is_sent_arrives_with_its_sender() {
    for_each_backend(|io, _| {
        for (n, host) in [(0, home(line!())), (2, "[::1]:0".to_owned())] {
            let (a, b) = (add(io, n, &host), add(io, n + 1, &host));
            for number in 0..5u8 {
                assert!(io.send(Token(n), Some(b), &[0x80, number], &[number; 160]));
            }
            let heard = take(io, 5);
            for (number, (token, from, bytes)) in heard.into_iter().enumerate() {
                assert_eq!((token, from, bytes.len()), (n + 1, a, 162));
                assert_eq!(bytes[1..], [number as u8; 161]);
            }
            let sent = io.tally().sent;
            assert_eq!((sent.packets, sent.bytes, sent.failed), (5, 5 * 162, 0));
        }
        assert!(!io.send(Token(0), None, &[0; 12], &[0; PACKET_BYTES_MAX]), "too long");
    });
}

/// However many requests wait for the kernel, each datagram reaches the ear that it is meant for, and no other.
#[test]
fn no_datagram_is_mixed_up_while_many_sockets_are_taken_in() {
    const SOCKETS: u64 = 900;
    raise_file_limit().unwrap();
    for_each_backend_of(1024, |io, _| {
        let sender = add(io, 0, &home(line!()));
        let ears: Vec<_> = (0..8).map(|_| std::net::UdpSocket::bind(home(line!())).unwrap()).collect();
        // While a datagram waits to be taken, nobody waits for more, and no request is handed over.
        ears[0].send_to(b"waits", sender).unwrap();
        assert!(io.wait(soon()).unwrap().packets);
        for token in 1..=SOCKETS {
            add(io, token, &home(line!()));
        }
        io.wait(Some(Instant::now())).unwrap();
        for number in 0..640_u16 {
            let ear = ears[usize::from(number) % ears.len()].local_addr().unwrap();
            assert!(io.send(Token(0), Some(ear), &number.to_be_bytes(), b""));
        }
        io.flush();
        for (first, ear) in (0..).zip(&ears) {
            ear.set_nonblocking(true).unwrap();
            let heard = std::iter::from_fn(|| {
                let mut bytes = [0; 2];
                ear.recv(&mut bytes).ok().map(|_| u16::from_be_bytes(bytes))
            });
            let expected: Vec<u16> = (first..640).step_by(ears.len()).collect();
            assert_eq!(heard.collect::<Vec<_>>(), expected, "{}", io.name());
        }
    });
}

/// Whatever is sent, closed and opened meanwhile, in whatever order: what is heard at a socket was sent to it, by whom it
/// names, and the sender's datagrams come in their order.
#[test]
fn in_a_storm_everybody_hears_what_is_his() {
    const SOCKETS: u64 = 48;
    for_each_backend_of(128, |io, _| {
        let mut rng = Rng::new(Seed::default());
        let mut addresses: Vec<SocketAddr> = (0..SOCKETS).map(|n| add(io, n, &home(line!()))).collect();
        // Who a socket is, so that what was sent to the one before it under the same token shows itself.
        let mut names: Vec<u32> = (0..48).collect();
        let mut heard_last: HashMap<(u32, u32), u32> = HashMap::new();
        let (mut next_name, mut sent, mut heard) = (1000, 0_u32, 0_u32);
        for _ in 0..3_000 {
            // Often a few, seldom more than there are buffers.
            let burst = if rng.below(50) == 0 { 600 } else { rng.below(20) };
            for _ in 0..burst {
                let (from, to) = (rng.below(SOCKETS) as usize, rng.below(SOCKETS) as usize);
                let text: Vec<u8> =
                    [names[from], names[to], sent].iter().flat_map(|n| n.to_be_bytes()).collect();
                assert!(io.send(Token(from as u64), Some(addresses[to]), &text[..5], &text[5..]));
                sent += 1;
            }
            io.wait(Some(Instant::now())).unwrap();
            // Not always all of it.
            for _ in 0..rng.below(700) {
                let Some(mut parcel) = io.next() else { break };
                let place = parcel.token.0 as usize;
                let numbers = parcel.bytes().as_chunks::<4>().0.iter().map(|n| u32::from_be_bytes(*n));
                let [from, to, number] = numbers.collect::<Vec<_>>()[..] else { panic!("cut") };
                assert_eq!(to, names[place], "{}", io.name());
                if let Some(sender) = names.iter().position(|name| *name == from) {
                    assert_eq!(parcel.from, addresses[sender], "{}", io.name());
                }
                let before = heard_last.insert((from, to), number);
                assert!(before < Some(number), "{}: {before:?} before {number}", io.name());
                heard += 1;
                io.give_back(parcel);
            }
            if rng.below(4) == 0 {
                let place = rng.below(SOCKETS) as usize;
                assert!(io.close(Token(place as u64)));
                addresses[place] = add(io, place as u64, &home(line!()));
                names[place] = next_name;
                next_name += 1;
            }
        }
        let tally = io.tally();
        assert!(heard > sent / 2, "{}: {heard} of {sent}, {tally:?}", io.name());
        assert_eq!(tally.starved > 0, io.name() == "io_uring");
    });
}

/// The second burst of its size finds room for all of it; after a long calm there is less, until it is needed.
#[test]
fn bursts_find_room_once_one_has_found_none() {
    const SOCKETS: u64 = 64;
    for_each_backend_of(8192, |io, _| {
        let sender = std::net::UdpSocket::bind(home(line!())).unwrap();
        let ears: Vec<_> = (0..SOCKETS).map(|token| add(io, token, &home(line!()))).collect();
        io.wait(Some(Instant::now())).unwrap();
        let burst = |io: &mut dyn PacketIo| {
            for (number, ear) in ears.iter().cycle().take(ears.len() * 24).enumerate() {
                sender.send_to(&u16::try_from(number).unwrap().to_be_bytes(), ear).unwrap();
            }
            // All of it gathers, as in a tick that was too long.
            io.rest(Instant::now() + Duration::from_millis(1));
            let mut heard: Vec<_> = take(io, ears.len() * 24).into_iter().map(|(.., bytes)| bytes).collect();
            heard.sort_unstable();
            heard.dedup();
            assert_eq!(heard.len(), ears.len() * 24, "{}", io.name());
            io.tally().starved
        };
        let first = burst(io);
        assert_eq!(first > 0, io.name() == "io_uring", "{first}");
        assert_eq!(burst(io), 0);
        for _ in 0..20_001 {
            io.wait(Some(Instant::now())).unwrap();
        }
        // What was too many goes as it comes back.
        assert_eq!(burst(io), 0);
        assert_eq!(burst(io) > 0, io.name() == "io_uring");
        assert_eq!(burst(io), 0);
    });
}

#[test]
fn a_connected_socket_hears_its_peer_only() {
    for_each_backend(|io, _| {
        let (a, b, c) = (add(io, 0, &home(line!())), add(io, 1, &home(line!())), add(io, 2, &home(line!())));
        io.socket(Token(0)).unwrap().connect(b).unwrap();
        assert!(io.send(Token(2), Some(a), b"stranger", b""));
        assert!(io.send(Token(1), Some(a), b"peer", b""));
        assert!(io.send(Token(0), None, b"answer", b""));
        let heard = take(io, 2);
        let texts: Vec<&[u8]> = heard.iter().map(|(_, _, bytes)| &bytes[..]).collect();
        assert!(texts.contains(&&b"peer"[..]) && texts.contains(&&b"answer"[..]), "{} {heard:?}", io.name());
        io.socket(Token(0)).unwrap().disconnect().unwrap();
        assert!(io.send(Token(2), Some(a), b"again", b""));
        assert_eq!(take(io, 1), [(0, c, b"again".to_vec())]);
    });
}

#[test]
fn a_closed_socket_is_silent_and_its_port_is_free_at_once() {
    for_each_backend(|io, _| {
        let (a, b) = (add(io, 0, &home(line!())), add(io, 1, &home(line!())));
        for _ in 0..3 {
            assert!(io.send(Token(0), Some(b), b"old", b""));
            assert!(io.wait(soon()).unwrap().packets);
            assert!(io.send(Token(1), Some(a), b"last words", b""));
            // It has a datagram that was not taken, and is closed: it is not reported.
            assert!(io.close(Token(1)));
            assert!(!io.close(Token(1)) && io.socket(Token(1)).is_none());
            assert_eq!(take(io, 1), [(0, b, b"last words".to_vec())]);
            // Another one takes port and token.
            assert_eq!(add(io, 1, &b.to_string()), b, "{}", io.name());
            assert!(io.send(Token(0), Some(b), b"new", b""));
            assert_eq!(take(io, 1), [(1, a, b"new".to_vec())]);
        }
    });
}

#[test]
fn a_ring_is_heard_each_time_and_a_rest_is_not_disturbed() {
    for_each_backend(|io, bell| {
        for _ in 0..3 {
            bell.ring();
            bell.ring();
            assert_eq!(io.wait(soon()).unwrap(), Woken { bell: true, packets: false }, "{}", io.name());
            bell.heard();
        }
        assert_eq!(io.wait(Some(Instant::now() + Duration::from_micros(200))).unwrap(), Woken::default());
        let address = add(io, 0, &home(line!()));
        let began = Instant::now();
        bell.ring();
        assert!(io.send(Token(0), Some(address), b"early", b""));
        // A time that has passed: what was pushed leaves, nobody sleeps.
        io.rest(began);
        assert_eq!(io.tally().sent.packets, 1, "{}", io.name());
        io.rest(began + Duration::from_millis(5));
        assert!(began.elapsed() >= Duration::from_millis(5), "{}", io.name());
        // Bell and packet may come in one wait or in two.
        let mut woken = io.wait(soon()).unwrap();
        if woken != (Woken { bell: true, packets: true }) {
            let more = io.wait(soon()).unwrap();
            woken = Woken { bell: woken.bell | more.bell, packets: woken.packets | more.packets };
        }
        assert_eq!(woken, Woken { bell: true, packets: true }, "{}", io.name());
    });
}

#[test]
fn errors_cost_no_other_datagram() {
    for_each_backend(|io, _| {
        let (a, b, gone) =
            (add(io, 0, &home(line!())), add(io, 1, &home(line!())), add(io, 2, &home(line!())));
        // The wrong family is refused, the others leave.
        assert!(io.send(Token(0), Some(b), b"first", b""));
        assert!(io.send(Token(0), Some("[::1]:9".parse().unwrap()), b"wrong", b""));
        assert!(io.send(Token(0), Some(b), b"third", b""));
        assert_eq!(take(io, 2).len(), 2);
        let sent = io.tally().sent;
        assert_eq!((sent.packets, sent.failed), (2, 1), "{}", io.name());
        // An ICMP error about an earlier datagram stands in no later one's way.
        io.close(Token(2));
        io.socket(Token(0)).unwrap().connect(gone).unwrap();
        assert!(io.send(Token(0), None, b"nobody hears this", b""));
        io.flush();
        assert_eq!(add(io, 2, &gone.to_string()), gone);
        assert!(io.send(Token(0), None, b"this must arrive", b""));
        assert_eq!(take(io, 1), [(2, a, b"this must arrive".to_vec())]);
        // And the socket still hears.
        assert!(io.send(Token(2), Some(a), b"answer", b""));
        assert_eq!(take(io, 1), [(0, gone, b"answer".to_vec())]);
        let tally = io.tally();
        assert!(tally.icmp + tally.sent.icmp >= 1, "{} {tally:?}", io.name());
    });
}

#[test]
fn a_cut_datagram_is_withheld() {
    for_each_backend(|io, _| {
        let (a, b) = (add(io, 0, &home(line!())), add(io, 1, &home(line!())));
        io.socket(Token(0)).unwrap().send(Some(b), &[0; 12], &[0; PACKET_BYTES_MAX]).unwrap();
        assert!(io.send(Token(0), Some(b), b"whole", b""));
        assert_eq!(take(io, 1), [(1, a, b"whole".to_vec())]);
        assert_eq!(io.tally().oversize, 1, "{}", io.name());
        io.socket(Token(0)).unwrap().send(Some(b), &[7; 12], &[7; PACKET_BYTES_MAX - 12]).unwrap();
        assert_eq!(take(io, 1)[0].2, [7; PACKET_BYTES_MAX]);
    });
}

/// A leg has two tokens, but mostly one socket.
#[test]
fn a_token_may_be_larger_than_the_files_that_a_process_may_have() {
    let tokens = 2 * usize::try_from(crate::net::raise_file_limit().unwrap().hard.min(500_000)).unwrap();
    for backend in BACKENDS {
        let bell = Wake::new().unwrap();
        let Ok((mut io, _)) = IoChoice::Only(backend).open(&bell, tokens) else { continue };
        let last = tokens as u64 - 1;
        for _ in 0..3 {
            let (a, b) = (add(&mut *io, last, &home(line!())), add(&mut *io, 0, &home(line!())));
            assert!(io.send(Token(last), Some(b), b"large", b""));
            assert!(io.send(Token(0), Some(a), b"small", b""));
            let mut heard = take(&mut *io, 2);
            heard.sort();
            assert_eq!(heard, [(0, a, b"large".to_vec()), (last, b, b"small".to_vec())], "{}", io.name());
            assert!(io.close(Token(last)) && io.close(Token(0)));
        }
    }
}

#[test]
fn who_came_first_is_taken_first() {
    for_each_backend(|io, _| {
        let ears: Vec<SocketAddr> = (1..8).map(|token| add(io, token, &home(line!()))).collect();
        add(io, 0, &home(line!()));
        io.wait(Some(Instant::now())).unwrap();
        let order = [5, 2, 1, 7, 3, 6, 4];
        for token in order {
            assert!(io.send(Token(0), ears.get(token - 1).copied(), b"here", b""));
        }
        let taken: Vec<usize> = take(io, order.len()).iter().map(|(token, ..)| *token as usize).collect();
        assert_eq!(taken, order, "{}", io.name());
    });
}

/// More than the buffers of any backend hold: nothing is lost that the sockets can keep.
#[test]
fn what_does_not_fit_waits() {
    for_each_backend(|io, _| {
        let ears: Vec<SocketAddr> = (1..8).map(|token| add(io, token, &home(line!()))).collect();
        add(io, 0, &home(line!()));
        let mut expected = 0;
        for _ in 0..20 {
            for ear in &ears {
                for _ in 0..10 {
                    assert!(io.send(Token(0), Some(*ear), &[0x80; 12], &[0; 60]));
                    expected += 1;
                }
            }
        }
        io.flush();
        let tally = io.tally();
        assert_eq!(take(io, expected).len(), expected);
        assert_eq!(tally.sent.packets, expected as u64, "{}", io.name());
        assert!(io.next().is_none());
    });
}

#[test]
fn a_choice_is_read_by_name() {
    let names: Vec<&str> = IoChoice::names().collect();
    assert_eq!(names, ["auto", "io_uring", "epoll"]);
    assert!(names.iter().all(|name| name.parse::<IoChoice>().is_ok()));
    assert_eq!(
        "kqueue".parse::<IoChoice>().unwrap_err().to_string(),
        "one of auto, io_uring, epoll is right"
    );
}

/// Forbids `io_uring` to this thread and those that it starts, as sandboxes of containers do.
fn forbid_io_uring() {
    let statement = |code: u32, jump: (u8, u8), k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: jump.0,
        jf: jump.1,
        k,
    };
    let forbidden = u32::try_from(libc::SYS_io_uring_setup).unwrap();
    let refusal = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    let mut filter = [
        // The number of the system call is the first word of what the filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, (0, 0), 0),
        statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, (0, 1), forbidden),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), refusal),
        statement(libc::BPF_RET | libc::BPF_K, (0, 0), libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: 4, filter: filter.as_mut_ptr() };
    // SAFETY: the kernel reads `program` and the four statements behind it, which live until it returns.
    let done = unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

#[test]
fn where_io_uring_is_forbidden_epoll_takes_over_and_the_reason_is_said() {
    let try_it = || {
        forbid_io_uring();
        let pool = crate::Pool::start(&crate::PoolConfig::default(), || ()).unwrap();
        let (name, refusals) = pool.io();
        let reasons: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
        let only = "io_uring".parse().unwrap();
        let config = crate::PoolConfig { io: only, ..crate::PoolConfig::default() };
        (name, reasons, crate::Pool::start(&config, || ()).unwrap_err().to_string())
    };
    let (name, reasons, error) = std::thread::spawn(try_it).join().unwrap();
    let reason = "io_uring is not available here: Operation not permitted (os error 1)";
    assert_eq!((name, reasons), ("epoll", vec![reason.to_owned()]));
    assert_eq!(error, reason);
}
