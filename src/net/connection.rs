//! A connection while it serves requests: reads and writes in one place, so that neither direction can wait for the
//! other, and one wake of the task takes all that is ready.

use super::direct::read_half::{READ, READ_LARGEST, ReadHalf};
use super::direct::registration::Registration;
use super::direct::shared_socket::SharedSocket;
use super::handshake::Handshake;
use super::protocol::Protocol;
use super::request::{Inbox, Message, Outbound, Pending, Request, Shared, gone};
use super::write_buffer::WriteBuffer;
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep_until};

/// Requests taken from the queue in one go; the loop comes back for more.
const TAKEN: usize = 256;

/// Time for the runtime to tell what came while it did not watch: a turn of it takes microseconds.
const TURN: Duration = Duration::from_millis(5);

/// Why a connection served no longer.
#[derive(Debug)]
pub(super) enum Ending {
    /// Closed and everything answered.
    Drained,
    Lost(Error),
    /// The first request in flight was not answered in time.
    Overdue(Error),
}

pub(super) struct Connection<P: Protocol> {
    stream: Registration,
    read_half: Arc<ReadHalf<P>>,
    shared: Arc<Shared>,
    shared_socket: Arc<SharedSocket<P::Reply>>,
    write_buffer: WriteBuffer,
    taken: Vec<Message<P::Reply>>,
    /// Set for some earlier front of what is in flight; moved on when it fires, so that requests cost no timer of their own.
    watchdog: Pin<Box<Sleep>>,
    is_watching: bool,
    /// The runtime watches the stream again and has had no turn yet: it has not told what came meanwhile.
    is_reregistered: bool,
    connection_id: u64,
}

impl<P: Protocol> Connection<P> {
    pub(super) fn new(
        greeted: Handshake<P>,
        connection_id: u64,
        shared: Arc<Shared>,
        shared_socket: Arc<SharedSocket<P::Reply>>,
    ) -> Self {
        let Handshake { stream, protocol, input, .. } = greeted;
        let read_half =
            Arc::new(ReadHalf::new(protocol, input, connection_id, shared.clone(), shared_socket.clone()));
        Connection {
            stream: Registration::Registered(stream),
            read_half,
            shared,
            shared_socket,
            write_buffer: WriteBuffer::default(),
            taken: Vec::with_capacity(TAKEN),
            watchdog: Box::pin(sleep_until(Instant::now())),
            is_watching: false,
            is_reregistered: false,
            connection_id,
        }
    }

    /// Serves until it is lost or, once the inbox is over, drained.
    pub(super) async fn serve(&mut self, inbox: &mut Inbox<P::Reply>) -> Ending {
        // Replies that came with the handshake's were asked for by nobody; pushes are taken in.
        if let Err(why) = self.read_half.parse(&mut self.read_half.lock()) {
            return Ending::Lost(why);
        }
        // The server may have hung up since the handshake: then what waits is kept for the next connection.
        if let Err(why) = self.catch_up() {
            return Ending::Lost(why);
        }
        for request in std::mem::take(&mut inbox.waiting) {
            self.enqueue(request);
        }
        match self.stream.registered() {
            Ok(stream) => self.shared_socket.lock().open(stream, self.read_half.clone()),
            Err(why) => return Ending::Lost(self.lost(why)),
        }
        poll_fn(|cx| self.poll(cx, inbox)).await
    }

    /// Whether it ever answered a request: only then its loss is a first one.
    pub(super) fn has_answered(&self) -> bool {
        self.read_half.lock().has_answered
    }

    /// Lets go of the socket, then of what was in flight: the stream is gone before anyone hears of it.
    pub(super) fn into_pending(self) -> VecDeque<Pending<P::Reply>> {
        self.read_half.end();
        self.shared_socket.lock().close()
    }

