//! Bluesky's Jetstream over a WebSocket: v1 (`/subscribe`) and v2 (`/xrpc/network.bsky.jetstream.subscribeEvents`).
//!
//! Rules: spec `post_formats.md` section 4; Jetstream's README and lexicon. Delivery is at least once, so the overlap after
//! a reconnection is told by its keys.

use std::time::{Duration, Instant};

use quintet_posts::formats::json::{Json, Object};
use serde_json::{Value, json};
use tungstenite::Message;
use zstd::dict::DecoderDictionary;

use super::{Look, Notice, Opening, Source, endpoint};
use crate::failure::Failure;
use crate::feeds::Feed;
use crate::feeds::websocket::{Frames, upgrade};
use crate::net::Address;

/// How far v1 looks back from the last time it gave, because events of one time may come in any order.
const REWIND_US: u64 = 5_000_000;
/// More accounts than this go in a message instead of the address, which servers bound.
const MAX_IN_ADDRESS: usize = 50;
/// Both versions keep a day and a half.
const LOOK_BACK: Duration = Duration::from_secs(36 * 3600);

/// Jetstream.
#[derive(Clone, Debug)]
pub struct Jetstream {
    /// Address of the subscription; v2 is told by its path.
    pub endpoint: String,
    /// Collections of records, such as `app.bsky.feed.post`.
    pub collections: Vec<String>,
    /// Accounts; none: all.
    pub dids: Vec<String>,
    /// Dictionary for packed messages; none: messages come as they are.
    pub dictionary: Option<Vec<u8>>,
    /// Where to begin when nothing was collected yet: µs since 1970, or a sequence number of v2.
    pub from: Option<u64>,
}

impl Jetstream {
    fn is_v2(&self) -> bool {
        self.endpoint.contains("network.bsky.jetstream.subscribeEvents")
    }

    /// Accounts go in a message of their own.
    fn says_hello(&self) -> bool {
        !self.is_v2() && self.dids.len() > MAX_IN_ADDRESS
    }

    fn address(&self, cursor: Option<&str>) -> Result<Address, Failure> {
        let address = endpoint(&self.endpoint)?;
        let v2 = self.is_v2();
        let mut query: Vec<(&str, String)> = Vec::new();
        let names = if v2 { ("collections", "dids") } else { ("wantedCollections", "wantedDids") };
        query.extend(self.collections.iter().map(|c| (names.0, c.clone())));
        if self.says_hello() {
            query.push(("requireHello", "true".to_owned()));
        } else {
            query.extend(self.dids.iter().map(|d| (names.1, d.clone())));
        }
        let last = cursor.and_then(|c| c.parse::<u64>().ok());
        let cursor = last.map(|c| if v2 { c } else { c.saturating_sub(REWIND_US) }).or(self.from);
        query.extend(cursor.map(|c| ("cursor", c.to_string())));
        if let Some(dictionary) = &self.dictionary {
            query.push(if v2 {
                ("zstdDictionary", dictionary_id(dictionary)?.to_string())
            } else {
                ("compress", "true".to_owned())
            });
        }
        Ok(address.with_query(query))
    }
}

