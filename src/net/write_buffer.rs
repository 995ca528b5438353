//! What waits to be written: many small requests become one buffer, large ones go as they are, all of it in one
//! vectored write.

use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Up to here copying a request beside its neighbours is cheaper than a slice of its own in the system call.
const COPIED: usize = 8 * 1024;

/// Slices in one system call; enough for megabytes, small enough for the stack.
const MAX_SLICES: usize = 32;

/// A gathering buffer larger than this is not kept for the next batch: one burst must not hold memory for ever.
const KEPT: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(super) struct WriteBuffer {
    chunks: VecDeque<Bytes>,
    gathering: BytesMut,
}

impl WriteBuffer {
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.gathering.is_empty()
    }

    pub(super) fn push(&mut self, request: Vec<u8>) {
        if request.len() <= COPIED {
            self.gathering.extend_from_slice(&request);
        } else {
            self.seal();
            self.chunks.push_back(request.into());
        }
    }

    fn seal(&mut self) {
        if !self.gathering.is_empty() {
            self.chunks.push_back(self.gathering.split().freeze());
        }
        if self.gathering.capacity() > KEPT {
            self.gathering = BytesMut::new();
        }
    }

    /// Writes as much as the stream takes at once; ready with the number of bytes written.
    pub(super) fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        self.seal();
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let used = self.chunks.len().min(MAX_SLICES);
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
        }
        let polled = Pin::new(stream).poll_write_vectored(cx, slices.get(..used).unwrap_or_default());
        if let Poll::Ready(Ok(written)) = &polled {
            self.advance(*written);
        }
        polled
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(chunk) = self.chunks.front_mut() {
            if written < chunk.len() {
                chunk.advance(written);
                return;
            }
            written -= chunk.len();
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn requests_of_any_size_arrive_in_order_through_a_narrow_stream() {
        let (mut near, mut far) = tokio::io::duplex(1000);
        let mut write_buffer = WriteBuffer::default();
        let mut expected = Vec::new();
        for size in [1, 20, COPIED + 1, 0, 3, 100_000, COPIED, 7].into_iter().cycle().take(100) {
            let request: Vec<u8> = (0..size).map(|at| (at + expected.len()) as u8).collect();
            expected.extend_from_slice(&request);
            write_buffer.push(request);
        }
        let writing = async move {
            while !write_buffer.is_empty() {
                std::future::poll_fn(|cx| write_buffer.poll_write(&mut near, cx)).await.unwrap();
            }
        };
        let mut arrived = Vec::new();
        tokio::join!(writing, async { far.read_to_end(&mut arrived).await.unwrap() });
        assert!(arrived == expected);
    }
}