    fn poll(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox<P::Reply>) -> Poll<Ending> {
        self.is_reregistered = false;
        loop {
            // First of all: what comes while the server has hung up must not be written to it, but wait for the next
            // connection.
            let mut progress = match self.read(cx, inbox.is_over) {
                Ok(read) => read,
                Err(why) => return Poll::Ready(Ending::Lost(why)),
            };
            match self.take(cx, inbox) {
                Ok(took) => progress |= took,
                Err(why) => return Poll::Ready(Ending::Lost(why)),
            }
            match self.write(cx) {
                Ok(wrote) => progress |= wrote,
                Err(why) => return Poll::Ready(Ending::Lost(why)),
            }
            // Tokio's budget makes one of them pend, and wakes this task again, if the peer never does.
            if progress {
                continue;
            }
            let is_written = self.is_written();
            let mut shared_socket = self.shared_socket.lock();
            if is_written {
                shared_socket.wrote(inbox.taken);
            }
            if inbox.is_over && shared_socket.in_flight.is_empty() && is_written {
                return Poll::Ready(Ending::Drained);
            }
            drop(shared_socket);
            // After reading: a reply that has arrived is in time.
            match self.watch(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(ending)) => return Poll::Ready(ending),
                Poll::Ready(None) => {}
            }
        }
    }

    fn take(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox<P::Reply>) -> Result<bool> {
        if inbox.is_over {
            return Ok(false);
        }
        let mut taken = std::mem::take(&mut self.taken);
        let progress = match inbox.messages.poll_recv_many(cx, &mut taken, TAKEN) {
            Poll::Pending => false,
            Poll::Ready(0) => {
                inbox.open(None);
                true
            }
            Poll::Ready(_) => {
                let is_doubtful = self.is_reregistered
                    || self.stream.is_detached()
                    || self.shared_socket.lock().has_been_idle();
                let gone = if is_doubtful { self.catch_up().err() } else { None };
                for message in taken.drain(..) {
                    match inbox.open(Some(message)) {
                        Some(Outbound::Request(request)) if gone.is_some() => {
                            inbox.waiting.push_back(request)
                        }
                        Some(Outbound::Request(request)) => self.enqueue(request),
                        Some(Outbound::Rest { connection_id, bytes })
                            if connection_id == self.connection_id =>
                        {
                            self.write_buffer.push(bytes);
                        }
                        _ => {}
                    }
                }
                if let Some(why) = gone {
                    return Err(why);
                }
                true
            }
        };
        self.taken = taken;
        Ok(progress)
    }

    fn catch_up(&self) -> Result<()> {
        match self.stream.socket() {
            Some(socket) => self.read_half.catch_up(&socket, self.stream.tls()),
            None => Err(self.lost(std::io::ErrorKind::NotConnected)),
        }
    }

    fn enqueue(&mut self, request: Request<P::Reply>) {
        let Request { bytes, over, mut pending } = request;
        if over.is_some_and(|connection_id| connection_id != self.connection_id) {
            return pending.fail(gone());
        }
        if pending.deadline <= Instant::now() {
            return pending.fail(self.shared.overdue());
        }
        self.write_buffer.push(bytes);
        if pending.expects_none() {
            // Of no replies nothing can be wrong.
            let _ = pending.observe(self.connection_id);
            pending.answer();
        } else {
            self.shared_socket.lock().in_flight.push_back(pending);
        }
    }

    fn is_written(&self) -> bool {
        self.write_buffer.is_empty() && !self.stream.tls().is_some_and(|tls| tls.wants_write())
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        if self.is_written() {
            return Ok(false);
        }
        let stream = self.stream.registered().map_err(|why| self.read_half.lost(why))?;
        if self.write_buffer.is_empty() {
            return match Pin::new(stream).poll_flush(cx) {
                Poll::Pending => Ok(false),
                Poll::Ready(Ok(())) => Ok(true),
                Poll::Ready(Err(why)) => Err(self.lost(why)),
            };
        }
        match self.write_buffer.poll_write(stream, cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(self.lost("it takes no more bytes")),
            Poll::Ready(Ok(_)) => Ok(true),
            Poll::Ready(Err(why)) => Err(self.lost(why)),
        }
    }

    fn read(&mut self, cx: &mut Context<'_>, is_over: bool) -> Result<bool> {
        let is_left = {
            let mut shared_socket = self.shared_socket.lock();
            if is_over {
                shared_socket.reclaim();
            }
            shared_socket.is_left_to_caller(cx)
        };
        if is_left {
            self.stream.detach().map_err(|why| self.lost(why))?;
            return Ok(false);
        }
        let mut state = self.read_half.lock();
        // Before anything else is: a caller's thread may have read what makes no sense.
        self.read_half.check(&state)?;
        let input = &mut state.input;
        if input.capacity() - input.len() < READ / 4 {
            input.reserve(input.len().clamp(READ, READ_LARGEST));
        }
        self.is_reregistered |= self.stream.is_detached();
        let stream = self.stream.registered().map_err(|why| self.read_half.lost(why))?;
        match stream.poll_fill(cx, input) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(self.lost("the server hung up")),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(why)) => return Err(self.lost(why)),
        }
        self.read_half.parse(&mut state)?;
        Ok(true)
    }

    /// `None`: it is time to read what a caller's thread has not read yet.
    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Ending>> {
        loop {
            let mut shared_socket = self.shared_socket.lock();
            let front = shared_socket.in_flight.front().map(|first| first.deadline);
            if !self.is_watching {
                shared_socket.watched(front.is_some());
                let Some(deadline) = front else { return Poll::Pending };
                self.watchdog.as_mut().reset(deadline);
                self.is_watching = true;
            }
            drop(shared_socket);
            if self.watchdog.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.is_watching = false;
            if self.shared_socket.lock().reclaim() {
                return Poll::Ready(None);
            }
            let now = Instant::now();
            if front.is_none_or(|deadline| deadline > now) {
                continue;
            }
            if !self.is_reregistered {
                return Poll::Ready(Some(Ending::Overdue(self.shared.overdue())));
            }
            self.watchdog.as_mut().reset(now + TURN);
            self.is_watching = true;
        }
    }

    fn lost(&self, why: impl std::fmt::Display) -> Error {
        self.read_half.lost(why)
    }
}

