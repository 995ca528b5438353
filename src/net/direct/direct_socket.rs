//! A handle on a connection's socket, for who does not wait: every call returns at once.

use super::super::tls::session::Session;
use bytes::BytesMut;
use socket2::Socket;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::Arc;

/// A connection that is broken answers with an error. Elsewhere than on Linux the socket itself was told so.
const NO_SIGNAL: i32 = if cfg!(target_os = "linux") { 0x4000 } else { 0 };

pub struct DirectSocket {
    pub socket: Socket,
    tls: Option<Arc<Session>>,
}

/// What became of bytes that were to be sent.
pub(super) enum Sent {
    All,
    /// The rest must be sent next. It is empty where TLS has it, encrypted.
    Part(Vec<u8>),
    Nothing,
}

impl DirectSocket {
    pub(super) fn new(socket: Socket, tls: Option<Arc<Session>>) -> Self {
        DirectSocket { socket, tls }
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Sent {
        let Some(tls) = &self.tls else {
            return match self.socket.send_with_flags(bytes, NO_SIGNAL) {
                Ok(sent) if sent == bytes.len() => Sent::All,
                Ok(sent) if sent > 0 => Sent::Part(bytes.get(sent..).unwrap_or_default().to_vec()),
                // Full, or broken: the task finds out which.
                Ok(_) | Err(_) => Sent::Nothing,
            };
        };
        // An answer of TLS itself waits to be written, which the task does.
        if tls.wants_write() {
            return Sent::Nothing;
        }
        match tls.encrypt(&[IoSlice::new(bytes)]) {
            Ok(taken) if taken == bytes.len() => {}
            Ok(taken) if taken > 0 => return Sent::Part(bytes.get(taken..).unwrap_or_default().to_vec()),
            Ok(_) | Err(_) => return Sent::Nothing,
        }
        match tls.write_to(&mut Quiet(&self.socket)) {
            Ok(()) => Sent::All,
            Err(_) => Sent::Part(Vec::new()),
        }
    }

    /// As the function of that name.
    pub(super) fn receive(&self, space: &mut [u8], output: &mut BytesMut) -> io::Result<usize> {
        receive(&self.socket, self.tls.as_deref(), space, output)
    }

    /// Whether TLS has something to say by itself, or has heard the end.
    pub(super) fn needs_task(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write() || tls.is_over())
    }

    /// Whether the other side has closed it and all that it sent was read, by the system. TLS says goodbye first: there any
    /// bytes that nobody asked for may be that.
    pub(super) fn hung_up(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match self.socket.peek(&mut byte) {
            Ok(0) => true,
            Ok(_) => self.tls.is_some(),
            Err(_) => false,
        }
    }

    pub(super) fn shutdown(&self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Reads at most so much of the socket and appends what it says; how much was read, 0 at its end. What makes no sense to
/// TLS is an error of the kind `InvalidData`.
pub(super) fn receive(
    mut socket: &Socket,
    tls: Option<&Session>,
    space: &mut [u8],
    output: &mut BytesMut,
) -> io::Result<usize> {
    let read = socket.read(space)?;
    let bytes = space.get(..read).unwrap_or_default();
    match tls {
        None => output.extend_from_slice(bytes),
        Some(tls) => {
            tls.decrypt(bytes, output)?;
        }
    }
    Ok(read)
}

struct Quiet<'a>(&'a Socket);

impl Write for Quiet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send_with_flags(bytes, NO_SIGNAL)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
