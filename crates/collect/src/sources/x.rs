//! X: the filtered stream of API v2; messages of v1.1's streams are understood too.
//!
//! Rules: spec `post_formats.md` sections 2 and 3; docs.x.com, filtered stream and "handling disconnections".

use std::time::Duration;

use jiff::Timestamp;
use quintet_posts::formats::json::{Json, Object};
use serde_json::{Value, json};

use super::{Look, Notice, Opening, Source, authorization, endpoint, open_http};
use crate::failure::Failure;
use crate::feeds::lines::Lines;
use crate::feeds::{BodyFeed, Feed, JsonLines};
use crate::net::Address;

/// Path of the filtered stream below a host.
const PATH: &str = "/2/tweets/search/stream";
/// What is asked for beside id and text: all that the five components need.
pub const FIELDS: [(&str, &str); 5] = [
    (
        "tweet.fields",
        "attachments,author_id,created_at,edit_history_tweet_ids,entities,geo,in_reply_to_user_id,lang,note_tweet,\
         possibly_sensitive,public_metrics,referenced_tweets,withheld",
    ),
    ("expansions", "attachments.media_keys,author_id,geo.place_id,referenced_tweets.id,referenced_tweets.id.author_id"),
    ("media.fields", "alt_text,height,media_key,preview_image_url,type,url,width"),
    ("place.fields", "country,country_code,full_name,geo,id,name,place_type"),
    ("user.fields", "created_at,description,location,name,protected,public_metrics,username,verified"),
];

/// The filtered stream.
#[derive(Clone, Debug)]
pub struct X {
    /// A host, or the whole address of a stream of JSON lines.
    pub endpoint: String,
    /// Bearer token.
    pub token: Option<String>,
    /// Most minutes to ask for again after a gap, 0 to 5; 0: none. Not every access level has it.
    pub backfill: u8,
    /// Parameters that replace or add to [`FIELDS`].
    pub parameters: Vec<(String, String)>,
}

impl X {
    fn address(&self) -> Result<Address, Failure> {
        let mut address = endpoint(&self.endpoint)?;
        if address.path == "/" {
            PATH.clone_into(&mut address.path);
        }
        let ours = FIELDS.iter().filter(|(name, _)| self.parameters.iter().all(|(n, _)| n != name));
        let address = address.with_query(ours.map(|(name, value)| (*name, (*value).to_owned())));
        // An empty value takes a parameter away.
        let theirs = self.parameters.iter().filter(|(_, v)| !v.is_empty());
        Ok(address.with_query(theirs.map(|(n, v)| (n.as_str(), v.clone()))))
    }

    /// Minutes to ask for again after silence since `heard`.
    fn minutes(&self, heard: Option<Timestamp>) -> Option<u64> {
        let gap = Timestamp::now().as_second().saturating_sub(heard?.as_second()).max(0);
        let minutes = u64::try_from(gap).unwrap_or(0) / 60 + 1;
        (self.backfill > 0).then(|| minutes.min(u64::from(self.backfill)))
    }
}

impl Source for X {
    fn name(&self) -> &'static str {
        "x"
    }

    fn about(&self) -> Value {
        json!({"endpoint": self.endpoint, "parameters": self.parameters})
    }

    fn stall(&self) -> Duration {
        // A blank line every 20 s.
        Duration::from_secs(60)
    }

    fn open(&self, opening: &Opening) -> Result<Box<dyn Feed>, Failure> {
        let minutes = self.minutes(opening.position.heard);
        let address = self.address()?.with_query(minutes.map(|m| ("backfill_minutes", m.to_string())));
        let headers = authorization(self.token.as_deref(), &address)?;
        let answer = open_http(opening, &address, &headers)?;
        Ok(Box::new(BodyFeed::new(answer.body, JsonLines(Lines::default()))))
    }

    fn look(&self, message: &Object) -> Look {
        let post = match message.get("data") {
            Some(Json::Object(data)) => text(data, "id"),
            _ => text(message, "id_str"),
        };
        let key = post.map(|id| format!("x/{id}"));
        Look { key, cursor: post.map(str::to_owned), notice: notice(message) }
    }

    fn replays(&self, gap: Duration) -> bool {
        gap <= Duration::from_secs(60 * u64::from(self.backfill))
    }
}

fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Json::as_str)
}

/// What the stream says about itself.
fn notice(message: &Object) -> Option<Notice> {
    let part = |key: &str| match message.get(key) {
        Some(Json::Object(part)) => Some(part),
        _ => None,
    };
    if let Some(limit) = part("limit") {
        return Some(Notice::Limit(limit.get("track").and_then(Json::as_u64).unwrap_or(0)));
    }
    if let Some(warning) = part("warning") {
        let said = ["code", "message"].map(|k| text(warning, k).unwrap_or_default());
        return Some(Notice::Warning(said.join(": ")));
    }
    if let Some(end) = part("disconnect") {
        let code = end.get("code").and_then(Json::as_u64).unwrap_or(0);
        return Some(Notice::Disconnect(disconnect(code, text(end, "reason").unwrap_or_default())));
    }
    // Errors beside data concern parts of a post that could not be shown.
    match message.get("errors") {
        Some(Json::List(errors)) if !message.contains_key("data") => Some(error(errors)),
        _ => None,
    }
}

