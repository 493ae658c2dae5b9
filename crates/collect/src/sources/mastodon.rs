//! Mastodon and what speaks like it: its streams as server-sent events or over a WebSocket.
//!
//! Rules: spec `post_formats.md` section 5; docs.joinmastodon.org, streaming. These servers replay nothing: what is sent
//! while nobody listens is not collected, and the log says for how long that was.

use std::time::{Duration, Instant};

use quintet_posts::formats::json::{Json, Object};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Look, Opening, Source, authorization, endpoint, open_http};
use crate::failure::Failure;
use crate::feeds::sse::Events;
use crate::feeds::websocket::{Frames, upgrade};
use crate::feeds::{BodyFeed, EventLines, Feed};
use crate::net::Address;

/// How events come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// As server-sent events.
    #[default]
    Sse,
    /// Over a WebSocket.
    WebSocket,
}

/// A stream of a server.
#[derive(Clone, Debug)]
pub struct Mastodon {
    /// The server, such as `https://example.social`. Its own word on where its streams are is followed, unless the address
    /// begins with `ws`.
    pub endpoint: String,
    /// `public`, `public:local`, `public:remote`, `public:media`, `hashtag`, `hashtag:local`, `list`, `user`.
    pub stream: String,
    /// The hashtag or the number of the list.
    pub argument: Option<String>,
    /// How events come.
    pub transport: Transport,
    /// Access token.
    pub token: Option<String>,
}

/// What is read of `/api/v2/instance`.
#[derive(Deserialize)]
struct Instance {
    configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    urls: Urls,
}

#[derive(Deserialize)]
struct Urls {
    streaming: String,
}

impl Mastodon {
    /// The server that streams.
    fn host(&self, opening: &Opening) -> Result<Address, Failure> {
        let base = endpoint(&self.endpoint)?;
        if self.endpoint.trim_start().starts_with("ws") {
            return Ok(base);
        }
        let instance = Address { path: "/api/v2/instance".to_owned(), ..base.clone() };
        let deadline = Instant::now() + opening.connector.options().deadline;
        let told = match open_http(opening, &instance, &[]) {
            Ok(mut answer) => answer.body.read_all(1 << 20, false, deadline, opening.stop)?,
            // Servers that only speak like Mastodon may not have it.
            Err(Failure::Refused { .. }) => return Ok(base),
            Err(failure) => return Err(failure),
        };
        let told = serde_json::from_slice::<Instance>(&told).ok();
        let told = told.and_then(|i| Address::parse(&i.configuration.urls.streaming).ok());
        // A server may not move the token from an encrypted to an open connection.
        Ok(told.filter(|t| t.tls || !base.tls).map_or(base, |t| Address { path: "/".to_owned(), ..t }))
    }

    /// The parameter that belongs to the stream.
    fn argument(&self) -> Result<Option<(&'static str, String)>, Failure> {
        let name = match self.stream.split(':').next().unwrap_or_default() {
            "hashtag" => "tag",
            "list" => "list",
            "public" | "user" | "direct" => return Ok(None),
            other => {
                return Err(Failure::Refused {
                    what: format!("`{other}` is no stream"),
                    help: "streams are public, public:local, public:remote (each also with :media), hashtag, \
                           hashtag:local, list, user"
                        .to_owned(),
                });
            }
        };
        match &self.argument {
            Some(value) => Ok(Some((name, value.trim_start_matches('#').to_owned()))),
            None => Err(Failure::Refused {
                what: format!("the stream {} needs a {name}", self.stream),
                help: format!("give it with --{name}"),
            }),
        }
    }

    /// Path and query of the stream on `host`.
    fn address(&self, host: Address) -> Result<Address, Failure> {
        let argument = self.argument()?;
        if self.transport == Transport::WebSocket {
            let address = Address { path: "/api/v1/streaming".to_owned(), ..host };
            return Ok(address.with_query([("stream", self.stream.clone())]).with_query(argument));
        }
        let parts: Vec<&str> = self.stream.split(':').collect();
        let (media, parts) = match parts.split_last() {
            Some((&"media", rest)) => (true, rest),
            _ => (false, &parts[..]),
        };
        let address = Address { path: format!("/api/v1/streaming/{}", parts.join("/")), ..host };
        Ok(address.with_query(media.then(|| ("only_media", "true".to_owned()))).with_query(argument))
    }
}

