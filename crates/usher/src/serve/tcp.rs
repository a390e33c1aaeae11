//! The TCP side of SIP: one task a connection, which cuts the stream into messages and hands them over whole.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use sip::{Flow, Framed, Framer, Protocol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::udp::Arrival;

/// Connections at once; more are closed at once.
const CONNECTIONS_MAX: usize = 10_000;
/// Connections of one address at once.
const PER_ADDRESS_MAX: usize = 1_000;
/// Messages that may wait to be written to one connection; a slower peer is cut off.
const BACKLOG_MAX: usize = 256;
/// A connection must bring its first whole message within this time, and then one (or a keep-alive)
/// within [`IDLE_S_MAX`].
const FIRST_MESSAGE_S_MAX: u64 = 30;
/// See [`FIRST_MESSAGE_S_MAX`]. RFC 5626 §4.4.1 has peers send keep-alives within 15 minutes.
const IDLE_S_MAX: u64 = 1200;
/// How long we try to connect.
const CONNECT_S_MAX: u64 = 5;

/// What a connection's task tells the signalling loop.
#[derive(Debug)]
pub enum StreamEvent {
    /// A peer connected.
    Accepted(TcpStream, SocketAddr, SocketAddr),
    /// Something for the endpoint.
    Arrival(Arrival),
}

struct Connection {
    remote: SocketAddr,
    outbox: mpsc::Sender<Bytes>,
}

/// All connections, known by their numbers.
pub struct Streams {
    connections: BTreeMap<u64, Connection>,
    next: u64,
    limits: sip::Limits,
    events: mpsc::Sender<StreamEvent>,
    listeners: Vec<SocketAddr>,
}

impl Streams {
    /// Binds every address and starts accepting. What arrives is received from the channel.
    ///
    /// # Errors
    /// The first address that cannot be bound, named.
    pub fn bind(
        addresses: impl Iterator<Item = SocketAddr>,
        limits: sip::Limits,
    ) -> io::Result<(Self, mpsc::Receiver<StreamEvent>)> {
        let (events, inbox) = mpsc::channel(4096);
        let mut listeners = Vec::new();
        for address in addresses {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("tcp:{address}: {error}"));
            let listener = std::net::TcpListener::bind(address).map_err(named)?;
            listener.set_nonblocking(true).map_err(named)?;
            let listener = TcpListener::from_std(listener).map_err(named)?;
            let local = listener.local_addr().map_err(named)?;
            listeners.push(local);
            tokio::spawn(accept(listener, local, events.clone()));
        }
        Ok((Streams { connections: BTreeMap::new(), next: 1, limits, events, listeners }, inbox))
    }

    /// The bound addresses.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listeners.iter().copied()
    }

    /// Takes a connection that a peer opened; `false` if a limit forbids it.
    pub fn accepted(&mut self, stream: TcpStream, local: SocketAddr, remote: SocketAddr) -> bool {
        let same = |ip: IpAddr| self.connections.values().filter(|c| c.remote.ip() == ip).count();
        if self.connections.len() >= CONNECTIONS_MAX || same(remote.ip()) >= PER_ADDRESS_MAX {
            return false;
        }
        let (flow, outbox) = self.enlist(local, remote);
        tokio::spawn(converse(stream, flow, outbox, Framer::new(self.limits), self.events.clone()));
        true
    }

    /// Forgets a connection that ended.
    pub fn closed(&mut self, flow: &Flow) {
        self.connections.remove(&flow.connection);
    }

    /// Sends on `connection`, or on one to `remote`, opened if there is none. What cannot be sent comes
    /// back as [`Arrival::Failed`].
    pub fn send(&mut self, local: Option<SocketAddr>, remote: SocketAddr, connection: u64, bytes: Bytes) {
        let known = self.connections.get(&connection);
        let known = known.or_else(|| self.connections.values().find(|c| c.remote == remote));
        let outbox = match known {
            Some(known) => known.outbox.clone(),
            None if connection != 0 || self.connections.len() >= CONNECTIONS_MAX => {
                return self.fail(local, remote, connection);
            }
            None => {
                let local = local.unwrap_or_else(|| self.own_address(remote));
                let (flow, outbox) = self.enlist(local, remote);
                let sender = self.connections.get(&flow.connection).map(|c| c.outbox.clone());
                tokio::spawn(connect(flow, outbox, Framer::new(self.limits), self.events.clone()));
                let Some(sender) = sender else { return };
                sender
            }
        };
        if outbox.try_send(bytes).is_err() {
            self.fail(local, remote, connection);
        }
    }

    fn own_address(&self, remote: SocketAddr) -> SocketAddr {
        let same_family = self.listeners.iter().find(|local| local.is_ipv4() == remote.is_ipv4());
        same_family.copied().unwrap_or(remote)
    }

    fn enlist(&mut self, local: SocketAddr, remote: SocketAddr) -> (Flow, mpsc::Receiver<Bytes>) {
        let (sender, receiver) = mpsc::channel(BACKLOG_MAX);
        let connection = self.next;
        self.next += 1;
        self.connections.insert(connection, Connection { remote, outbox: sender });
        (Flow { protocol: Protocol::Tcp, local, remote, connection }, receiver)
    }

    fn fail(&self, local: Option<SocketAddr>, remote: SocketAddr, connection: u64) {
        let local = local.unwrap_or_else(|| self.own_address(remote));
        let flow = Flow { protocol: Protocol::Tcp, local, remote, connection };
        // A full channel means that the loop is far behind; SIP's timers end the transaction then.
        let _ = self.events.try_send(StreamEvent::Arrival(Arrival::Failed(flow)));
    }
}

