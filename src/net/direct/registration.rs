//! A connection's stream, which the runtime watches or leaves alone. While a caller's thread waits for replies itself, the
//! runtime's would be woken by each of them for nothing.

use super::super::stream::Stream;
use socket2::{SockRef, Socket};
use std::io;
use std::mem::MaybeUninit;

pub(in crate::net) enum Registration {
    Registered(Stream),
    #[cfg(unix)]
    Detached(Detached),
    /// Changing over failed.
    #[cfg_attr(not(unix), allow(dead_code))]
    Poisoned,
}

#[cfg(unix)]
pub(in crate::net) enum Detached {
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
            *self = Registration::Registered(match detached {
                Detached::Tcp(stream) => Stream::Tcp(tokio::net::TcpStream::from_std(stream)?),
                Detached::Unix(stream) => Stream::Unix(tokio::net::UnixStream::from_std(stream)?),
            });
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
            Registration::Registered(Stream::Tcp(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Registration::Registered(Stream::Unix(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Registration::Detached(Detached::Tcp(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Registration::Detached(Detached::Unix(stream)) => Some(SockRef::from(stream)),
            Registration::Poisoned => None,
        }
    }

    /// From now on the runtime hears nothing of it.
    #[cfg(unix)]
    pub fn detach(&mut self) -> io::Result<()> {
        if let Registration::Registered(_) = self
            && let Registration::Registered(stream) = std::mem::replace(self, Registration::Poisoned)
        {
            *self = Registration::Detached(match stream {
                Stream::Tcp(stream) => Detached::Tcp(stream.into_std()?),
                Stream::Unix(stream) => Detached::Unix(stream.into_std()?),
            });
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn detach(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the other side has closed it and all that it sent was read, by the system.
pub(in crate::net) fn hung_up(socket: &Socket) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    matches!(socket.peek(&mut byte), Ok(0))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream, UnixStream};

    async fn comes_and_goes(near: Stream, mut far: impl AsyncWriteExt + Unpin) {
        let mut wire = Registration::Registered(near);
        for byte in 0..3 {
            wire.detach().unwrap();
            wire.detach().unwrap();
            // Came while it was not registered.
            far.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(wire.registered().unwrap().read_u8().await.unwrap(), byte);
            far.write_all(&[byte]).await.unwrap();
            assert_eq!(wire.registered().unwrap().read_u8().await.unwrap(), byte);
        }
    }

    #[tokio::test]
    async fn what_came_while_it_was_left_alone_is_told_when_it_is_watched_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        comes_and_goes(Stream::Tcp(near), listener.accept().await.unwrap().0).await;
        let (near, far) = UnixStream::pair().unwrap();
        comes_and_goes(Stream::Unix(near), far).await;
    }
}
