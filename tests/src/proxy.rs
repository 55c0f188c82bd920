//! A TCP proxy before PostgreSQL that loses connections at a chosen moment of a COMMIT.

use std::io::{Read, Result, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Moment at which a connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The COMMIT does not reach the server.
    BeforeCommit,
    /// The COMMIT reaches the server, and the connection is lost before it answers.
    DuringCommit,
    /// The server has answered, and the answer does not reach the client.
    AfterCommit,
}

/// A running proxy on loopback.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Moment at which the next COMMIT loses its connection; `None` if it does not.
    next: Mutex<Option<Cut>>,
    /// Whether all new connections are refused after that.
    then_refuses: AtomicBool,
    refuses: AtomicBool,
    is_over: AtomicBool,
    cuts: AtomicUsize,
    sockets: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Starts a proxy before a server.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let accepting = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, server, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    /// The address on which the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loses the connection of the next COMMIT, once, at the moment `cut`.
    pub fn cut_next_commit(&self, cut: Cut) {
        *self.shared.next.lock().unwrap_or_else(PoisonError::into_inner) = Some(cut);
    }

    /// Loses the connection of the next COMMIT at the moment `cut`, and refuses all new connections after that; others that are open stay.
    pub fn cut_next_commit_for_good(&self, cut: Cut) {
        self.shared.then_refuses.store(true, Ordering::SeqCst);
        self.cut_next_commit(cut);
    }

    /// Number of COMMITs so far whose connection was cut.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for socket in self.shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            drop(socket.shutdown(Shutdown::Both));
        }
        // Wakes the thread that accepts.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn accept(listener: &TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    for client in listener.incoming().flatten() {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        if shared.refuses.load(Ordering::SeqCst) {
            continue;
        }
        drop(connect(&client, server, shared));
    }
}

fn connect(client: &TcpStream, server: SocketAddr, shared: &Arc<Shared>) -> Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    shared.sockets.lock().unwrap_or_else(PoisonError::into_inner).extend([client.try_clone()?, server.try_clone()?]);
    let swallows = Arc::new(AtomicBool::new(false));
    let answers = Connection { from: server.try_clone()?, to: client.try_clone()?, swallows: Arc::clone(&swallows) };
    let requests = Connection { from: client.try_clone()?, to: server, swallows };
    std::thread::spawn(move || drop(answers.pass_answers()));
    let shared = Arc::clone(shared);
    std::thread::spawn(move || drop(requests.pass_requests(&shared)));
    Ok(())
}

/// One direction of a connection.
struct Connection {
    from: TcpStream,
    to: TcpStream,
    /// Whether the next answer is lost, with the connection.
    swallows: Arc<AtomicBool>,
}

impl Connection {
    fn pass_answers(mut self) -> Result<()> {
        let mut bytes = [0; 16_384];
        loop {
            let count = self.from.read(&mut bytes)?;
            if count == 0 || self.swallows.load(Ordering::SeqCst) {
                return Ok(());
            }
            self.to.write_all(&bytes[..count])?;
        }
    }

    /// Passes messages one by one, as PostgreSQL's protocol frames them: a type, which the first message lacks, then a length.
    fn pass_requests(mut self, shared: &Shared) -> Result<()> {
        let mut is_first = true;
        loop {
            let mut message = vec![0; if is_first { 4 } else { 5 }];
            self.from.read_exact(&mut message)?;
            let header = message.len();
            let length = &message[header - 4..];
            let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
            message.resize(header + length - 4, 0);
            self.from.read_exact(&mut message[header..])?;
            // Ends in `; COMMIT`, so READ COMMITTED, with which a transaction begins, does not match.
            let is_commit = !is_first && message[0] == b'Q' && message.ends_with(b"; COMMIT\0");
            is_first = false;
            let cut = if is_commit { shared.take_cut() } else { None };
            match cut {
                Some(Cut::BeforeCommit) => return Ok(()),
                Some(Cut::AfterCommit) => self.swallows.store(true, Ordering::SeqCst),
                Some(Cut::DuringCommit) | None => {}
            }
            self.to.write_all(&message)?;
            if cut == Some(Cut::DuringCommit) {
                return Ok(());
            }
        }
    }
}

/// Closes the connection when either direction ends.
impl Drop for Connection {
    fn drop(&mut self) {
        drop(self.from.shutdown(Shutdown::Both));
        drop(self.to.shutdown(Shutdown::Both));
    }
}

impl Shared {
    fn take_cut(&self) -> Option<Cut> {
        let cut = self.next.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        self.cuts.fetch_add(1, Ordering::SeqCst);
        if self.then_refuses.load(Ordering::SeqCst) {
            self.refuses.store(true, Ordering::SeqCst);
        }
        Some(cut)
    }
}
