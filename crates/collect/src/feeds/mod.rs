//! "Here are bytes, give me messages": lines over HTTP, server-sent events, WebSocket frames - one face, [`Feed`].

pub mod lines;
pub mod sse;
pub mod websocket;

use std::collections::VecDeque;
use std::io::Read;

use crate::failure::Failure;
use crate::net::http1::{Body, Step};

use lines::{Line, Lines};
use sse::{Event, Events};

/// What a feed gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// A message, as it will stand on a line of its own.
    Message(Vec<u8>),
    /// A sign of life without a message.
    Alive,
    /// A message of so many bytes was too long and is lost.
    TooLong(u64),
    /// Nothing came within a tick.
    Idle,
}

/// Messages of one connection.
pub trait Feed {
    /// The next message, or what came instead, after a tick at most.
    ///
    /// # Errors
    /// Once the connection has ended.
    fn next(&mut self) -> Result<Arrived, Failure>;
}

/// Cuts the bytes of a body into messages.
pub trait Cut {
    /// Takes bytes and appends what they complete.
    fn push(&mut self, bytes: &[u8], out: &mut VecDeque<Arrived>);
    /// Bytes of the message that is not complete yet.
    fn pending(&self) -> usize;
}

/// Messages in the body of an answer.
pub struct BodyFeed<W, C> {
    body: Body<W>,
    cut: C,
    bytes: Vec<u8>,
    ready: VecDeque<Arrived>,
}

impl<W: Read, C: Cut> BodyFeed<W, C> {
    /// The messages of `body`, cut by `cut`.
    pub fn new(body: Body<W>, cut: C) -> Self {
        BodyFeed { body, cut, bytes: Vec::new(), ready: VecDeque::new() }
    }

    /// Says how much of a message the end of the connection cost.
    fn ended(&self, why: &str) -> Failure {
        match self.cut.pending() {
            0 => Failure::Dropped(why.to_owned()),
            n => Failure::Dropped(format!("{why}, within a message of which {n} bytes had come")),
        }
    }
}

impl<W: Read, C: Cut> Feed for BodyFeed<W, C> {
    fn next(&mut self) -> Result<Arrived, Failure> {
        if let Some(arrived) = self.ready.pop_front() {
            return Ok(arrived);
        }
        self.bytes.clear();
        let read = self.body.read(&mut self.bytes);
        // What was unpacked before an error counts.
        self.cut.push(&self.bytes, &mut self.ready);
        match (self.ready.pop_front(), read) {
            (Some(arrived), _) => Ok(arrived),
            (None, Ok(Step::End)) => Err(self.ended("the service ended the stream")),
            (None, Ok(_)) => Ok(Arrived::Idle),
            (None, Err(Failure::Dropped(why))) => Err(self.ended(&why)),
            (None, Err(failure)) => Err(failure),
        }
    }
}

/// JSON texts, one a line; blank lines are signs of life.
#[derive(Debug)]
pub struct JsonLines(pub Lines);

impl Cut for JsonLines {
    fn push(&mut self, bytes: &[u8], out: &mut VecDeque<Arrived>) {
        self.0.push(bytes, |line| {
            out.push_back(match line {
                Line::Text([]) => Arrived::Alive,
                Line::Text(text) if text.trim_ascii().is_empty() => Arrived::Alive,
                Line::Text(text) => Arrived::Message(text.to_vec()),
                Line::TooLong(bytes) => Arrived::TooLong(bytes),
            });
        });
    }

    fn pending(&self) -> usize {
        self.0.pending()
    }
}

/// Server-sent events, made into `{"event": ..., "payload": "..."}`, which is the form of the same events on a WebSocket.
#[derive(Debug)]
pub struct EventLines(pub Events);

impl Cut for EventLines {
    fn push(&mut self, bytes: &[u8], out: &mut VecDeque<Arrived>) {
        self.0.push(bytes, |event| {
            out.push_back(match event {
                Event::Comment => Arrived::Alive,
                Event::TooLong(bytes) => Arrived::TooLong(bytes),
                Event::Whole { name, data } => {
                    let name = if name.is_empty() { "message" } else { name };
                    let line = serde_json::json!({"event": name, "payload": String::from_utf8_lossy(data)});
                    Arrived::Message(line.to_string().into_bytes())
                }
            });
        });
    }

    fn pending(&self) -> usize {
        self.0.pending()
    }
}
