//! A wire that a test can cut: connections through it end, and new ones are closed at once, until it is mended. And one that
//! counts round trips.

use cachalot::config::Endpoint;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Wire {
    port: u16,
    whole: Arc<watch::Sender<bool>>,
}

impl Wire {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire =
            Wire { port: listener.local_addr().unwrap().port(), whole: Arc::new(watch::channel(true).0) };
        let whole = wire.whole.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut whole = whole.subscribe();
                tokio::spawn(async move {
                    if !*whole.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = whole.wait_for(|whole| !whole) => {}
                    }
                });
            }
        });
        wire
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp { host: "127.0.0.1".into(), port: self.port }
    }

    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

/// A server far away, as it were: replies are held back until both sides have been silent for a while. So whatever is sent
/// without waiting for an answer is one round trip.
pub struct FarWire {
    port: u16,
    trips: Arc<AtomicUsize>,
}

const SILENCE: Duration = Duration::from_millis(60);

impl FarWire {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = FarWire { port: listener.local_addr().unwrap().port(), trips: Arc::default() };
        let trips = wire.trips.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::spawn(carry(near, far, trips.clone()));
            }
        });
        wire
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp { host: "127.0.0.1".into(), port: self.port }
    }

    /// Round trips of what is done meanwhile.
    pub async fn trips<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.trips.load(SeqCst);
        let done = work.await;
        (done, self.trips.load(SeqCst) - before)
    }
}

async fn carry(near: TcpStream, far: TcpStream, trips: Arc<AtomicUsize>) {
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let (mut request, mut reply) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut held = Vec::new();
    let mut is_new = true;
    loop {
        tokio::select! {
            read = from_near.read(&mut request) => {
                let Ok(read @ 1..) = read else { return };
                trips.fetch_add(usize::from(std::mem::take(&mut is_new)), SeqCst);
                to_far.write_all(&request[..read]).await.unwrap();
            }
            read = from_far.read(&mut reply) => {
                let Ok(read @ 1..) = read else { return };
                held.extend_from_slice(&reply[..read]);
            }
            () = tokio::time::sleep(SILENCE), if !held.is_empty() => {
                is_new = true;
                if to_near.write_all(&std::mem::take(&mut held)).await.is_err() {
                    return;
                }
            }
        }
    }
}
