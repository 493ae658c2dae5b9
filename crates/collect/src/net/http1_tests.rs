//! Answers in every cut and framing, without a socket.

use std::io::{self, Cursor};
use std::time::Duration;

use super::*;

/// Gives its pieces one a read, with a pause (`None`) where nothing has come.
struct Script {
    pieces: std::vec::IntoIter<Option<Vec<u8>>>,
    sent: Cursor<Vec<u8>>,
}

impl Read for Script {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.pieces.next() {
            None => Ok(0),
            Some(None) => Err(io::ErrorKind::WouldBlock.into()),
            Some(Some(piece)) => {
                buffer[..piece.len()].copy_from_slice(&piece);
                Ok(piece.len())
            }
        }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn answer(text: &[u8], step: usize) -> Result<(u16, Vec<u8>), Failure> {
    let pieces: Vec<_> = text.chunks(step).flat_map(|p| [None, Some(p.to_vec())]).collect();
    let wire = Script { pieces: pieces.into_iter(), sent: Cursor::default() };
    let address = Address::parse("http://example.com/x").unwrap();
    let request = Request::get(&address, &[]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut answer = ask(wire, &request, deadline, &|| false)?;
    let body = answer.body.read_all(1000, false, deadline, &|| false)?;
    Ok((answer.status, body))
}

#[test]
fn every_framing_in_every_cut() {
    for (text, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", "hello"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello"),
        ("HTTP/1.0 200 OK\r\n\r\nhello", "hello"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", "hi"),
    ] {
        for step in 1..text.len() {
            assert_eq!(answer(text.as_bytes(), step), Ok((200, expected.into())), "{text} step {step}");
        }
    }
}

#[test]
fn a_cut_body_is_no_whole_body() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
    ] {
        assert!(matches!(answer(text.as_bytes(), 7), Err(Failure::Dropped(_))), "{text}");
    }
}

#[test]
fn no_answer_and_no_http_are_the_networks_fault() {
    for text in
        ["", "HTTP/1.1 200 OK\r\nConte", "SSH-2.0-OpenSSH_9\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
    {
        assert!(matches!(answer(text.as_bytes(), 9), Err(Failure::Network(_))), "{text}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(3000));
    assert!(matches!(answer(endless.as_bytes(), 1000), Err(Failure::Network(_))));
}

#[test]
fn too_long_bodies_are_refused() {
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5000));
    assert!(matches!(answer(text.as_bytes(), 100), Err(Failure::Refused { .. })));
}

#[test]
fn a_token_cannot_add_lines_to_the_request() {
    let address = Address::parse("http://example.com/x").unwrap();
    let headers = [("Authorization", "Bearer a\r\nX: y".to_owned())];
    let request = Request::get(&address, &headers);
    assert!(head_of(&request).is_err());
}
