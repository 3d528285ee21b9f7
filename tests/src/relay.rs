//! The recording relay: stands between proxy and database and keeps every byte that passes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Canaries;

/// A TCP relay in front of a database.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What the relay's threads share.
#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    tapes: Mutex<Vec<Arc<Tape>>>,
    /// The relay has been dropped.
    dropped: AtomicBool,
    /// The relay plays a database that is down.
    closed: AtomicBool,
    /// Bytes from the server after which a connection is cut; `usize::MAX`: never.
    cut_after: AtomicUsize,
}

/// One connection's recording.
#[derive(Debug)]
pub struct Tape {
    /// Client (the proxy) to server.
    upstream: Mutex<Vec<u8>>,
    /// Server to client.
    downstream: Mutex<Vec<u8>>,
    sockets: [TcpStream; 2],
}

impl Tape {
    /// A copy of what has gone to the server.
    pub fn upstream(&self) -> Vec<u8> {
        lock(&self.upstream).clone()
    }

    /// A copy of what has come from the server.
    pub fn downstream(&self) -> Vec<u8> {
        lock(&self.downstream).clone()
    }

    fn cut(&self) {
        for socket in &self.sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Relay {
    /// Listens on a free port of the loopback interface.
    pub fn start(target: SocketAddr) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            target,
            tapes: Mutex::default(),
            dropped: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            cut_after: AtomicUsize::new(usize::MAX),
        });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared }
    }

    /// Where to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The recordings of all connections so far, in the order they came.
    pub fn tapes(&self) -> Vec<Arc<Tape>> {
        lock(&self.shared.tapes).clone()
    }

    /// Forgets the recordings of the connections that were made so far.
    pub fn forget(&self) {
        lock(&self.shared.tapes).clear();
    }

    /// Everything that has gone to the server, over all connections.
    pub fn upstream(&self) -> Vec<u8> {
        self.tapes().iter().flat_map(|tape| tape.upstream()).collect()
    }

    /// The canaries that have passed.
    pub fn leaks(&self, canaries: &Canaries) -> Vec<String> {
        let reports = self.tapes().into_iter().enumerate().filter_map(|(index, tape)| {
            let what = format!("what went to the database on connection {}", index + 1);
            canaries.report(&what, &lock(&tape.upstream))
        });
        reports.collect()
    }

    /// The database goes away: breaks all connections, and new ones as soon as they come.
    pub fn go_away(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for tape in self.tapes() {
            tape.cut();
        }
    }

    /// The database is back.
    pub fn come_back(&self) {
        self.shared.closed.store(false, Ordering::SeqCst);
    }

    /// The database goes away as soon as it has sent this many bytes more on a connection, in the
    /// middle of a frame most likely.
    pub fn cut_after(&self, bytes: usize) {
        self.shared.cut_after.store(bytes, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.go_away();
        self.shared.dropped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then ends.
        drop(TcpStream::connect(self.address));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.dropped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else { continue };
        if shared.closed.load(Ordering::SeqCst) {
            continue; // closes it
        }
        let Ok(server) = TcpStream::connect(shared.target) else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (Ok(c), Ok(s)) = (client.try_clone(), server.try_clone()) else { continue };
        let tape = Arc::new(Tape {
            upstream: Mutex::default(),
            downstream: Mutex::default(),
            sockets: [c, s],
        });
        lock(&shared.tapes).push(Arc::clone(&tape));
        let (Ok(c), Ok(s)) = (client.try_clone(), server.try_clone()) else { continue };
        thread::spawn({
            let tape = Arc::clone(&tape);
            move || upstream(&tape, c, s)
        });
        let shared = Arc::clone(shared);
        thread::spawn(move || downstream(&shared, &tape, server, client));
    }
}

/// Records before it forwards, so that nothing can pass unseen.
fn upstream(tape: &Tape, mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        lock(&tape.upstream).extend_from_slice(&chunk[..read]);
        if to.write_all(&chunk[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn downstream(shared: &Shared, tape: &Tape, mut from: TcpStream, mut to: TcpStream) {
    let mut chunk = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        let left = shared.cut_after.load(Ordering::SeqCst);
        let pass = read.min(left);
        lock(&tape.downstream).extend_from_slice(&chunk[..pass]);
        if to.write_all(&chunk[..pass]).is_err() {
            break;
        }
        if left != usize::MAX {
            shared.cut_after.store(left - pass, Ordering::SeqCst);
            if pass == left {
                tape.cut();
                shared.cut_after.store(usize::MAX, Ordering::SeqCst);
                return;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that has failed elsewhere must not hide what was recorded.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
