//! A connection while it serves requests: reads and writes in one place, so that neither direction can wait for the
//! other, and one wake of the task takes all that is ready.

use super::greeting::{Greeting, MAX_REPLY, endless};
use super::link::Protocol;
use super::outgoing::Outgoing;
use super::request::{Inbox, Message, Pending, Request, Shared, gone};
use crate::error::{Error, Result};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, Sleep, sleep_until};

/// Room offered to a read: some hundred small replies.
const READ: usize = 16 * 1024;

/// While a reply is larger than the buffer the room grows with it up to here, so that a value of 64 MiB takes dozens of
/// reads and not thousands.
const READ_LARGEST: usize = 1024 * 1024;

/// A read buffer grown past this by a large reply is let go after it.
const KEPT: usize = 256 * 1024;

/// Requests taken from the queue in one go; the loop comes back for more.
const TAKEN: usize = 256;

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
    greeted: Greeting<P>,
    shared: Arc<Shared>,
    outgoing: Outgoing,
    in_flight: VecDeque<Pending<P::Reply>>,
    taken: Vec<Message<P::Reply>>,
    /// Set for some earlier front of `in_flight`; moved on when it fires, so that requests cost no timer of their own.
    watchdog: Pin<Box<Sleep>>,
    is_watching: bool,
    incarnation: u64,
    /// Whether it ever answered a request: only then its loss is a first one.
    pub(super) has_answered: bool,
}

impl<P: Protocol> Connection<P> {
    pub(super) fn new(greeted: Greeting<P>, incarnation: u64, shared: Arc<Shared>) -> Self {
        Connection {
            greeted,
            shared,
            outgoing: Outgoing::default(),
            in_flight: VecDeque::new(),
            taken: Vec::with_capacity(TAKEN),
            watchdog: Box::pin(sleep_until(Instant::now())),
            is_watching: false,
            incarnation,
            has_answered: false,
        }
    }

    /// Serves until it is lost or, once the inbox is over, drained.
    pub(super) async fn serve(&mut self, inbox: &mut Inbox<P::Reply>) -> Ending {
        // Replies that came with the greeting's were asked for by nobody; pushes are taken in.
        if let Err(why) = self.parse() {
            return Ending::Lost(why);
        }
        for request in std::mem::take(&mut inbox.waiting) {
            self.enqueue(request);
        }
        poll_fn(|cx| self.poll(cx, inbox)).await
    }

    /// Lets go of the socket, then of what was in flight: the stream is gone before anyone hears of it.
    pub(super) fn into_pending(self) -> VecDeque<Pending<P::Reply>> {
        self.in_flight
    }

    fn poll(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox<P::Reply>) -> Poll<Ending> {
        loop {
            let mut progress = self.take(cx, inbox);
            match self.write(cx) {
                Ok(wrote) => progress |= wrote,
                Err(why) => return Poll::Ready(Ending::Lost(why)),
            }
            match self.read(cx) {
                Ok(read) => progress |= read,
                Err(why) => return Poll::Ready(Ending::Lost(why)),
            }
            // Tokio's budget makes one of them pend, and wakes this task again, if the peer never does.
            if !progress {
                break;
            }
        }
        if inbox.is_over && self.in_flight.is_empty() && self.outgoing.is_empty() {
            return Poll::Ready(Ending::Drained);
        }
        // After reading: a reply that has arrived is in time.
        self.watch(cx)
    }

    fn take(&mut self, cx: &mut Context<'_>, inbox: &mut Inbox<P::Reply>) -> bool {
        if inbox.is_over {
            return false;
        }
        let mut taken = std::mem::take(&mut self.taken);
        let progress = match inbox.messages.poll_recv_many(cx, &mut taken, TAKEN) {
            Poll::Pending => false,
            Poll::Ready(0) => {
                inbox.open(None);
                true
            }
            Poll::Ready(_) => {
                for message in taken.drain(..) {
                    if let Some(request) = inbox.open(Some(message)) {
                        self.enqueue(request);
                    }
                }
                true
            }
        };
        self.taken = taken;
        progress
    }

