//! The keys of one connection. Knows no socket.

use super::failure::explained;
use bytes::BytesMut;
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{self, BufRead, IoSlice, Write};
use std::sync::Arc;

/// Its lock is the innermost of a connection's: nothing else is locked while it is held.
pub(in crate::net) struct Session {
    connection: Mutex<ClientConnection>,
    server: String,
}

impl Session {
    pub(super) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        server: String,
    ) -> io::Result<Self> {
        let connection = ClientConnection::new(config, name).map_err(|why| explained(&why, &server))?;
        Ok(Session { connection: Mutex::new(connection), server })
    }

    pub(in crate::net) fn is_handshaking(&self) -> bool {
        self.connection.lock().is_handshaking()
    }

    /// The server has said that it sends no more.
    pub(in crate::net) fn is_over(&self) -> bool {
        // Nothing is left undecrypted between calls, so that its end is the end of what came.
        let mut connection = self.connection.lock();
        connection.reader().fill_buf().is_ok()
    }

    pub(in crate::net) fn wants_write(&self) -> bool {
        self.connection.lock().wants_write()
    }

    /// Takes all of the encrypted bytes, and appends what they say; its length.
    pub(in crate::net) fn decrypt(&self, mut ciphertext: &[u8], output: &mut BytesMut) -> io::Result<usize> {
        let connection = &mut *self.connection.lock();
        let before = output.len();
        while !ciphertext.is_empty() {
            if connection.read_tls(&mut ciphertext)? == 0 {
                break;
            }
            connection.process_new_packets().map_err(|why| explained(&why, &self.server))?;
            let mut reader = connection.reader();
            // An error says that there is no more for now.
            while let Ok(plaintext) = reader.fill_buf() {
                let length = plaintext.len();
                if length == 0 {
                    break;
                }
                output.extend_from_slice(plaintext);
                reader.consume(length);
            }
        }
        Ok(output.len() - before)
    }

    /// Takes as much as there is room for; how much.
    pub(in crate::net) fn encrypt(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.connection.lock().writer().write_vectored(slices)
    }

    /// Writes the encrypted bytes that wait. After an error, `WouldBlock` above all, the rest of them still waits.
    pub(in crate::net) fn write_to(&self, socket: &mut dyn Write) -> io::Result<()> {
        let mut connection = self.connection.lock();
        while connection.wants_write() {
            if connection.write_tls(socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }
}
