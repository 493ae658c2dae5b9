//! One request and its answer over HTTP/1.1: the head parsed by `httparse`, the body given as it comes.

use std::io::{Read, Write};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::address::Address;
use super::chunked::Chunks;
use super::connect::{Stop, is_idle};
use super::unpack::Unpack;
use crate::failure::Failure;

/// How this program names itself to services.
pub const AGENT: &str = concat!("quintet/", env!("CARGO_PKG_VERSION"));
/// Largest head of an answer.
const MAX_HEAD: usize = 64 << 10;
const MAX_HEADERS: usize = 128;
const BUFFER: usize = 64 << 10;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// Where.
    pub address: &'a Address,
    /// Further lines of the head.
    pub headers: &'a [(&'static str, String)],
    /// JSON to send.
    pub body: Option<&'a [u8]>,
    /// The headers ask to go on with another protocol.
    pub upgrade: bool,
}

impl<'a> Request<'a> {
    /// A plain `GET`.
    pub fn get(address: &'a Address, headers: &'a [(&'static str, String)]) -> Self {
        Request { method: "GET", address, headers, body: None, upgrade: false }
    }
}

/// An answer whose body is still to be read.
pub struct Answer<W> {
    /// Status.
    pub status: u16,
    /// Lines of the head.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body<W>,
}

/// Where a body ends.
#[derive(Debug)]
enum Frame {
    Chunked(Chunks),
    /// So many bytes are to come.
    Length(u64),
    /// With the connection.
    Open,
}

/// What a look at a body gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Bytes came.
    Data,
    /// Nothing came within a tick.
    Idle,
    /// The body is over, and whole as far as can be known.
    End,
}

/// A body as it comes.
pub struct Body<W> {
    wire: W,
    frame: Frame,
    unpack: Option<Unpack>,
    /// Bytes that came with the head.
    ahead: Vec<u8>,
    buffer: Vec<u8>,
    plain: Vec<u8>,
}

/// Sends a request and reads the head of the answer, both before `deadline`.
///
/// # Errors
/// `Network` if there is no answer in time or it is no HTTP; `Stopped`.
pub fn ask<W: Read + Write>(
    mut wire: W,
    request: &Request,
    deadline: Instant,
    stop: Stop,
) -> Result<Answer<W>, Failure> {
    let from = request.address.authority();
    let network = |what: String| Failure::Network(format!("{from}: {what}"));
    let text = head_of(request).map_err(network)?;
    wire.write_all(&text).and_then(|()| wire.flush()).map_err(|e| network(e.to_string()))?;
    let mut head = Vec::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        if stop() {
            return Err(Failure::Stopped);
        }
        if Instant::now() >= deadline {
            return Err(network("no answer in time".into()));
        }
        let read = match wire.read(&mut buffer) {
            Ok(0) => return Err(network("closed before it answered".into())),
            Ok(n) => n,
            Err(e) if is_idle(&e) => continue,
            Err(e) => return Err(network(e.to_string())),
        };
        head.extend_from_slice(&buffer[..read]);
        if let Some((status, headers, used)) = parse_head(&head).map_err(network)? {
            // 100 Continue and its like come before the answer.
            if (100..200).contains(&status) && status != 101 {
                head.drain(..used);
                continue;
            }
            let frame = frame_of(status, &headers).map_err(network)?;
            let packed = headers.get("content-encoding").is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
            let body = Body {
                wire,
                frame,
                unpack: packed.then(Unpack::default),
                ahead: head.split_off(used),
                buffer,
                plain: Vec::new(),
            };
            return Ok(Answer { status, headers, body });
        }
        if head.len() > MAX_HEAD {
            return Err(network("answers with an endless head".into()));
        }
    }
}

fn head_of(request: &Request) -> Result<Vec<u8>, String> {
    let Request { method, address, headers, body, upgrade } = request;
    let mut text = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {AGENT}\r\n{}",
        address.path,
        address.authority(),
        if *upgrade { "" } else { "Accept-Encoding: gzip\r\nConnection: close\r\n" }
    );
    for (name, value) in *headers {
        // A token with a line break would add lines of its own.
        if HeaderValue::from_str(value).is_err() {
            return Err(format!("the value for {name} holds characters that it may not hold"));
        }
        text += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = body {
        text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body.unwrap_or_default());
    Ok(bytes)
}

