//! A session with nothing to protect: bytes pass as they come. Only headers are read, so that an
//! error of ours never lands in the middle of a message.

use pgveil_wire::backend::tag;
use pgveil_wire::frame::{self, FrameError};
use tokio::sync::watch;

use crate::errors::{self, Severity, fatal};
use crate::peer::{HIGH_WATER, Link, Peer};
use crate::startup::Authenticated;

/// What the server said last.
#[derive(Debug, Clone, Copy)]
struct Last {
    tag: u8,
    /// It is ready, outside a transaction, and the client has said nothing since.
    idle: bool,
}

/// Relays until both sides are done.
pub(crate) async fn run(
    authenticated: Authenticated,
    max_frame: usize,
    mut stopped: watch::Receiver<bool>,
) {
    let Authenticated { mut link, .. } = authenticated;
    // What the server said last decides whether it ended the session itself.
    let mut last = Last { tag: 0, idle: false };
    loop {
        if let Err(error) = pass(&mut link.server, &mut link.client, max_frame, |tag, body| {
            last = Last { tag, idle: tag == tag::READY_FOR_QUERY && body == b"I" };
        }) {
            tracing::warn!(%error, "the server sent what is not a message");
            return end(link, "08P01", "the database server sent an invalid message").await;
        }
        if let Err(error) = pass(&mut link.client, &mut link.server, max_frame, |_, _| {
            last.idle = false;
        }) {
            return end(link, "08P01", &error.to_string()).await;
        }
        if link.server.eof {
            if link.client.eof || last.tag == tag::ERROR_RESPONSE || link.server.passing > 0 {
                return link.flush_client().await;
            }
            return end(link, "08006", "the database server closed the connection unexpectedly")
                .await;
        }
        if link.client.eof && link.client.input.is_empty() {
            // Half closed: the server sees it, finishes, and ends.
            link.server.finish_writing();
        }
        if *stopped.borrow() && last.idle && link.client.input.is_empty() {
            let message = "terminating connection due to administrator command";
            return end(link, "57P01", message).await;
        }
        let hear_client = link.server.output.len() < HIGH_WATER;
        let hear_server = link.client.output.len() < HIGH_WATER;
        tokio::select! {
            turned = link.turn(hear_client, hear_server) => if turned.is_err() { return },
            Ok(()) = stopped.changed() => {}
        }
    }
}

/// Moves what is there; `seen` is told of each frame that begins, with its body if it is whole.
fn pass(
    from: &mut Peer,
    to: &mut Peer,
    max_frame: usize,
    mut seen: impl FnMut(u8, &[u8]),
) -> Result<(), FrameError> {
    from.pass_on(to);
    if from.passing > 0 {
        return Ok(());
    }
    let data = from.input.data();
    let mut end = 0;
    let mut passing = 0;
    while let Some(header) = frame::header(&data[end..], max_frame)? {
        let whole = data.get(end..end + header.size);
        seen(header.tag, whole.map_or(&[], |frame| &frame[frame::HEADER..]));
        if whole.is_none() {
            passing = header.size - (data.len() - end);
            end = data.len();
            break;
        }
        end += header.size;
    }
    to.output.tail().extend_from_slice(&data[..end]);
    from.input.consume(end);
    from.passing = passing;
    Ok(())
}

async fn end(mut link: Link, code: &'static str, message: &str) {
    if link.server.passing == 0 {
        let refusal = fatal(code, message, "");
        errors::write(link.client.output.tail(), Severity::Fatal, &refusal, None);
    }
    link.flush_client().await;
}
