//! A connection's stream, which the runtime watches or leaves alone. While a caller's thread waits for replies itself, the
//! runtime's would be woken by each of them for nothing.

use super::super::stream::Stream;
use socket2::{SockRef, Socket};
use std::io;
use std::mem::MaybeUninit;

pub(in crate::net) enum Wire {
    Watched(Stream),
    #[cfg(unix)]
    Apart(Apart),
    /// Changing over failed.
    #[cfg_attr(not(unix), allow(dead_code))]
    Lost,
}

#[cfg(unix)]
pub(in crate::net) enum Apart {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Wire {
    /// The stream, watched from now on.
    pub fn watched(&mut self) -> io::Result<&mut Stream> {
        #[cfg(unix)]
        if let Wire::Apart(_) = self
            && let Wire::Apart(apart) = std::mem::replace(self, Wire::Lost)
        {
            *self = Wire::Watched(match apart {
                Apart::Tcp(stream) => Stream::Tcp(tokio::net::TcpStream::from_std(stream)?),
                Apart::Unix(stream) => Stream::Unix(tokio::net::UnixStream::from_std(stream)?),
            });
        }
        match self {
            Wire::Watched(stream) => Ok(stream),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    pub fn is_apart(&self) -> bool {
        !matches!(self, Wire::Watched(_))
    }

    /// The socket itself, whatever the runtime has been told of it; `None` = changing over failed.
    pub fn socket(&self) -> Option<SockRef<'_>> {
        match self {
            Wire::Watched(Stream::Tcp(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Wire::Watched(Stream::Unix(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Wire::Apart(Apart::Tcp(stream)) => Some(SockRef::from(stream)),
            #[cfg(unix)]
            Wire::Apart(Apart::Unix(stream)) => Some(SockRef::from(stream)),
            Wire::Lost => None,
        }
    }

    /// From now on the runtime hears nothing of it.
    #[cfg(unix)]
    pub fn leave(&mut self) -> io::Result<()> {
        if let Wire::Watched(_) = self
            && let Wire::Watched(stream) = std::mem::replace(self, Wire::Lost)
        {
            *self = Wire::Apart(match stream {
                Stream::Tcp(stream) => Apart::Tcp(stream.into_std()?),
                Stream::Unix(stream) => Apart::Unix(stream.into_std()?),
            });
        }
        Ok(())
    }

    #[cfg(not(unix))]
    pub fn leave(&mut self) -> io::Result<()> {
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
        let mut wire = Wire::Watched(near);
        for byte in 0..3 {
            wire.leave().unwrap();
            wire.leave().unwrap();
            // Came while nobody watched.
            far.write_all(&[byte]).await.unwrap();
            tokio::task::yield_now().await;
            assert_eq!(wire.watched().unwrap().read_u8().await.unwrap(), byte);
            far.write_all(&[byte]).await.unwrap();
            assert_eq!(wire.watched().unwrap().read_u8().await.unwrap(), byte);
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