impl Source for Mastodon {
    fn name(&self) -> &'static str {
        "mastodon"
    }

    fn about(&self) -> Value {
        // Ids are those of one server.
        json!({"endpoint": self.endpoint, "stream": self.stream, "argument": self.argument})
    }

    fn stall(&self) -> Duration {
        // A heartbeat about every 15 s.
        Duration::from_secs(60)
    }

    fn open(&self, opening: &Opening) -> Result<Box<dyn Feed>, Failure> {
        // A mistyped stream is told before anybody is asked.
        self.argument()?;
        let address = self.address(self.host(opening)?)?;
        let headers = authorization(self.token.as_deref(), &address)?;
        match self.transport {
            Transport::Sse => {
                let answer = open_http(opening, &address, &headers)?;
                Ok(Box::new(BodyFeed::new(answer.body, EventLines(Events::default()))))
            }
            Transport::WebSocket => {
                let deadline = Instant::now() + opening.connector.options().deadline;
                let wire = opening.connector.connect(&address, opening.stop)?;
                let socket = upgrade(wire, &address, &headers, deadline, opening.stop)?;
                Ok(Box::new(Frames::new(socket, opening.stall / 3, None)))
            }
        }
    }

    fn look(&self, message: &Object) -> Look {
        let event = message.get("event").and_then(Json::as_str).unwrap_or_default();
        let payload = message.get("payload").and_then(Json::as_str).unwrap_or_default();
        let status = || serde_json::from_str::<Status>(payload).ok();
        let key = match event {
            "update" => status().map(|s| s.id),
            "status.update" => status().map(|s| format!("{}/{}", s.id, s.edited_at.unwrap_or_default())),
            "delete" => Some(payload.to_owned()),
            _ => None,
        };
        let cursor = key.clone().filter(|_| event == "update");
        Look { key: key.map(|k| format!("{event}/{k}")), cursor, notice: None }
    }

    fn replays(&self, _: Duration) -> bool {
        false
    }
}

/// What is read of a status.
#[derive(Deserialize)]
struct Status {
    id: String,
    edited_at: Option<String>,
}

#[cfg(test)]
mod tests {
    use quintet_posts::formats;

    use super::*;

    fn stream(stream: &str, argument: Option<&str>, transport: Transport) -> Result<String, Failure> {
        let m = Mastodon {
            endpoint: "https://m.example".into(),
            stream: stream.into(),
            argument: argument.map(str::to_owned),
            transport,
            token: None,
        };
        m.address(Address::parse("https://s.example").unwrap()).map(|a| a.path)
    }

    #[test]
    fn streams_have_their_addresses() {
        let sse = |name, argument| stream(name, argument, Transport::Sse);
        assert_eq!(sse("public", None), Ok("/api/v1/streaming/public".into()));
        assert_eq!(sse("public:local", None), Ok("/api/v1/streaming/public/local".into()));
        assert_eq!(sse("public:remote:media", None), Ok("/api/v1/streaming/public/remote?only_media=true".into()));
        assert_eq!(
            sse("hashtag:local", Some("#caf\u{e9}")),
            Ok("/api/v1/streaming/hashtag/local?tag=caf%C3%A9".into())
        );
        assert_eq!(sse("list", Some("7")), Ok("/api/v1/streaming/list?list=7".into()));
        assert!(sse("hashtag", None).is_err() && sse("pubic", None).is_err());
        let socket = stream("hashtag", Some("x"), Transport::WebSocket);
        assert_eq!(socket, Ok("/api/v1/streaming?stream=hashtag&tag=x".into()));
    }

    #[test]
    fn events_have_keys() {
        let m = Mastodon {
            endpoint: String::new(),
            stream: "public".into(),
            argument: None,
            transport: Transport::Sse,
            token: None,
        };
        let key = |text: &str| m.look(&formats::parse(text.as_bytes()).unwrap()).key;
        assert_eq!(key(r#"{"event":"update","payload":"{\"id\":\"5\",\"edited_at\":null}"}"#), Some("update/5".into()));
        let edit = key(r#"{"event":"status.update","payload":"{\"id\":\"5\",\"edited_at\":\"t\"}"}"#);
        assert_eq!(edit, Some("status.update/5/t".into()));
        assert_eq!(key(r#"{"stream":["public"],"event":"delete","payload":"5"}"#), Some("delete/5".into()));
        assert_eq!(key(r#"{"event":"filters_changed"}"#), None);
    }
}