async fn accept(listener: TcpListener, local: SocketAddr, events: mpsc::Sender<StreamEvent>) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                if events.send(StreamEvent::Accepted(stream, local, remote)).await.is_err() {
                    return;
                }
            }
            // Out of descriptors, most likely: give others time to close.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connect(
    flow: Flow,
    outbox: mpsc::Receiver<Bytes>,
    framer: Framer,
    events: mpsc::Sender<StreamEvent>,
) {
    let limit = Duration::from_secs(CONNECT_S_MAX);
    match tokio::time::timeout(limit, TcpStream::connect(flow.remote)).await {
        Ok(Ok(stream)) => converse(stream, flow, outbox, framer, events).await,
        _ => {
            let _ = events.send(StreamEvent::Arrival(Arrival::Failed(flow))).await;
            let _ = events.send(StreamEvent::Arrival(Arrival::Closed(flow))).await;
        }
    }
}

/// Reads and writes until either side is done.
async fn converse(
    stream: TcpStream,
    flow: Flow,
    outbox: mpsc::Receiver<Bytes>,
    framer: Framer,
    events: mpsc::Sender<StreamEvent>,
) {
    // Small messages must not wait for an acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    let (pong, pongs) = mpsc::channel(4);
    tokio::select! {
        () = write(writer, outbox, pongs) => {}
        () = read(reader, flow, framer, &events, &pong) => {}
    }
    let _ = events.send(StreamEvent::Arrival(Arrival::Closed(flow))).await;
}

async fn write(
    mut writer: tokio::net::tcp::OwnedWriteHalf,
    mut outbox: mpsc::Receiver<Bytes>,
    mut pongs: mpsc::Receiver<()>,
) {
    loop {
        let bytes = tokio::select! {
            Some(bytes) = outbox.recv() => bytes,
            // RFC 5626 §3.5.1: a double CRLF is answered by a single one.
            Some(()) = pongs.recv() => Bytes::from_static(b"\r\n"),
            else => return,
        };
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(
    mut reader: tokio::net::tcp::OwnedReadHalf,
    flow: Flow,
    mut framer: Framer,
    events: &mpsc::Sender<StreamEvent>,
    pong: &mpsc::Sender<()>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut deadline = tokio::time::Instant::now() + Duration::from_secs(FIRST_MESSAGE_S_MAX);
    loop {
        let length = match tokio::time::timeout_at(deadline, reader.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => length,
            _ => return,
        };
        framer.push(buffer.get(..length).unwrap_or_default());
        loop {
            match framer.next() {
                Ok(Some(Framed::Message(bytes))) => {
                    let arrival = Arrival::Message { flow, bytes };
                    if events.send(StreamEvent::Arrival(arrival)).await.is_err() {
                        return;
                    }
                }
                Ok(Some(Framed::Ping)) => {
                    let _ = pong.try_send(());
                }
                Ok(None) => break,
                Err(_) => return,
            }
            deadline = tokio::time::Instant::now() + Duration::from_secs(IDLE_S_MAX);
        }
    }
}