/// The shared socket's handle on the socket goes with it, else the server would never see it closed.
impl<P: Protocol> Drop for Connection<P> {
    fn drop(&mut self) {
        self.read_half.end();
        // The lock is given back first: whoever waits for one of these is woken by its end.
        let pending = self.shared_socket.lock().close();
        drop(pending);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::net::direct::read_half::KEPT;
    use crate::net::protocol::MAX_REPLY;
    use crate::net::stream::Stream;
    use crate::net::transport::Transport;
    use bytes::{Buf, Bytes, BytesMut};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::sync::{mpsc, oneshot};

    /// Four bytes of length, then so many bytes, which it hands out without a copy.
    struct Frames;

    impl Protocol for Frames {
        type Reply = Bytes;

        fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>> {
            let Some(length) = buffer.first_chunk().map(|length| u32::from_be_bytes(*length) as usize) else {
                return Ok(None);
            };
            if buffer.len() < 4 + length {
                return Ok(None);
            }
            buffer.advance(4);
            Ok(Some(buffer.split_to(length).freeze()))
        }
    }

    type Answer = oneshot::Receiver<Result<Vec<Bytes>>>;

    /// A connection with one request in flight, and the server's end of it.
    fn asked() -> (Connection<Frames>, Inbox<Bytes>, Answer, UnixStream, mpsc::UnboundedSender<Message<Bytes>>)
    {
        let (near, far) = UnixStream::pair().unwrap();
        let shared = Arc::new(Shared::new("toy".into(), 5_000));
        let greeted = Handshake {
            stream: Stream::plain(Transport::Unix(near)),
            protocol: Frames,
            input: BytesMut::new(),
            server: "toy".into(),
        };
        let (messages, receiver) = mpsc::unbounded_channel();
        let (answer, awaited) = oneshot::channel();
        let permit = shared.permit(1).unwrap();
        let pending = Pending::new(1, Instant::now() + Duration::from_secs(5), answer, permit);
        messages.send(Message::Request(Request { bytes: vec![0], over: None, pending })).ok().unwrap();
        let shared_socket = Arc::new(SharedSocket::new());
        shared_socket.lock().queue();
        (Connection::new(greeted, 1, shared, shared_socket), Inbox::new(receiver), awaited, far, messages)
    }

    #[tokio::test]
    async fn a_declared_length_without_end_cannot_grow_memory() {
        let (mut connection, mut inbox, _awaited, mut far, _messages) = asked();
        let flood = tokio::spawn(async move {
            let chunk = vec![0xff; 1024 * 1024];
            let mut written = 0;
            while far.write_all(&chunk).await.is_ok() {
                written += chunk.len();
            }
            written
        });
        let ending = connection.serve(&mut inbox).await;
        assert!(matches!(&ending, Ending::Lost(why) if why.code == Code::Connection), "{ending:?}");
        assert!(connection.read_half.lock().input.len() <= MAX_REPLY + 2 * READ_LARGEST);
        drop(connection);
        assert!(flood.await.unwrap() <= MAX_REPLY + 4 * READ_LARGEST);
    }

    #[tokio::test]
    async fn the_rest_of_a_request_goes_before_what_follows_and_only_over_its_own_connection() {
        let (mut connection, mut inbox, _awaited, mut far, messages) = asked();
        for (connection_id, bytes) in [(1, vec![1, 2]), (7, vec![9]), (1, vec![3])] {
            connection.shared_socket.lock().queue();
            messages.send(Message::Rest { connection_id, bytes }).ok().unwrap();
        }
        let mut written = [0; 4];
        tokio::select! {
            ending = connection.serve(&mut inbox) => panic!("{ending:?}"),
            read = far.read_exact(&mut written) => { read.unwrap(); }
        }
        assert_eq!(written, [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn a_large_reply_arrives_whole_and_its_memory_goes_with_it() {
        let (mut connection, mut inbox, awaited, mut far, messages) = asked();
        drop(messages);
        let body = vec![b'.'; 5_000_000];
        let (ending, _) = tokio::join!(connection.serve(&mut inbox), async {
            far.write_all(&(body.len() as u32).to_be_bytes()).await.unwrap();
            far.write_all(&body).await.unwrap();
        });
        assert!(matches!(ending, Ending::Drained), "{ending:?}");
        assert_eq!(awaited.await.unwrap().unwrap(), [body]);
        assert!(
            connection.read_half.lock().input.capacity() <= KEPT,
            "{}",
            connection.read_half.lock().input.capacity()
        );
    }
}