    fn enqueue(&mut self, request: Request<P::Reply>) {
        let Request { bytes, over, pending } = request;
        if over.is_some_and(|incarnation| incarnation != self.incarnation) {
            return pending.fail(gone());
        }
        if pending.deadline <= Instant::now() {
            return pending.fail(self.shared.overdue());
        }
        self.outgoing.push(bytes);
        if pending.expects_none() {
            pending.answer();
        } else {
            self.in_flight.push_back(pending);
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        if self.outgoing.is_empty() {
            return Ok(false);
        }
        match self.outgoing.poll_write(&mut self.greeted.stream, cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(self.lost("it takes no more bytes")),
            Poll::Ready(Ok(_)) => Ok(true),
            Poll::Ready(Err(why)) => Err(self.lost(why)),
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        let input = &mut self.greeted.input;
        if input.capacity() - input.len() < READ / 4 {
            input.reserve(input.len().clamp(READ, READ_LARGEST));
        }
        match pin!(self.greeted.stream.read_buf(input)).poll(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(0)) => return Err(self.lost("the server hung up")),
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(why)) => return Err(self.lost(why)),
        }
        self.parse()?;
        Ok(true)
    }

    fn parse(&mut self) -> Result<()> {
        let parsed = catch_unwind(AssertUnwindSafe(|| self.deliver()));
        let delivered = match parsed {
            Ok(delivered) => delivered?,
            Err(_) => return Err(self.lost("reading its replies failed by a defect of ours")),
        };
        let input = &mut self.greeted.input;
        if input.len() > MAX_REPLY {
            return Err(endless(&self.shared.server));
        }
        if delivered && input.capacity() > KEPT && input.len() <= READ {
            let mut fresh = BytesMut::with_capacity(READ);
            fresh.extend_from_slice(input);
            *input = fresh;
        }
        Ok(())
    }

    /// Hands out every whole reply; whether there was one.
    fn deliver(&mut self) -> Result<bool> {
        let mut delivered = false;
        loop {
            let reply = match self.greeted.protocol.next(&mut self.greeted.input) {
                Ok(Some(reply)) => reply,
                Ok(None) => return Ok(delivered),
                Err(why) => return Err(self.lost(why.message)),
            };
            let Some(front) = self.in_flight.front_mut() else {
                return Err(self.lost("it sent a reply that nothing was waiting for"));
            };
            delivered = true;
            if front.take(reply) {
                self.has_answered = true;
                if let Some(answered) = self.in_flight.pop_front() {
                    answered.answer();
                }
            }
        }
    }

    fn watch(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        let Some(front) = self.in_flight.front() else { return Poll::Pending };
        let deadline = front.deadline;
        if !self.is_watching {
            self.watchdog.as_mut().reset(deadline);
            self.is_watching = true;
        }
        while self.watchdog.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(Ending::Overdue(self.shared.overdue()));
            }
            self.watchdog.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn lost(&self, why: impl std::fmt::Display) -> Error {
        Error::connection(format!("The connection to {} was lost: {why}.", self.shared.server))
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::net::dialer::Stream;
    use bytes::{Buf, Bytes};
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;
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
        let greeted = Greeting {
            stream: Stream::Unix(near),
            protocol: Frames,
            input: BytesMut::new(),
            server: "toy".into(),
        };
        let (messages, receiver) = mpsc::unbounded_channel();
        let (answer, awaited) = oneshot::channel();
        let place = shared.place(1).unwrap();
        let pending = Pending::new(1, Instant::now() + Duration::from_secs(5), answer, place);
        messages.send(Message::Request(Request { bytes: vec![0], over: None, pending })).ok().unwrap();
        (Connection::new(greeted, 1, shared), Inbox::new(receiver), awaited, far, messages)
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
        assert!(connection.greeted.input.len() <= MAX_REPLY + 2 * READ_LARGEST);
        drop(connection);
        assert!(flood.await.unwrap() <= MAX_REPLY + 4 * READ_LARGEST);
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
        assert!(connection.greeted.input.capacity() <= KEPT, "{}", connection.greeted.input.capacity());
    }
}