/// The number of a zstd dictionary (RFC 8878, section 5).
fn dictionary_id(dictionary: &[u8]) -> Result<u32, Failure> {
    match dictionary {
        [0x37, 0xa4, 0x30, 0xec, a, b, c, d, ..] => Ok(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => Err(Failure::Refused {
            what: "the dictionary is no zstd dictionary".to_owned(),
            help: "docs/collect.md says where the service keeps it".to_owned(),
        }),
    }
}

impl Source for Jetstream {
    fn name(&self) -> &'static str {
        "jetstream"
    }

    fn about(&self) -> Value {
        // Another server of the same kind goes on where one left off; another kind has other cursors.
        json!({"version": if self.is_v2() { 2 } else { 1 }, "collections": self.collections, "dids": self.dids})
    }

    fn stall(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn open(&self, opening: &Opening) -> Result<Box<dyn Feed>, Failure> {
        let address = self.address(opening.position.cursor.as_deref())?;
        let deadline = Instant::now() + opening.connector.options().deadline;
        let wire = opening.connector.connect(&address, opening.stop)?;
        let mut socket = upgrade(wire, &address, &[], deadline, opening.stop)?;
        if self.says_hello() {
            let hello = json!({"type": "options_update", "payload": {
                "wantedCollections": self.collections, "wantedDids": self.dids, "maxMessageSizeBytes": 0,
            }});
            let sent = socket.send(Message::text(hello.to_string()));
            sent.map_err(|e| Failure::Network(format!("{}: {e}", address.authority())))?;
        }
        let dictionary = self.dictionary.as_deref().map(DecoderDictionary::copy);
        Ok(Box::new(Frames::new(socket, opening.stall / 3, dictionary)))
    }

    fn look(&self, message: &Object) -> Look {
        match message.get("$type").and_then(Json::as_str) {
            Some("message") => match message.get("payload") {
                Some(Json::Object(payload)) => look_v2(payload),
                _ => Look::default(),
            },
            Some("error") => {
                let said = ["error", "message"].map(|k| message.get(k).and_then(Json::as_str).unwrap_or_default());
                let failure = Failure::Dropped(format!("the service ends the stream: {}", said.join(": ")));
                Look { notice: Some(Notice::Disconnect(failure)), ..Look::default() }
            }
            Some(_) => look_v2(message),
            None => look_v1(message),
        }
    }

    fn replays(&self, gap: Duration) -> bool {
        gap < LOOK_BACK
    }
}

fn look_v1(event: &Object) -> Look {
    let text = |object: &Object, key: &str| object.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let Some(time) = event.get("time_us").and_then(Json::as_u64) else { return Look::default() };
    let key = match event.get("commit") {
        Some(Json::Object(commit)) => {
            let parts = ["collection", "rkey", "rev", "operation"].map(|k| text(commit, k));
            format!("{}/{}", text(event, "did"), parts.join("/"))
        }
        _ => format!("{}/{}/{time}", text(event, "did"), text(event, "kind")),
    };
    Look { key: Some(key), cursor: Some(time.to_string()), notice: None }
}

fn look_v2(payload: &Object) -> Look {
    let kind = payload.get("$type").and_then(Json::as_str).unwrap_or_default();
    if kind.ends_with("#info") {
        let said = ["name", "message"].map(|k| payload.get(k).and_then(Json::as_str).unwrap_or_default());
        return Look { notice: Some(Notice::Warning(said.join(": "))), ..Look::default() };
    }
    let Some(seq) = payload.get("seq").and_then(Json::as_u64) else { return Look::default() };
    Look { key: Some(format!("seq/{seq}")), cursor: Some(seq.to_string()), notice: None }
}

#[cfg(test)]
mod tests {
    use quintet_posts::formats;

    use super::*;

    fn v1() -> Jetstream {
        Jetstream {
            endpoint: "wss://j.example.com/subscribe".into(),
            collections: vec!["app.bsky.feed.post".into()],
            dids: Vec::new(),
            dictionary: None,
            from: None,
        }
    }

    fn v2() -> Jetstream {
        Jetstream { endpoint: "wss://j.example.com/xrpc/network.bsky.jetstream.subscribeEvents".into(), ..v1() }
    }

    #[test]
    fn each_version_has_its_parameters() {
        let path = |j: &Jetstream, cursor| j.address(cursor).unwrap().path;
        assert_eq!(path(&v1(), None), "/subscribe?wantedCollections=app.bsky.feed.post");
        assert!(path(&v1(), Some("1700000000000000")).ends_with("&cursor=1699999995000000"));
        assert!(path(&v2(), Some("77")).ends_with("subscribeEvents?collections=app.bsky.feed.post&cursor=77"));
        let dictionary = Some(vec![0x37, 0xa4, 0x30, 0xec, 7, 1, 0, 0, 9]);
        assert!(path(&Jetstream { dictionary: dictionary.clone(), ..v1() }, None).ends_with("&compress=true"));
        assert!(path(&Jetstream { dictionary, ..v2() }, None).ends_with("&zstdDictionary=263"));
        assert!(Jetstream { dictionary: Some(b"text".to_vec()), ..v2() }.address(None).is_err());
        let many = Jetstream { dids: (0..60).map(|n| format!("did:plc:{n}")).collect(), ..v1() };
        assert!(path(&many, None).ends_with("&requireHello=true"));
        assert!(path(&Jetstream { from: Some(5), ..v1() }, None).ends_with("&cursor=5"));
    }

    #[test]
    fn events_of_both_versions_have_keys_and_cursors() {
        let look = |text: &str| v1().look(&formats::parse(text.as_bytes()).unwrap());
        let commit = look(
            r#"{"did":"did:plc:a","time_us":7,"kind":"commit","commit":{"rev":"r","operation":"create","collection":"c","rkey":"k"}}"#,
        );
        assert_eq!((commit.key.as_deref(), commit.cursor.as_deref()), (Some("did:plc:a/c/k/r/create"), Some("7")));
        let account = look(r#"{"did":"did:plc:a","time_us":8,"kind":"account","account":{"active":false}}"#);
        assert_eq!(account.key.as_deref(), Some("did:plc:a/account/8"));
        let v2 = r#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":9,"did":"d"}}"#;
        assert_eq!(look(v2).cursor.as_deref(), Some("9"));
        let slow = look(r#"{"$type":"error","error":"ConsumerTooSlow"}"#);
        assert!(matches!(slow.notice, Some(Notice::Disconnect(Failure::Dropped(_)))));
        assert_eq!(v1().later(Some("10".into()), "9".into()), "10");
        assert_eq!(v1().later(Some("9".into()), "10".into()), "10");
    }
}