/// Status, headers and length of a head; `None` if more bytes are needed.
fn parse_head(bytes: &[u8]) -> Result<Option<(u16, HeaderMap, usize)>, String> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut lines);
    let used = match response.parse(bytes) {
        Ok(httparse::Status::Complete(used)) => used,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(e) => return Err(format!("answers with something that is not HTTP: {e}")),
    };
    let mut headers = HeaderMap::new();
    for line in response.headers.iter() {
        // A header that http does not allow says nothing that is needed here.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(line.name.as_bytes()), HeaderValue::from_bytes(line.value))
        {
            headers.append(name, value);
        }
    }
    Ok(Some((response.code.unwrap_or_default(), headers, used)))
}

fn frame_of(status: u16, headers: &HeaderMap) -> Result<Frame, String> {
    if matches!(status, 204 | 304) {
        return Ok(Frame::Length(0));
    }
    let coding = headers.get("transfer-encoding").map(HeaderValue::as_bytes).unwrap_or_default();
    if coding.to_ascii_lowercase().ends_with(b"chunked") {
        return Ok(Frame::Chunked(Chunks::default()));
    }
    match headers.get("content-length") {
        Some(length) => {
            let length = length.to_str().ok().and_then(|l| l.trim().parse().ok());
            length.map(Frame::Length).ok_or_else(|| "answers with a length that is no number".to_owned())
        }
        None => Ok(Frame::Open),
    }
}

impl<W: Read> Body<W> {
    /// The connection, and the bytes behind the head that have been read already.
    pub fn into_wire(self) -> (W, Vec<u8>) {
        (self.wire, self.ahead)
    }

    /// Appends bytes that have come to `out`, waiting at most a tick for them.
    ///
    /// # Errors
    /// `Dropped` if the connection ends before the body or the bytes are not what the head says.
    pub fn read(&mut self, out: &mut Vec<u8>) -> Result<Step, Failure> {
        if self.is_over() {
            return self.end();
        }
        let mut bytes = std::mem::take(&mut self.ahead);
        if bytes.is_empty() {
            match self.wire.read(&mut self.buffer) {
                Ok(0) if matches!(self.frame, Frame::Open) => return self.end(),
                Ok(0) => return Err(Failure::Dropped("the connection was cut".into())),
                Ok(n) => bytes.extend_from_slice(&self.buffer[..n]),
                Err(e) if is_idle(&e) => return Ok(Step::Idle),
                Err(e) => return Err(Failure::Dropped(format!("the connection was cut: {e}"))),
            }
        }
        self.plain.clear();
        match &mut self.frame {
            Frame::Chunked(chunks) => chunks.push(&bytes, &mut self.plain).map_err(Failure::Dropped)?,
            Frame::Length(left) => {
                let n = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left -= n as u64;
                self.plain.extend_from_slice(&bytes[..n]);
            }
            Frame::Open => std::mem::swap(&mut self.plain, &mut bytes),
        }
        match &mut self.unpack {
            Some(unpack) => unpack.push(&self.plain, out).map_err(Failure::Dropped)?,
            None => out.append(&mut self.plain),
        }
        Ok(Step::Data)
    }

    fn end(&mut self) -> Result<Step, Failure> {
        // What was packed must have been packed to its end.
        self.unpack.take().map_or(Ok(()), |mut u| u.finish()).map_err(Failure::Dropped)?;
        Ok(Step::End)
    }

    fn is_over(&self) -> bool {
        match &self.frame {
            Frame::Chunked(chunks) => chunks.is_done(),
            Frame::Length(left) => *left == 0,
            Frame::Open => false,
        }
    }

    /// The whole body of at most `most` bytes before `deadline`; a longer one is cut where `cut` allows it.
    ///
    /// # Errors
    /// As [`Body::read`], and if the body is too long or too slow.
    pub fn read_all(&mut self, most: usize, cut: bool, deadline: Instant, stop: Stop) -> Result<Vec<u8>, Failure> {
        let mut out = Vec::new();
        loop {
            if stop() {
                return Err(Failure::Stopped);
            }
            if Instant::now() >= deadline {
                return Err(Failure::Dropped("the answer did not end in time".into()));
            }
            if self.read(&mut out)? == Step::End {
                return Ok(out);
            }
            if out.len() > most {
                out.truncate(most);
                let help = "the limit is an option".to_owned();
                let what = format!("longer than {most} bytes");
                return if cut { Ok(out) } else { Err(Failure::Refused { what, help }) };
            }
        }
    }
}

#[cfg(test)]
#[path = "http1_tests.rs"]
mod tests;