/// Codes of v1.1. 2 and 7: another connection with the same account took over; calling back at once would throw that one
/// out again. 6: the token was revoked.
fn disconnect(code: u64, reason: &str) -> Failure {
    let what = format!("the service disconnects, code {code}: {reason}");
    match code {
        2 | 7 => Failure::Limited { what, wait: None },
        6 => Failure::Refused { what, help: "the token is no longer valid".to_owned() },
        _ => Failure::Dropped(what),
    }
}

fn error(errors: &[Json]) -> Notice {
    let said: Vec<String> = errors
        .iter()
        .filter_map(|e| match e {
            Json::Object(e) => Some(["title", "disconnect_type", "detail"].map(|k| text(e, k).unwrap_or_default())),
            _ => None,
        })
        .map(|parts| parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(": "))
        .collect();
    let what = said.join("; ");
    let names = |word: &str| what.to_lowercase().contains(word);
    if names("toomanyconnections") || names("usage") || names("rate limit") || names("cap exceeded") {
        return Notice::Disconnect(Failure::Limited { what, wait: None });
    }
    if names("disconnect") || names("connectionexception") {
        return Notice::Disconnect(Failure::Dropped(what));
    }
    Notice::Warning(what)
}

#[cfg(test)]
mod tests {
    use quintet_posts::formats;

    use super::*;

    fn x() -> X {
        X { endpoint: "https://api.example.com".into(), token: None, backfill: 5, parameters: Vec::new() }
    }

    fn look(text: &str) -> Look {
        x().look(&formats::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn posts_and_notices_of_both_versions_are_told_apart() {
        let v2 = look(r#"{"data":{"id":"12","text":"x"},"errors":[{"title":"Not Found Error"}]}"#);
        assert_eq!((v2.key.as_deref(), v2.cursor.as_deref(), v2.notice), (Some("x/12"), Some("12"), None));
        assert_eq!(look(r#"{"id_str":"12","text":"x","user":{}}"#).key.as_deref(), Some("x/12"));
        assert_eq!(look(r#"{"limit":{"track":7}}"#).notice, Some(Notice::Limit(7)));
        let class = |text: &str| match look(text).notice {
            Some(Notice::Disconnect(failure)) => failure.class(),
            other => panic!("{other:?}"),
        };
        assert_eq!(class(r#"{"disconnect":{"code":4,"reason":"stall"}}"#), "dropped");
        assert_eq!(class(r#"{"disconnect":{"code":7,"reason":"other login"}}"#), "rate_limited");
        assert_eq!(class(r#"{"disconnect":{"code":6,"reason":"revoked"}}"#), "refused");
        let v2 = r#"{"errors":[{"title":"operational-disconnect","disconnect_type":"UpstreamOperationalDisconnect"}]}"#;
        assert_eq!(class(v2), "dropped");
        let many = r#"{"errors":[{"title":"ConnectionException","connection_issue":"TooManyConnections",
                       "detail":"This stream has TooManyConnections"}]}"#;
        assert_eq!(class(many), "rate_limited");
        let falling = look(r#"{"warning":{"code":"FALLING_BEHIND","message":"60 %"}}"#).notice;
        assert_eq!(falling, Some(Notice::Warning("FALLING_BEHIND: 60 %".into())));
        assert_eq!(look(r#"{"delete":{"status":{"id_str":"1"}}}"#), Look::default());
    }

    #[test]
    fn backfill_covers_the_gap_up_to_what_is_allowed() {
        let ago = |seconds: i64| Timestamp::from_second(Timestamp::now().as_second() - seconds).ok();
        assert_eq!(x().minutes(None), None);
        assert_eq!(x().minutes(ago(10)), Some(1));
        assert_eq!(x().minutes(ago(130)), Some(3));
        assert_eq!(x().minutes(ago(4000)), Some(5));
        assert_eq!(X { backfill: 0, ..x() }.minutes(ago(10)), None);
    }

    #[test]
    fn parameters_replace_ours_and_empty_ones_take_them_away() {
        let x =
            X { parameters: vec![("user.fields".into(), "name".into()), ("expansions".into(), String::new())], ..x() };
        let path = x.address().unwrap().path;
        assert!(path.starts_with("/2/tweets/search/stream?") && path.ends_with("&user.fields=name"), "{path}");
        assert!(!path.contains("expansions") && path.matches("user.fields").count() == 1);
    }

    #[test]
    fn a_token_never_crosses_a_network_in_the_open() {
        let at = |text: &str| authorization(Some("t"), &Address::parse(text).unwrap());
        assert!(at("http://api.example.com/").is_err());
        assert!(at("https://api.example.com/").is_ok_and(|h| h.len() == 1));
        assert!(at("http://127.0.0.1:8080/").is_ok());
    }
}
