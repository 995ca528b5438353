//! The bytes of a connection as its protocol sees them: those of its transport, or what TLS makes of them.

use super::tls::session::Session;
use super::transport::Transport;
use bytes::BytesMut;
use socket2::SockRef;
use std::future::poll_fn;
use std::io::{self, IoSlice, Write};
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// Encrypted bytes that are read in one go: a record of TLS, and its frame.
const CIPHERTEXT: usize = 17 * 1024;

pub struct Stream {
    pub(super) transport: Transport,
    pub(super) tls: Option<Arc<Session>>,
}

impl Stream {
    pub(super) fn plain(transport: Transport) -> Self {
        Stream { transport, tls: None }
    }

    pub(super) fn socket(&self) -> SockRef<'_> {
        self.transport.socket()
    }

    /// Agrees on keys with the server, before anything else is sent.
    pub(super) async fn encrypted(transport: Transport, session: Session) -> io::Result<Self> {
        let mut stream = Stream { transport, tls: Some(Arc::new(session)) };
        let mut early = BytesMut::new();
        loop {
            poll_fn(|cx| stream.poll_drain(cx)).await?;
            if !stream.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
                break;
            }
            if poll_fn(|cx| stream.poll_decrypt(cx, &mut early)).await?.is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        // Neither server speaks first.
        if early.is_empty() { Ok(stream) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Reads what there is to the end of the buffer; 0 = the server has closed the connection.
    pub(super) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        if self.tls.is_none() {
            return pin!(self.transport.read_buf(output)).poll(cx);
        }
        loop {
            match ready!(self.poll_decrypt(cx, output))? {
                Some(0) => {}
                read => return Poll::Ready(Ok(read.unwrap_or(0))),
            }
        }
    }

    pub(super) async fn fill(&mut self, output: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|cx| self.poll_fill(cx, output)).await
    }

    /// Reads encrypted bytes once; how many they came to, `None` = at the end.
    fn poll_decrypt(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut BytesMut,
    ) -> Poll<io::Result<Option<usize>>> {
        let Some(tls) = &self.tls else { return Poll::Ready(Ok(None)) };
        if tls.is_over() {
            return Poll::Ready(Ok(None));
        }
        let mut space = [MaybeUninit::uninit(); CIPHERTEXT];
        let mut ciphertext = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.transport).poll_read(cx, &mut ciphertext))?;
        if ciphertext.filled().is_empty() {
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(tls.decrypt(ciphertext.filled(), output).map(Some))
    }

    /// Writes the encrypted bytes that wait.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tls) = &self.tls else { return Poll::Ready(Ok(())) };
        match tls.write_to(&mut Polled { transport: &mut self.transport, cx }) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            Err(why) => Poll::Ready(Err(why)),
        }
    }
}

/// A transport as TLS writes to it: `WouldBlock` stands for `Pending`.
struct Polled<'a, 'b> {
    transport: &'a mut Transport,
    cx: &'a mut Context<'b>,
}

impl Polled<'_, '_> {
    fn now(polled: Poll<io::Result<usize>>) -> io::Result<usize> {
        match polled {
            Poll::Ready(written) => written,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Write for Polled<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.transport).poll_write(self.cx, bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Self::now(Pin::new(&mut *self.transport).poll_write_vectored(self.cx, slices))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Under TLS, what is written is encrypted at once; `poll_flush` ends when all of it was handed to the system.
impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        if me.tls.is_none() {
            return Pin::new(&mut me.transport).poll_write_vectored(cx, slices);
        }
        // What waits goes first, so that it stays little.
        ready!(me.poll_drain(cx))?;
        let taken = me.tls.as_ref().map_or(Ok(0), |tls| tls.encrypt(slices))?;
        match me.poll_drain(cx) {
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        ready!(me.poll_drain(cx))?;
        Pin::new(&mut me.transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}
