//! Opens connections: TCP with deadlines, TLS on top. The only place of the project that opens a socket.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use quintet_posts::error::{AtPath, Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::address::{Address, Unreachable};
use crate::failure::Failure;

/// How connections are made.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// Time until a connection must stand and the head of the answer must be there.
    pub deadline: Duration,
    /// A read waits so long before it looks whether the person wants to stop or the stream has stalled.
    pub tick: Duration,
    /// Only machines of the public Internet are reached.
    pub public_only: bool,
    /// Hosts, with the port where it is not the usual one, that are reached all the same.
    pub except: Vec<String>,
    /// A file of certificates (PEM) to trust instead of those the machine trusts.
    pub trust: Option<std::path::PathBuf>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        ConnectOptions {
            deadline: Duration::from_secs(30),
            tick: Duration::from_millis(200),
            public_only: false,
            except: Vec::new(),
            trust: None,
        }
    }
}

/// Asked between reads: does the person want to stop?
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// Opens connections.
pub struct Connector {
    options: ConnectOptions,
    /// Read from disk once the first address needs it.
    tls: Mutex<Option<Arc<ClientConfig>>>,
}

impl Connector {
    /// A connector.
    pub fn new(options: ConnectOptions) -> Self {
        Connector { options, tls: Mutex::new(None) }
    }

    /// How connections are made.
    pub fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// Connects; reads of the result end after a tick with [`io::ErrorKind::WouldBlock`] or `TimedOut` if nothing came.
    ///
    /// # Errors
    /// `Network` if the connection does not come to stand; `Refused` if it may not be made.
    pub fn connect(&self, address: &Address, stop: Stop) -> Result<Wire, Failure> {
        let deadline = Instant::now() + self.options.deadline;
        let network = |e: io::Error| Failure::Network(format!("{}: {e}", address.authority()));
        let public_only = self.options.public_only && !self.options.except.contains(&address.authority());
        let machines = address.resolve(public_only).map_err(|e| match e {
            Unreachable::NotFound(what) => Failure::Network(what),
            Unreachable::Private(what) => {
                Failure::Refused { what, help: "private addresses are reached only where an option allows it".into() }
            }
        })?;
        let tcp = reach(&machines, deadline).map_err(network)?;
        tcp.set_nodelay(true).map_err(network)?;
        tcp.set_read_timeout(Some(self.options.tick)).map_err(network)?;
        tcp.set_write_timeout(Some(self.options.deadline)).map_err(network)?;
        if !address.tls {
            return Ok(Wire::Plain(tcp));
        }
        let name = ServerName::try_from(address.host.clone())
            .map_err(|e| Failure::Network(format!("{} is no name for TLS: {e}", address.host)))?;
        let config = self.tls_config().map_err(|e| Failure::Refused {
            what: e.what().to_owned(),
            help: e.way_out().unwrap_or("see the trusted certificates of this machine").to_owned(),
        })?;
        let connection = ClientConnection::new(config, name)
            .map_err(|e| Failure::Network(format!("{}: {e}", address.authority())))?;
        let mut stream = StreamOwned::new(connection, tcp);
        shake_hands(&mut stream, deadline, stop).map_err(|e| match e {
            None => Failure::Stopped,
            Some(e) => network(e),
        })?;
        Ok(Wire::Tls(Box::new(stream)))
    }

    fn tls_config(&self) -> Result<Arc<ClientConfig>> {
        let mut kept = self.tls.lock().map_err(|_| Error::internal("a thread broke while it read certificates"))?;
        if let Some(config) = &*kept {
            return Ok(config.clone());
        }
        let roots = match &self.options.trust {
            Some(path) => roots_of(path)?,
            None => roots_of_machine()?,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::internal("TLS has no common version with itself").caused_by(e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(kept.insert(Arc::new(config)).clone())
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore> {
    let pem = std::fs::read(path).at(path)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.map_err(|e| e.to_string()).and_then(|c| roots.add(c).map_err(|e| e.to_string()));
        added.map_err(|e| Error::input(format!("not a certificate: {e}")).at(path))?;
    }
    if roots.is_empty() {
        return Err(Error::input("holds no certificate").at(path).help("give a file in PEM form"));
    }
    Ok(roots)
}

fn roots_of_machine() -> Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Machines trust certificates that this library cannot read; the others are enough.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or(String::new(), |e| format!(" ({e})"));
        return Err(Error::input(format!("this machine has no trusted certificates{why}"))
            .help("install them (Debian: the package ca-certificates), or name a file with --trust"));
    }
    Ok(roots)
}

/// Connects to the first of the machines that answers.
fn reach(machines: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for (at, machine) in machines.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        // One machine that does not answer leaves time for the others.
        let share = left / u32::try_from(machines.len() - at).unwrap_or(1);
        match TcpStream::connect_timeout(machine, share.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Completes the TLS handshake before `deadline`, however slowly the other side drips. `None`: stopped.
fn shake_hands(
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    deadline: Instant,
    stop: Stop,
) -> Result<(), Option<io::Error>> {
    while stream.conn.is_handshaking() {
        if stop() {
            return Err(None);
        }
        if Instant::now() >= deadline {
            return Err(Some(io::Error::new(io::ErrorKind::TimedOut, "TLS did not come to stand in time")));
        }
        if stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock).map_err(Some)?;
            continue;
        }
        match stream.conn.read_tls(&mut stream.sock) {
            Ok(0) => return Err(Some(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => {
                stream.conn.process_new_packets().map_err(|e| Some(io::Error::other(e)))?;
            }
            Err(e) if is_idle(&e) => {}
            Err(e) => return Err(Some(e)),
        }
    }
    Ok(())
}

/// Whether a read only ended because nothing came in time.
pub fn is_idle(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// A connection.
pub enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// Through TLS.
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.read(buffer),
            Wire::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Wire::Plain(stream) => stream.write(buffer),
            Wire::Tls(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Wire::Plain(stream) => stream.flush(),
            Wire::Tls(stream) => stream.flush(),
        }
    }
}
