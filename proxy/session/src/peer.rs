//! The two sockets of a session and their buffers. All reading and writing happens in
//! [`Link::turn`]; everything else works on the buffers.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite};

use crate::stream::Stream;

/// Bytes waiting for a peer above which nothing more is produced for it: back-pressure.
pub(crate) const HIGH_WATER: usize = 256 * 1024;

/// What a read asks for at least.
const READ: usize = 16 * 1024;

/// A buffer whose memory is given back once it is empty.
const KEEP: usize = 256 * 1024;

/// Bytes that come in at the end and leave at the front.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    /// Bytes at the front that have left; `head <= bytes.len()`.
    head: usize,
}

impl Buffer {
    pub(crate) fn data(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.head
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The end of the buffer, for appending. What stands in front of it must not be touched.
    pub(crate) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Takes `count` bytes off the front.
    pub(crate) fn consume(&mut self, count: usize) {
        self.head += count;
        debug_assert!(self.head <= self.bytes.len());
        if self.head == self.bytes.len() {
            self.head = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEEP {
                self.bytes = Vec::new();
            }
        }
    }

    /// Makes room for a read. Grows with what has come, not with what a header promises.
    fn make_room(&mut self) {
        if self.head > 0 {
            self.bytes.drain(..self.head);
            self.head = 0;
        }
        if self.bytes.capacity() - self.bytes.len() < READ {
            self.bytes.reserve(READ.max(self.bytes.len()));
        }
    }
}

/// One side of a session.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: Stream,
    /// Read and not processed yet.
    pub(crate) input: Buffer,
    /// To be written.
    pub(crate) output: Buffer,
    /// Bytes of a large frame from this peer that are still to come and pass as they come.
    pub(crate) passing: usize,
    /// Nothing more will be read.
    pub(crate) eof: bool,
    /// Nothing more can be written: what is produced is dropped.
    pub(crate) deaf: bool,
    /// Shut the writing half down once the output is written.
    shutdown: Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shutdown {
    No,
    Wanted,
    Done,
}

impl Peer {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            input: Buffer::default(),
            output: Buffer::default(),
            passing: 0,
            eof: false,
            deaf: false,
            shutdown: Shutdown::No,
        }
    }

    /// Ends the writing half after what is in the output.
    pub(crate) fn finish_writing(&mut self) {
        if self.shutdown == Shutdown::No {
            self.shutdown = Shutdown::Wanted;
        }
    }

    /// Writes what can be written. Ready: something was written, or writing failed.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut progress = false;
        if self.deaf {
            let dropped = self.output.len();
            self.output.consume(dropped);
        }
        while !self.output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, self.output.data()) {
                Poll::Ready(Ok(0)) => {
                    self.deaf = true;
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(count)) => {
                    self.output.consume(count);
                    progress = true;
                }
                Poll::Ready(Err(error)) => {
                    self.deaf = true;
                    return Poll::Ready(Err(error));
                }
                Poll::Pending if progress => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.shutdown == Shutdown::Wanted {
            // A socket that is gone already needs no shutdown: the result does not matter.
            if Pin::new(&mut self.stream).poll_shutdown(cx).is_ready() {
                self.shutdown = Shutdown::Done;
            }
        }
        if progress { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads what is there. Ready: bytes came, or the end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.eof {
            return Poll::Pending;
        }
        self.input.make_room();
        let read = pin!(self.stream.read_buf(self.input.tail())).poll(cx);
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(count)) => {
                self.eof = count == 0;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => {
                self.eof = true;
                Poll::Ready(Err(error))
            }
        }
    }

    /// Forwards the bytes of a large frame that is passing; see [`Peer::passing`].
    pub(crate) fn pass_on(&mut self, to: &mut Peer) {
        let count = self.passing.min(self.input.len());
        if count > 0 {
            to.output.tail().extend_from_slice(&self.input.data()[..count]);
            self.input.consume(count);
            self.passing -= count;
        }
    }
}

/// The client is gone: it closed its connection and cannot be written to any more.
#[derive(Debug)]
pub(crate) struct ClientGone(pub(crate) io::Error);

/// Both sockets.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) client: Peer,
    pub(crate) server: Peer,
}

impl Link {
    /// Waits until something moved: bytes were read from a peer that is listened to, or bytes
    /// were written. A server that fails is at its end ([`Peer::eof`]) once all that it sent has
    /// been read.
    pub(crate) async fn turn(
        &mut self,
        hear_client: bool,
        hear_server: bool,
    ) -> Result<(), ClientGone> {
        poll_fn(|cx| {
            let mut moved = false;
            match self.server.poll_write(cx) {
                Poll::Ready(Ok(())) => moved = true,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "writing to the server failed");
                    moved = true;
                }
                Poll::Pending => {}
            }
            match self.client.poll_write(cx) {
                Poll::Ready(Ok(())) => moved = true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(ClientGone(error))),
                Poll::Pending => {}
            }
            if hear_server {
                match self.server.poll_read(cx) {
                    Poll::Ready(Ok(())) => moved = true,
                    Poll::Ready(Err(error)) => {
                        tracing::debug!(%error, "reading from the server failed");
                        moved = true;
                    }
                    Poll::Pending => {}
                }
            }
            if hear_client {
                match self.client.poll_read(cx) {
                    Poll::Ready(Ok(())) => moved = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(ClientGone(error))),
                    Poll::Pending => {}
                }
            }
            if moved { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }

    /// Writes the client's output and its end.
    pub(crate) async fn flush_client(&mut self) {
        self.client.finish_writing();
        let client = &mut self.client;
        let flushed = poll_fn(|cx| {
            loop {
                match client.poll_write(cx) {
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    _ if client.output.is_empty() => return Poll::Ready(()),
                    Poll::Ready(Ok(())) => {}
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        // A client that does not read its last message does not keep the session.
        let _ = tokio::time::timeout(Duration::from_secs(5), flushed).await;
        // Closing with bytes unread would reset the connection, and the client would not see
        // what was just written: take what comes until it closes, for a moment.
        let drain = async {
            let mut discarded = [0; 4096];
            while matches!(client.stream.read(&mut discarded).await, Ok(count) if count > 0) {}
        };
        if !client.eof {
            let _ = tokio::time::timeout(Duration::from_secs(1), drain).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_moves_and_gives_its_memory_back() {
        let mut buffer = Buffer::default();
        buffer.tail().extend_from_slice(b"abcdef");
        buffer.consume(2);
        buffer.make_room();
        buffer.tail().extend_from_slice(b"gh");
        assert_eq!(buffer.data(), b"cdefgh");
        buffer.tail().resize(KEEP * 2, 0);
        let all = buffer.len();
        buffer.consume(all);
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes.capacity(), 0);
    }
}
