//! A switch that hears nothing at first.

use std::thread::JoinHandle;

use super::*;

fn sides(switch: SocketAddr) -> Sides {
    let here = SocketAddr::new(switch.ip(), 0);
    Sides { switch, trunk: here, desk: here, ..Sides::on_this_machine(0) }
}

/// Loses the first datagram and answers the second as `answer` says; returns both.
fn deaf_at_first(socket: UdpSocket, answer: &'static str) -> JoinHandle<[String; 2]> {
    std::thread::spawn(move || {
        let mut heard = [String::new(), String::new()];
        for (n, heard) in heard.iter_mut().enumerate() {
            let mut bytes = [0; 2048];
            let (length, from) = socket.recv_from(&mut bytes).unwrap();
            *heard = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if n == 1 {
                let mut text = String::new();
                Raw::new(&bytes[..length]).unwrap().answer(&mut text, answer, "t", "", "");
                socket.send_to(text.as_bytes(), from).unwrap();
            }
        }
        heard
    })
}

#[test]
fn an_invite_that_nobody_heard_is_sent_again() {
    let socket = UdpSocket::bind("127.29.11.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut calls = Calls::new(sides(socket.local_addr().unwrap()), Manner::default(), None).unwrap();
    let switch = deaf_at_first(socket, "503 Service Unavailable");
    calls.run(1, 1.0).unwrap();
    let heard = switch.join().unwrap();
    assert_eq!(heard[0], heard[1]);
    let counts = calls.counts();
    assert_eq!((counts.refused.get(&503), counts.repeats, counts.stuck), (Some(&1), 1, 0));
}
