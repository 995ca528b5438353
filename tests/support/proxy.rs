//! A TCP proxy on loopback whose wire can be broken, at any time, also for connections that are already up.

use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes on the way from the server to the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire {
    Pass,
    /// Held back this long, chunk by chunk.
    Delay(Duration),
    /// Held back, in both directions, until the wire is another; connections stay up. (Held, not swallowed: bytes may be
    /// late or cut off on a TCP connection, but never missing from its middle.)
    BlackHole,
    /// After so many more bytes of replies, over all connections, theirs is cut.
    CutAfter(usize),
    /// One byte at a time, this far apart.
    Drip(Duration),
    /// Every byte is replaced by another one.
    Garble,
    /// In front of the next reply come these bytes; then the wire passes.
    Inject(&'static [u8]),
}

pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    target: Mutex<SocketAddr>,
    wire: watch::Sender<Wire>,
    /// Counts up to cut every connection there is.
    cuts: watch::Sender<u64>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            address: listener.local_addr().unwrap(),
            state: Arc::new(State {
                target: Mutex::new(target),
                wire: watch::Sender::new(Wire::Pass),
                cuts: watch::Sender::new(0),
                accepted: AtomicUsize::new(0),
                open: AtomicUsize::new(0),
            }),
            accepting: Mutex::new(None),
        };
        proxy.accept(listener);
        proxy
    }

    fn accept(&self, listener: TcpListener) {
        let state = self.state.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                state.accepted.fetch_add(1, Ordering::SeqCst);
                // A cut from here on is a cut of this connection, also where its task has not begun.
                let cuts = state.cuts.subscribe();
                tokio::spawn(carry(client, state.clone(), cuts));
            }
        });
        *self.accepting.lock() = Some(task);
    }

    pub fn set(&self, wire: Wire) {
        self.state.wire.send_replace(wire);
    }

    /// Where new connections lead from now on.
    pub fn retarget(&self, target: SocketAddr) {
        *self.state.target.lock() = target;
    }

    /// Cuts every connection there is; new ones are taken.
    pub fn cut(&self) {
        self.state.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts every connection, and new ones are refused.
    pub async fn down(&self) {
        let accepting = self.accepting.lock().take();
        if let Some(task) = accepting {
            task.abort();
            let _ = task.await;
        }
        self.cut();
    }

    /// Takes connections again, on the same port.
    pub async fn up(&self) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        self.accept(socket.listen(1024).unwrap());
    }

    /// Connections accepted since the start.
    pub fn accepted(&self) -> usize {
        self.state.accepted.load(Ordering::SeqCst)
    }

    /// Connections that the client has not closed yet.
    pub fn open(&self) -> usize {
        self.state.open.load(Ordering::SeqCst)
    }
}

async fn carry(client: TcpStream, state: Arc<State>, mut cuts: watch::Receiver<u64>) {
    state.open.fetch_add(1, Ordering::SeqCst);
    let target = *state.target.lock();
    if let Ok(server) = TcpStream::connect(target).await {
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = requests(from_client, to_server, state.wire.subscribe()) => {}
            () = replies(from_server, to_client, &state) => {}
            _ = cuts.changed() => {}
        }
    }
    state.open.fetch_sub(1, Ordering::SeqCst);
}

async fn requests(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut wire: watch::Receiver<Wire>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        out_of_the_hole(&mut wire).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

async fn replies(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &State) {
    let mut buffer = vec![0; 64 * 1024];
    let mut wire = state.wire.subscribe();
    loop {
        let read = from.read(&mut buffer).await;
        // The server's end of a connection is not seen through a black hole either.
        out_of_the_hole(&mut wire).await;
        let Ok(read @ 1..) = read else { return };
        if forward(&mut buffer[..read], &mut to, state).await.is_none() {
            return;
        }
    }
}

async fn out_of_the_hole(wire: &mut watch::Receiver<Wire>) {
    let _ = wire.wait_for(|wire| *wire != Wire::BlackHole).await;
}

/// `None` = the connection is to end.
async fn forward(bytes: &mut [u8], to: &mut OwnedWriteHalf, state: &State) -> Option<()> {
    let wire = *state.wire.borrow();
    match wire {
        Wire::Pass | Wire::BlackHole => to.write_all(bytes).await.ok()?,
        Wire::Delay(time) => {
            tokio::time::sleep(time).await;
            to.write_all(bytes).await.ok()?;
        }
        Wire::CutAfter(left) => {
            let some = left.min(bytes.len());
            let is_cut = some < bytes.len();
            state.wire.send_replace(if is_cut { Wire::Pass } else { Wire::CutAfter(left - some) });
            to.write_all(&bytes[..some]).await.ok()?;
            if is_cut {
                return None;
            }
        }
        Wire::Drip(pause) => {
            for byte in bytes.iter() {
                to.write_all(&[*byte]).await.ok()?;
                tokio::time::sleep(pause).await;
            }
        }
        Wire::Garble => {
            bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
            to.write_all(bytes).await.ok()?;
        }
        Wire::Inject(extra) => {
            state.wire.send_replace(Wire::Pass);
            to.write_all(extra).await.ok()?;
            to.write_all(bytes).await.ok()?;
        }
    }
    Some(())
}
