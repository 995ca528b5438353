//! A connection's stream, which the runtime watches or leaves alone. While a caller's thread waits for replies itself, the
//! runtime's would be woken by each of them for nothing.

use super::super::stream::Stream;
use super::super::tls::session::Session;
use super::super::transport::Transport;
use socket2::SockRef;
use std::io;
use std::sync::Arc;

pub(in crate::net) enum Registration {
    Registered(Stream),
    #[cfg(unix)]
    Detached(Detached),
    /// Changing over failed.
    #[cfg_attr(not(unix), allow(dead_code))]
    Poisoned,
}

#[cfg(unix)]
pub(in crate::net) struct Detached {
    socket: DetachedSocket,
    tls: Option<Arc<Session>>,
}

#[cfg(unix)]
enum DetachedSocket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Registration {
    /// The stream, registered with the runtime from now on.
    pub fn registered(&mut self) -> io::Result<&mut Stream> {
        #[cfg(unix)]
        if let Registration::Detached(_) = self
            && let Registration::Detached(detached) = std::mem::replace(self, Registration::Poisoned)
        {
            let transport = match detached.socket {
                DetachedSocket::Tcp(socket) => Transport::Tcp(tokio::net::TcpStream::from_std(socket)?),
                DetachedSocket::Unix(socket) => Transport::Unix(tokio::net::UnixStream::from_std(socket)?),
            };
            *self = Registration::Registered(Stream { transport, tls: detached.tls });
        }
        match self {
            Registration::Registered(stream) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub fn is_detached(&self) -> bool {
        !matches!(self, Registration::Registered(_))
    }

    /// The socket itself, whatever the runtime has been told of it; `None` = changing over failed.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Registration::Registered(stream) => Some(stream.socket()),
            #[cfg(unix)]
            Registration::Detached(detached) => Some(match &detached.socket {
                DetachedSocket::Tcp(socket) => SockRef::from(socket),
                DetachedSocket::Unix(socket) => SockRef::from(socket),
            }),
            Registration::Poisoned => None,
        }
    }

    pub fn tls(&self) -> Option<&Session> {
        match self {
            Registration::Registered(stream) => stream.tls.as_deref(),
            #[cfg(unix)]
            Registration::Detached(detached) => detached.tls.as_deref(),
            Registration::Poisoned => None,
        }
    }

    /// From now on the runtime hears nothing of it.
    #[cfg(unix)]
    pub fn detach(&mut self) -> io::Result<()> {
        if let Registration::Registered(_) = self
            && let Registration::Registered(stream) = std::mem::replace(self, Registration::Poisoned)
        {
            let Stream { transport, tls } = stream;
            let socket = match transport {
                Transport::Tcp(stream) => DetachedSocket::Tcp(stream.into_std()?),
                Transport::Unix(stream) => DetachedSocket::Unix(stream.into_std()?),
            };
            *self = Registration::Detached(Detached { socket, tls });
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn detach(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream, UnixStream};

    async fn read_byte(wire: &mut Registration) -> u8 {
        let mut read = bytes::BytesMut::with_capacity(1);
        assert_eq!(wire.registered().unwrap().fill(&mut read).await.unwrap(), 1);
        read[0]
    }

    async fn comes_and_goes(near: Stream, mut far: impl AsyncWriteExt + Unpin) {
        let mut wire = Registration::Registered(near);
        for byte in 0..3 {
            wire.detach().unwrap();
            wire.detach().unwrap();
            // Came while it was not registered.
            far.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(read_byte(&mut wire).await, byte);
            far.write_all(&[byte]).await.unwrap();
            assert_eq!(read_byte(&mut wire).await, byte);
        }
    }

    #[tokio::test]
    async fn what_came_while_it_was_left_alone_is_told_when_it_is_watched_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        comes_and_goes(Stream::plain(Transport::Tcp(near)), listener.accept().await.unwrap().0).await;
        let (near, far) = UnixStream::pair().unwrap();
        comes_and_goes(Stream::plain(Transport::Unix(near)), far).await;
    }
}
