//! From a connection to a session that is ready: the packets before authentication, connecting to
//! the server, and authentication passed through.
//!
//! A session that is not authenticated cannot run statements: [`authenticate`] is the only way to
//! an [`Authenticated`], and nothing else makes a [`Session`].

use std::sync::Arc;
use std::time::Duration;

use pgveil_sql::refusal::Refusal;
use pgveil_wire::backend::{self, Authentication};
use pgveil_wire::frame::{self, FrameError};
use pgveil_wire::frontend;
use pgveil_wire::startup::{self, Packet, Startup};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

use crate::cancel;
use crate::errors::{self, Severity, fatal};
use crate::peer::{ClientGone, Link, Peer};
use crate::proxy::Proxy;
use crate::relay;
use crate::session::Session;

/// Who the client is, as it says; the server has checked the user.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) application_name: String,
    /// `None`: a Unix socket.
    pub(crate) address: Option<String>,
}

/// A link whose client the server let in. Nothing behind AuthenticationOk has been read.
#[derive(Debug)]
pub(crate) struct Authenticated {
    pub(crate) link: Link,
    pub(crate) identity: Identity,
}

/// Why there is no session.
#[derive(Debug)]
enum NoSession {
    /// The client left, or there is nothing more to say to it.
    Over,
    /// It gets this error.
    Refused(Refusal),
}

impl From<ClientGone> for NoSession {
    fn from(_: ClientGone) -> Self {
        Self::Over
    }
}

impl From<FrameError> for NoSession {
    fn from(error: FrameError) -> Self {
        Self::Refused(fatal("08P01", error.to_string(), ""))
    }
}

/// Serves one connection from its first byte to its last.
pub(crate) async fn serve(
    proxy: Arc<Proxy>,
    mut client: Peer,
    address: Option<String>,
    admitted: bool,
    stopped: watch::Receiver<bool>,
) {
    let limit = proxy.options.startup_timeout;
    let deadline = tokio::time::Instant::now() + limit;
    let opened = tokio::time::timeout_at(deadline, open(&proxy, &mut client, admitted)).await;
    let startup = match opened {
        Ok(Ok(startup)) => startup,
        Ok(Err(NoSession::Over)) => return,
        Ok(Err(NoSession::Refused(refusal))) => return refuse(client, &refusal).await,
        // PostgreSQL says nothing either (authentication_timeout).
        Err(_) => return tracing::info!("no startup packet in time"),
    };
    let server = match connect(&proxy).await {
        Ok(server) => server,
        Err(refusal) => return refuse(client, &refusal).await,
    };
    let mut link = Link { client, server };
    let identity = match identify(&startup, &proxy, address) {
        Ok(identity) => identity,
        Err(refusal) => return refuse(link.client, &refusal).await,
    };
    let span = tracing::Span::current();
    span.record("user", identity.user.as_str());
    span.record("database", identity.database.as_str());
    link.server.output.tail().extend_from_slice(&startup);

    match tokio::time::timeout_at(deadline, authenticate(&mut link)).await {
        Ok(Ok(())) => {}
        Ok(Err(NoSession::Over)) => return link.flush_client().await,
        Ok(Err(NoSession::Refused(refusal))) => return refuse(link.client, &refusal).await,
        Err(_) => {
            let refusal = fatal("57014", "canceling authentication due to timeout", "");
            return refuse(link.client, &refusal).await;
        }
    }
    let authenticated = Authenticated { link, identity };
    if proxy.is_relay() || is_replication(&startup) {
        relay::run(authenticated, proxy.options.max_frame, stopped).await;
    } else {
        Session::run(proxy, authenticated, deadline, stopped).await;
    }
}

async fn refuse(mut client: Peer, refusal: &Refusal) {
    tracing::info!(code = refusal.code, message = %refusal.message, "connection refused");
    errors::write(client.output.tail(), Severity::Fatal, refusal, None);
    let out = client.output.data().to_vec();
    // What the client still sends would make the kernel reset the connection, and the error
    // would be lost: end our half, then take what comes for a moment.
    let linger = async {
        client.stream.write_all(&out).await?;
        client.stream.shutdown().await?;
        let mut discard = [0; 4096];
        while client.stream.read(&mut discard).await? > 0 {}
        std::io::Result::Ok(())
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), linger).await;
}

