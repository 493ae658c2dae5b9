//! Messages of a WebSocket: frames by `tungstenite`, the handshake by our HTTP, so that errors of a service keep their
//! class; pings keep a quiet connection known to be alive; binary frames are unpacked with a zstd dictionary.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use http::HeaderMap;
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Bytes, Message, WebSocket};
use zstd::dict::DecoderDictionary;

use super::lines::MAX_MESSAGE;
use super::{Arrived, Feed};
use crate::failure::Failure;
use crate::net::address::Address;
use crate::net::connect::{Stop, is_idle};
use crate::net::http1::{self, Request};

/// Bytes of an error's text that are read.
const MAX_ERROR: usize = 4096;

/// Messages of a WebSocket.
pub struct Frames<W> {
    socket: WebSocket<W>,
    ping_every: Duration,
    heard: Instant,
    pinged: Instant,
    dictionary: Option<DecoderDictionary<'static>>,
}

/// Makes a WebSocket of a connection.
///
/// # Errors
/// The class of the service's answer if it does not change over.
pub fn upgrade<W: Read + Write>(
    wire: W,
    address: &Address,
    headers: &[(&'static str, String)],
    deadline: Instant,
    stop: Stop,
) -> Result<WebSocket<W>, Failure> {
    let key = generate_key();
    let mut all = vec![
        ("Connection", "Upgrade".to_owned()),
        ("Upgrade", "websocket".to_owned()),
        ("Sec-WebSocket-Version", "13".to_owned()),
        ("Sec-WebSocket-Key", key.clone()),
    ];
    all.extend_from_slice(headers);
    let request = Request { upgrade: true, ..Request::get(address, &all) };
    let mut answer = http1::ask(wire, &request, deadline, stop)?;
    if answer.status != 101 {
        let text = answer.body.read_all(MAX_ERROR, true, deadline, stop).unwrap_or_default();
        return Err(match answer.status {
            200..=299 => no_websocket(address),
            status => Failure::of_status(status, &answer.headers, &String::from_utf8_lossy(&text)),
        });
    }
    if !accepts(&answer.headers, &key) {
        return Err(no_websocket(address));
    }
    let config = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
    let (wire, ahead) = answer.body.into_wire();
    Ok(WebSocket::from_partially_read(wire, ahead, Role::Client, Some(config)))
}

fn accepts(headers: &HeaderMap, key: &str) -> bool {
    headers.get("sec-websocket-accept").is_some_and(|v| v.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes())
}

fn no_websocket(address: &Address) -> Failure {
    Failure::Refused {
        what: format!("{}{} is no WebSocket", address.authority(), address.path.split('?').next().unwrap_or_default()),
        help: "see --endpoint and --transport".to_owned(),
    }
}

impl<W: Read + Write> Frames<W> {
    /// The messages of `socket`; after `ping_every` without any, a ping asks whether the other side is there.
    pub fn new(socket: WebSocket<W>, ping_every: Duration, dictionary: Option<DecoderDictionary<'static>>) -> Self {
        let now = Instant::now();
        Frames { socket, ping_every, heard: now, pinged: now, dictionary }
    }

    /// Asks for a sign of life if it is time to.
    fn ping(&mut self) -> Result<(), Failure> {
        if self.heard.elapsed() < self.ping_every || self.pinged.elapsed() < self.ping_every {
            return Ok(());
        }
        self.pinged = Instant::now();
        match self.socket.send(Message::Ping(Bytes::new())) {
            Ok(()) => Ok(()),
            Err(tungstenite::Error::Io(e)) if is_idle(&e) => Ok(()),
            Err(e) => Err(Failure::Dropped(format!("the connection was cut: {e}"))),
        }
    }

    fn unpack(&self, packed: &[u8]) -> Result<Arrived, Failure> {
        let Some(dictionary) = &self.dictionary else {
            return Err(Failure::Refused {
                what: "the service sends packed messages".to_owned(),
                help: "name its dictionary with --zstd-dictionary".to_owned(),
            });
        };
        let mut plain = Vec::new();
        let decoder = zstd::Decoder::with_prepared_dictionary(packed, dictionary);
        let read = decoder.and_then(|d| d.take(MAX_MESSAGE as u64 + 1).read_to_end(&mut plain));
        match read {
            Ok(n) if n > MAX_MESSAGE => Ok(Arrived::TooLong(n as u64)),
            Ok(_) => Ok(Arrived::Message(one_line(plain))),
            Err(e) => Err(Failure::Refused {
                what: format!("a packed message cannot be unpacked: {e}"),
                help: "the dictionary of --zstd-dictionary must be the one the service uses".to_owned(),
            }),
        }
    }
}

impl<W: Read + Write> Feed for Frames<W> {
    fn next(&mut self) -> Result<Arrived, Failure> {
        let message = match self.socket.read() {
            Ok(message) => message,
            Err(tungstenite::Error::Io(e)) if is_idle(&e) => {
                self.ping()?;
                return Ok(Arrived::Idle);
            }
            Err(tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed) => {
                return Err(Failure::Dropped("the service closed the connection".to_owned()));
            }
            Err(e) => return Err(Failure::Dropped(format!("the connection was cut: {e}"))),
        };
        self.heard = Instant::now();
        match message {
            Message::Text(text) => Ok(Arrived::Message(one_line(text.as_bytes().to_vec()))),
            Message::Binary(packed) => self.unpack(&packed),
            Message::Ping(_) => {
                // The answer lies in the socket's buffer until something is written.
                match self.socket.flush() {
                    Err(tungstenite::Error::Io(e)) if !is_idle(&e) => {
                        Err(Failure::Dropped(format!("the connection was cut: {e}")))
                    }
                    _ => Ok(Arrived::Alive),
                }
            }
            Message::Pong(_) | Message::Frame(_) => Ok(Arrived::Alive),
            Message::Close(frame) => {
                let why = frame.map_or(String::new(), |f| format!(": {} {}", u16::from(f.code), f.reason));
                Err(Failure::Dropped(format!("the service closed the connection{why}")))
            }
        }
    }
}

/// Line ends inside a JSON text can only be white space between its parts: without them it stands on one line.
fn one_line(mut text: Vec<u8>) -> Vec<u8> {
    text.iter_mut().filter(|b| matches!(b, b'\n' | b'\r')).for_each(|b| *b = b' ');
    text
}
