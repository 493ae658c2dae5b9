//! "Whom to ask, and what does an answer say": one file a service.

pub mod jetstream;
pub mod mastodon;
pub mod x;
pub mod x_rules;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use quintet_posts::formats::json::Object;
use serde_json::Value;

use crate::failure::Failure;
use crate::feeds::Feed;
use crate::net::connect::Stop;
use crate::net::http1::{self, Answer, Request};
use crate::net::{Address, Connector, Wire};

pub use jetstream::Jetstream;
pub use mastodon::Mastodon;
pub use x::X;

/// Where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What the service calls the last message, if it numbers them.
    pub cursor: Option<String>,
    /// When the stream was last known to be alive.
    pub heard: Option<Timestamp>,
}

/// What a connection is opened with.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// Opens sockets.
    pub connector: &'a Connector,
    /// Where to go on.
    pub position: &'a Position,
    /// After so long without a sign of life a stream counts as stalled.
    pub stall: Duration,
    /// Does the person want to stop?
    pub stop: Stop<'a>,
}

/// A service that streams posts.
pub trait Source: Sync {
    /// Name in files and reports.
    fn name(&self) -> &'static str;

    /// What is asked for, without secrets: a collection goes on only with the same.
    fn about(&self) -> Value;

    /// How long without a sign of life before a stream counts as stalled: three of the service's heartbeats.
    fn stall(&self) -> Duration;

    /// Opens a connection.
    ///
    /// # Errors
    /// The class of what went wrong.
    fn open(&self, opening: &Opening) -> Result<Box<dyn Feed>, Failure>;

    /// What a message says beside the post in it.
    fn look(&self, message: &Object) -> Look;

    /// Of two cursors the one to go on from.
    fn later(&self, old: Option<String>, new: String) -> String {
        // Numbers grow; a message out of order must not lead back.
        match old {
            Some(old) if number(&old) > number(&new) => old,
            _ => new,
        }
    }

    /// Whether the service replays what was sent while nobody listened, for a gap of this length.
    fn replays(&self, gap: Duration) -> bool;
}

fn number(text: &str) -> u128 {
    text.parse().unwrap_or(0)
}

/// What a message says beside the post in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// What tells the message from others; two with the same are one.
    pub key: Option<String>,
    /// Where to go on after it.
    pub cursor: Option<String>,
    /// Something the service says about the stream itself.
    pub notice: Option<Notice>,
}

/// What a service says about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// So many messages were not delivered since the connection was made.
    Limit(u64),
    /// The service is about to close the connection.
    Disconnect(Failure),
    /// Anything else.
    Warning(String),
}

/// Opens a stream over HTTP; an answer other than 200 is a failure of its class.
fn open_http(
    opening: &Opening,
    address: &Address,
    headers: &[(&'static str, String)],
) -> Result<Answer<Wire>, Failure> {
    let deadline = Instant::now() + opening.connector.options().deadline;
    let wire = opening.connector.connect(address, opening.stop)?;
    let answer = http1::ask(wire, &Request::get(address, headers), deadline, opening.stop)?;
    whole(answer, deadline, opening.stop)
}

/// An answer of status 200, or the failure another one stands for.
fn whole(mut answer: Answer<Wire>, deadline: Instant, stop: Stop) -> Result<Answer<Wire>, Failure> {
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let text = answer.body.read_all(4096, true, deadline, stop).unwrap_or_default();
    Err(Failure::of_status(answer.status, &answer.headers, &String::from_utf8_lossy(&text)))
}

/// The line of the head that carries a token.
///
/// # Errors
/// If the token would cross a network in the open.
fn authorization(token: Option<&str>, address: &Address) -> Result<Vec<(&'static str, String)>, Failure> {
    let Some(token) = token else { return Ok(Vec::new()) };
    if !address.tls && !address.is_loopback() {
        return Err(Failure::Refused {
            what: format!("the token would go to {} without encryption", address.authority()),
            help: "use an endpoint that begins with https:// or wss://".to_owned(),
        });
    }
    Ok(vec![("Authorization", format!("Bearer {token}"))])
}

/// An address from an option.
///
/// # Errors
/// If it is none.
fn endpoint(text: &str) -> Result<Address, Failure> {
    Address::parse(text)
        .map_err(|what| Failure::Refused { what, help: "give a whole address with --endpoint".to_owned() })
}