/// Reads packets up to the StartupMessage and returns its bytes.
async fn open(proxy: &Arc<Proxy>, client: &mut Peer, admitted: bool) -> Result<Vec<u8>, NoSession> {
    let refused = |error: startup::StartupError| {
        NoSession::Refused(fatal(error.sqlstate(), error.to_string(), ""))
    };
    // Each kind of encryption may be asked for once, as with the server.
    let (mut tls, mut gss) = (false, false);
    loop {
        let size = loop {
            let data = client.input.data();
            match startup::size(data).map_err(refused)? {
                Some(size) if data.len() >= size => break size,
                _ => read_more(client).await?,
            }
        };
        let packet = client.input.data()[..size].to_vec();
        client.input.consume(size);
        match startup::decode(&packet).map_err(refused)? {
            Packet::SslRequest if !tls => {
                tls = true;
                answer(client, b"N").await?;
            }
            Packet::GssEncRequest if !gss => {
                gss = true;
                answer(client, b"N").await?;
            }
            Packet::SslRequest | Packet::GssEncRequest => {
                return Err(NoSession::Refused(fatal(
                    "08P01",
                    "encryption was asked for twice",
                    "",
                )));
            }
            Packet::CancelRequest(packet) => {
                cancel::forward(&proxy.options, packet).await;
                return Err(NoSession::Over);
            }
            Packet::Startup(_) if !admitted => {
                let mut out = Vec::new();
                proxy.too_many(&mut out);
                answer(client, &out).await?;
                return Err(NoSession::Over);
            }
            Packet::Startup(startup) => {
                check_replication(startup, proxy)?;
                return Ok(packet);
            }
        }
    }
}

async fn read_more(client: &mut Peer) -> Result<(), NoSession> {
    match client.stream.read_buf(client.input.tail()).await {
        Ok(count) if count > 0 => Ok(()),
        _ => Err(NoSession::Over),
    }
}

async fn answer(client: &mut Peer, bytes: &[u8]) -> Result<(), NoSession> {
    client.stream.write_all(bytes).await.map_err(|_| NoSession::Over)
}

/// The value of `replication`, if it asks for more than an ordinary session.
fn asks_replication(startup: Startup<'_>) -> bool {
    // PostgreSQL takes `database` and whatever parse_bool takes.
    let is_no = |value: &[u8]| {
        ["false", "off", "no", "0", "f", "n", "of", "fa", "fal", "fals"]
            .iter()
            .any(|no| value.eq_ignore_ascii_case(no.as_bytes()))
    };
    startup.parameter("replication").is_some_and(|value| !is_no(value))
}

fn is_replication(packet: &[u8]) -> bool {
    matches!(startup::decode(packet), Ok(Packet::Startup(startup)) if asks_replication(startup))
}

fn check_replication(startup: Startup<'_>, proxy: &Proxy) -> Result<(), NoSession> {
    if !asks_replication(startup) || proxy.options.allow_replication || proxy.is_relay() {
        return Ok(());
    }
    Err(NoSession::Refused(fatal(
        "0A000",
        "pgveil does not serve replication connections",
        "What they carry cannot be protected. Connect to the database directly, or set \
         allow_replication in pgveil's configuration.",
    )))
}

fn identify(packet: &[u8], proxy: &Proxy, address: Option<String>) -> Result<Identity, Refusal> {
    let Ok(Packet::Startup(startup)) = startup::decode(packet) else {
        return Err(fatal("08P01", "invalid startup packet", ""));
    };
    let text = |name: &str| {
        startup.parameter(name).map(|value| String::from_utf8_lossy(value).into_owned())
    };
    let user = text("user").unwrap_or_default();
    let database = text("database").filter(|name| !name.is_empty());
    // A catalog is shared by the database's name: it must be exact.
    let exact = [startup.parameter("user"), startup.parameter("database")];
    if !proxy.is_relay() && exact.iter().flatten().any(|name| str::from_utf8(name).is_err()) {
        return Err(fatal(
            "08P01",
            "the names of user and database must be UTF-8",
            "Other encodings of names are not served by pgveil.",
        ));
    }
    Ok(Identity {
        database: database.unwrap_or_else(|| user.clone()),
        user,
        application_name: text("application_name").unwrap_or_default(),
        address,
    })
}

async fn connect(proxy: &Proxy) -> Result<Peer, Refusal> {
    let address = &proxy.options.server;
    let connected = tokio::time::timeout(proxy.options.connect_timeout, address.connect()).await;
    let reason = match connected {
        Ok(Ok(stream)) => return Ok(Peer::new(stream)),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {:?}", proxy.options.connect_timeout),
    };
    tracing::warn!(%address, reason, "the server cannot be reached");
    Err(Refusal {
        code: "08006",
        message: format!("pgveil cannot connect to the database server at {address}"),
        detail: Some(reason),
        hint: Some("Is the server running there? Check `server` in pgveil's configuration.".into()),
        position: None,
    })
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Server,
    /// The client must answer an authentication request.
    Client,
}

/// Passes the authentication through, frame by frame, up to AuthenticationOk.
async fn authenticate(link: &mut Link) -> Result<(), NoSession> {
    let mut turn = Turn::Server;
    loop {
        match turn {
            Turn::Server => {
                let input = link.server.input.data();
                // Errors and requests before AuthenticationOk are short; libpq's own limit.
                if let Some(frame) = frame::first(input, 30_000)? {
                    let next = server_frame(frame)?;
                    let size = frame.bytes.len();
                    link.client.output.tail().extend_from_slice(frame.bytes);
                    link.server.input.consume(size);
                    match next {
                        Next::Turn(next) => turn = next,
                        Next::In => return Ok(()),
                        Next::Over => return Err(NoSession::Over),
                    }
                    continue;
                }
                if link.server.eof {
                    return Err(NoSession::Refused(fatal(
                        "08006",
                        "the database server closed the connection during authentication",
                        "",
                    )));
                }
            }
            Turn::Client => {
                let input = link.client.input.data();
                if let Some(&tag) = input.first()
                    && tag != frontend::tag::PASSWORD
                {
                    return Err(NoSession::Refused(fatal(
                        "08P01",
                        format!("expected password response, got message type {tag}"),
                        "",
                    )));
                }
                if let Some(frame) = frame::first(input, frame::AUTH_LIMIT)? {
                    let size = frame.bytes.len();
                    link.server.output.tail().extend_from_slice(frame.bytes);
                    link.client.input.consume(size);
                    turn = Turn::Server;
                    continue;
                }
                if link.client.eof {
                    return Err(NoSession::Over);
                }
            }
        }
        // The server may end the wait for a password, so it is always heard.
        link.turn(turn == Turn::Client, true).await?;
        if turn == Turn::Client && (link.server.eof || !link.server.input.is_empty()) {
            turn = Turn::Server;
        }
    }
}

enum Next {
    Turn(Turn),
    In,
    Over,
}

fn server_frame(frame: frame::Frame<'_>) -> Result<Next, NoSession> {
    use backend::tag;
    let malformed = || {
        let message = "the database server sent an unexpected message during authentication";
        NoSession::Refused(fatal("08P01", message, ""))
    };
    match frame.tag {
        tag::AUTHENTICATION => {
            match backend::authentication(frame.body()).map_err(|_| malformed())? {
                Authentication::Ok => Ok(Next::In),
                Authentication::Answer => Ok(Next::Turn(Turn::Client)),
                Authentication::Inform => Ok(Next::Turn(Turn::Server)),
            }
        }
        tag::ERROR_RESPONSE => Ok(Next::Over),
        tag::NOTICE_RESPONSE | tag::NEGOTIATE_PROTOCOL_VERSION => Ok(Next::Turn(Turn::Server)),
        _ => Err(malformed()),
    }
}
