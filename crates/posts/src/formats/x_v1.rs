//! X (Twitter) API v1.1: objects of the streams and of the REST endpoints.
//!
//! - Text and entities come from the same container: `extended_tweet`, else the tweet itself (`full_text`, else `text`).
//!   A link that X appended for media or a quote (beyond `display_text_range`) is cut; HTML escapes are undone last.
//! - A retweet stands for the post inside it. A quoted post that is carried whole is a post of its own too.
//! - Images are the photos of `extended_entities`; of `entities.media` where there is none.
//! - Fields: spec `post_formats.md` section 1. Every one is optional but the id and the text.

use jiff::Timestamp;

use super::fields::{Fields, rfc3339};
use super::json::{Json, Object};
use super::native::each_once;
use super::x::{is_everywhere, language, unescape};
use super::{Format, Found, Notes, Record};
use crate::extract;
use crate::post::{Author, ImageRef, Mention, Place, Point, Post};

/// See the module's description.
#[derive(Debug)]
pub struct XV1;

/// Objects of a stream that are not posts; each has one field of this name.
const MESSAGES: [&str; 20] = [
    "delete",
    "drop",
    "undrop",
    "user_delete",
    "user_protect",
    "user_suspend",
    "user_undelete",
    "user_unprotect",
    "user_unsuspend",
    "scrub_geo",
    "limit",
    "status_withheld",
    "user_withheld",
    "disconnect",
    "warning",
    "event",
    "friends",
    "friends_str",
    "errors",
    "search_metadata",
];

/// Notices of accounts that must go.
const AUTHOR_GOES: [&str; 4] = ["user_withheld", "user_delete", "user_suspend", "user_protect"];

/// Fields of a tweet that are known, whether used or not, sorted; others are counted as ignored.
#[rustfmt::skip]
static FIELDS: [&str; 50] = [
    "card", "contributors", "coordinates", "created_at", "current_user_retweet", "display_text_range", "edit_controls",
    "edit_history", "edit_info", "entities",
    "extended_entities", "extended_tweet", "favorite_count", "favorited", "filter_level", "full_text", "geo", "id",
    "id_str", "in_reply_to_screen_name", "in_reply_to_status_id", "in_reply_to_status_id_str",
    "in_reply_to_user_id", "in_reply_to_user_id_str", "is_quote_status", "lang", "matching_rules", "metadata",
    "place", "possibly_sensitive", "possibly_sensitive_appealable", "quote_count", "quoted_status",
    "quoted_status_id", "quoted_status_id_str", "quoted_status_permalink", "reply_count", "retweet_count",
    "retweeted", "retweeted_status", "scopes", "source", "supplemental_language", "text", "timestamp_ms",
    "truncated", "user", "withheld_copyright", "withheld_in_countries", "withheld_scope",
];

impl Format for XV1 {
    fn name(&self) -> &'static str {
        "x-v1"
    }

    fn about(&self) -> &'static str {
        "X/Twitter API v1.1, stream or REST"
    }

    fn recognises(&self, object: &Object) -> bool {
        let has = |key| object.contains_key(key);
        let tweet = has("text") || has("full_text") || has("extended_tweet");
        (tweet && (has("id_str") || (has("id") && has("user"))))
            || list(object).is_some_and(|l| l.iter().all(|t| t.get("id_str").is_some() || t.get("text").is_some()))
            || is_activity(object)
            || (object.len() == 1 && MESSAGES.iter().any(|m| has(m)))
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        match list(object) {
            Some([]) => records.push(Record::Message("search answer (empty)".to_owned())),
            Some(tweets) => records.extend(tweets.iter().map(|t| element(t, notes))),
            None => records.push(record(object, notes)),
        }
    }
}

/// The tweets of an answer: of the search, or of the premium search.
fn list<'a>(object: &'a Object<'a>) -> Option<&'a [Json<'a>]> {
    let search = object.get("statuses").and_then(Json::as_list);
    search.or_else(|| object.get("results").and_then(Json::as_list).filter(|_| !object.contains_key("text")))
}

/// Whether an object is in Gnip's Activity Streams format, the other one that the enterprise endpoints offered.
fn is_activity(object: &Object) -> bool {
    ["verb", "actor", "postedTime", "objectType"].iter().filter(|k| object.contains_key(k)).count() >= 3
}

fn element(value: &Json, notes: &mut Notes) -> Record {
    match value {
        Json::Object(object) => record(object, notes),
        _ => Record::Rejected("an element of the answer is not an object".to_owned()),
    }
}

/// The record of a tweet or a message.
pub(super) fn record(object: &Object, notes: &mut Notes) -> Record {
    let tweetlike = ["id", "id_str", "text", "full_text", "user"].iter().any(|k| object.contains_key(k));
    if !tweetlike {
        return message(object, notes);
    }
    if is_activity(object) {
        let reason = "an Activity Streams (Gnip) object, which is not read; export in the original format instead";
        return Record::Rejected(reason.to_owned());
    }
    for key in object.keys().filter(|k| FIELDS.binary_search(k).is_err()) {
        notes.ignored(key);
    }
    let fields = Fields::new(object, "");
    let inner = fields.object("retweeted_status", notes);
    let used = inner.unwrap_or(object);
    if let Some(order) = withheld(used) {
        return order;
    }
    let post = match tweet(used, notes) {
        Ok(post) => post,
        Err(reason) if inner.is_some() => return Record::Rejected(format!("retweeted_status: {reason}")),
        Err(reason) => return Record::Rejected(reason),
    };
    let mut found = Found { repost: inner.is_some(), ..Found::default() };
    found.replaces = earlier_versions(used, &post.id);
    if is_cut(used) {
        found.cut.push(post.id.clone());
    }
    if let Some(object) = Fields::new(used, "").object("quoted_status", notes) {
        match tweet(object, notes) {
            Ok(quoted) => {
                if is_cut(object) {
                    found.cut.push(quoted.id.clone());
                }
                found.quoted.push(quoted);
            }
            Err(_) => notes.unusable("quoted_status"),
        }
    }
    Record::Post(Box::new(Found { post, ..found }))
}

/// What a tweet that is withheld everywhere asks for. One that is withheld in some countries stays: X itself hands it
/// out, and it asks for nothing of those elsewhere.
fn withheld(object: &Object) -> Option<Record> {
    let copyright = object.get("withheld_copyright").and_then(Json::as_bool) == Some(true);
    let user = object.get("user").and_then(Json::as_object);
    let id_of = |object: &Object| Fields::new(object, "").required_id(&["id_str", "id"]).ok().flatten();
    if user.is_some_and(|u| is_everywhere(u.get("withheld_in_countries"))) {
        return user.and_then(id_of).map(Record::ForgetAuthor);
    }
    (copyright || is_everywhere(object.get("withheld_in_countries"))).then(|| id_of(object).map(Record::Delete))?
}

/// Ids of the versions of an edited tweet that came before this one.
fn earlier_versions(object: &Object, id: &str) -> Vec<String> {
    let info = object.get("edit_info");
    let all = object.get("edit_history").and_then(|h| h.get("edit_tweet_ids"));
    let all = all.or_else(|| info?.get("initial")?.get("editTweetIds"));
    let all = all.or_else(|| info?.get("edit")?.get("editControlInitial")?.get("editTweetIds"));
    let all = all.and_then(Json::as_list).unwrap_or_default();
    let ids: Vec<&str> = all.iter().filter_map(Json::as_str).collect();
    let end = ids.iter().position(|version| *version == id).unwrap_or(0);
    ids[..end].iter().map(|version| (*version).to_owned()).collect()
}

/// Whether the text at hand ends early: marked so with no longer one beside it, or that of a retweet whose original
/// did not come along.
fn is_cut(object: &Object) -> bool {
    let text = |value: Option<&Json>| value.is_some_and(|t| t.as_str().is_some());
    if text(object.get("extended_tweet").and_then(|e| e.get("full_text"))) {
        return false;
    }
    let marked = !text(object.get("full_text")) && object.get("truncated").and_then(Json::as_bool) == Some(true);
    let words = ["full_text", "text"].iter().find_map(|k| object.get(k)?.as_str()).unwrap_or_default();
    marked || (words.starts_with("RT @") && extract::looks_cut(words))
}

/// An object that is no tweet: what it asks for, or its kind.
fn message(object: &Object, notes: &mut Notes) -> Record {
    let fields = Fields::new(object, "");
    if let Some(delete) = fields.object("delete", notes).or_else(|| fields.object("drop", notes)) {
        let status = Fields::new(delete, "delete.").object("status", notes);
        let id = status.and_then(|s| Fields::new(s, "delete.status.").id(&["id_str", "id"], notes));
        return id.map_or_else(|| Record::Rejected("a delete message without an id".to_owned()), Record::Delete);
    }
    if let Some(scrub) = fields.object("scrub_geo", notes) {
        let scrub = Fields::new(scrub, "scrub_geo.");
        let author = scrub.id(&["user_id_str", "user_id"], notes);
        let up_to = scrub.id(&["up_to_status_id_str", "up_to_status_id"], notes);
        if let (Some(author), Some(up_to)) = (author, up_to) {
            return Record::ScrubGeo { author, up_to };
        }
        return Record::Rejected("a scrub_geo message without user and post id".to_owned());
    }
    let id_in = |key: &str, notes: &mut Notes| {
        let notice = fields.object(key, notes)?;
        Some(
            Fields::new(notice, "")
                .id(&["id_str", "id"], notes)
                .ok_or_else(|| format!("a {key} message without an id")),
        )
    };
    // A notice tells whoever holds the data, whatever countries it names.
    if let Some(id) = id_in("status_withheld", notes) {
        return id.map_or_else(Record::Rejected, Record::Delete);
    }
    if let Some(id) = AUTHOR_GOES.iter().find_map(|key| id_in(key, notes)) {
        return id.map_or_else(Record::Rejected, Record::ForgetAuthor);
    }
    let known = MESSAGES.iter().find(|m| object.contains_key(m)).map(|m| (*m).to_owned());
    Record::Message(known.unwrap_or_else(|| match object.keys().min() {
        Some(first) => format!("unknown ({first})"),
        None => "empty object".to_owned(),
    }))
}

fn tweet(object: &Object, notes: &mut Notes) -> Result<Post, String> {
    let fields = Fields::new(object, "");
    let id = fields.required_id(&["id_str", "id"])?.ok_or("no `id_str` and no `id`")?;
    let container = match fields.object("extended_tweet", notes) {
        Some(extended) if extended.get("full_text").is_some_and(|t| t.as_str().is_some()) => {
            Fields::new(extended, "extended_tweet.")
        }
        _ => fields,
    };
    let text =
        ["full_text", "text"].iter().find_map(|k| container.get(k)?.as_str()).ok_or("no `full_text` and no `text`")?;
    let entities = container.object("entities", notes).map(|e| Fields::new(e, "entities."));
    let hashtags = match entities.and_then(|e| e.list("hashtags", notes)) {
        Some(list) => list.iter().filter_map(|t| hashtag(t, notes)).collect(),
        None => extract::hashtags(text).iter().map(|t| unescape(t)).collect(),
    };
    let mut mentions: Vec<Mention> = match entities.and_then(|e| e.list("user_mentions", notes)) {
        Some(list) => list.iter().filter_map(|m| mention(m, notes)).collect(),
        None => extract::mentions(text).into_iter().map(|h| Mention { id: None, handle: Some(h) }).collect(),
    };
    each_once(&mut mentions);
    Ok(Post {
        id,
        created_at: created_at(fields, notes),
        lang: language(fields, notes),
        text: unescape(shown(text, container)),
        hashtags,
        mentions,
        images: photos(container, entities, notes),
        author: fields.object("user", notes).and_then(|u| author(u, notes)),
        place: fields.object("place", notes).and_then(|p| place(p, notes)),
        geo: point(fields, notes),
        reply_to: fields.id(&["in_reply_to_status_id_str", "in_reply_to_status_id"], notes),
        quote_of: fields.id(&["quoted_status_id_str", "quoted_status_id"], notes),
        source: String::new(),
    })
}

/// The text without the link that X appended for media or a quote. Mentions before the range of a reply stay.
fn shown<'a>(text: &'a str, container: Fields) -> &'a str {
    let range = container.get("display_text_range").and_then(Json::as_list);
    let end = range.and_then(|r| number(r.get(1)?)).map(|e| e as usize);
    // The range counts code points of the text as escaped.
    let Some((cut, _)) = end.and_then(|end| text.char_indices().nth(end)) else { return text };
    let appended = text[cut..].split_whitespace().all(|w| w.starts_with("https://") || w.starts_with("http://"));
    if appended { text[..cut].trim_end() } else { text }
}

/// `Wed Mar 04 19:00:08 +0000 2020`, as all of v1.1 writes times; RFC 3339 where a tool rewrote them.
fn parse_time(text: &str) -> Option<Timestamp> {
    let time = jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).and_then(|t| t.to_timestamp());
    time.ok().or_else(|| rfc3339(text))
}

fn created_at(fields: Fields, notes: &mut Notes) -> Option<Timestamp> {
    let stamp = || fields.get("timestamp_ms")?.as_str()?.parse().ok();
    match fields.get("created_at") {
        Some(_) => fields.time("created_at", notes, parse_time),
        None => stamp().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
    }
}

fn hashtag(value: &Json, notes: &mut Notes) -> Option<String> {
    let text = value.get("text").and_then(Json::as_str).filter(|t| !t.is_empty());
    if text.is_none() {
        notes.unusable("entities.hashtags");
    }
    text.map(str::to_owned)
}

fn mention(value: &Json, notes: &mut Notes) -> Option<Mention> {
    let fields = Fields::new(value.as_object()?, "entities.user_mentions.");
    let mention = Mention { id: fields.id(&["id_str", "id"], notes), handle: fields.string("screen_name", notes) };
    (mention != Mention::default()).then_some(mention)
}

fn photos(container: Fields, entities: Option<Fields>, notes: &mut Notes) -> Vec<ImageRef> {
    let extended = container.object("extended_entities", notes).map(|e| Fields::new(e, "extended_entities."));
    // `entities.media` calls videos photos, so it counts only where it is all there is.
    let media = extended.or(entities).and_then(|e| e.list("media", notes)).unwrap_or_default();
    media.iter().filter_map(|m| photo(m, notes)).collect()
}

fn photo(value: &Json, notes: &mut Notes) -> Option<ImageRef> {
    let fields = Fields::new(value.as_object()?, "media.");
    if fields.text("type", notes).is_some_and(|t| t != "photo") {
        return None;
    }
    let url = fields.string("media_url_https", notes).or_else(|| fields.string("media_url", notes))?;
    Some(ImageRef { path: None, url: Some(url), alt: fields.text("ext_alt_text", notes).map(unescape) })
}

fn author(object: &Object, notes: &mut Notes) -> Option<Author> {
    let fields = Fields::new(object, "user.");
    let Some(id) = fields.id(&["id_str", "id"], notes) else {
        notes.unusable("user");
        return None;
    };
    let text = |key, notes: &mut Notes| fields.text(key, notes).map(unescape);
    Some(Author {
        id,
        handle: fields.string("screen_name", notes),
        name: text("name", notes),
        description: text("description", notes),
        location: text("location", notes),
        created_at: fields.time("created_at", notes, parse_time),
        followers: fields.count("followers_count", notes),
        following: fields.count("friends_count", notes),
        posts: fields.count("statuses_count", notes),
        listed: fields.count("listed_count", notes),
        verified: fields.boolean("verified", notes),
    })
}

fn place(object: &Object, notes: &mut Notes) -> Option<Place> {
    let fields = Fields::new(object, "place.");
    let Some(id) = fields.id(&["id"], notes) else {
        notes.unusable("place");
        return None;
    };
    let text = |key, notes: &mut Notes| fields.string(key, notes);
    Some(Place {
        id,
        name: text("full_name", notes).or_else(|| text("name", notes)),
        kind: text("place_type", notes),
        country: text("country_code", notes).or_else(|| text("country", notes)),
        bounds: fields.object("bounding_box", notes).and_then(|b| bounds(b, notes)),
    })
}

/// The box around a ring of [lon, lat] corners; X never gives one across the date line other than as the whole globe.
fn bounds(object: &Object, notes: &mut Notes) -> Option<[f64; 4]> {
    let ring = object.get("coordinates").and_then(|c| c.as_list()?.first()?.as_list());
    let corners: Vec<(f64, f64)> = ring.into_iter().flatten().filter_map(pair).collect();
    if corners.is_empty() {
        notes.unusable("place.bounding_box");
        return None;
    }
    let edge = |of: fn(&(f64, f64)) -> f64, pick: fn(f64, f64) -> f64| corners.iter().map(of).reduce(pick);
    Some([edge(|c| c.0, f64::min)?, edge(|c| c.1, f64::min)?, edge(|c| c.0, f64::max)?, edge(|c| c.1, f64::max)?])
}

fn pair(value: &Json) -> Option<(f64, f64)> {
    let list = value.as_list()?;
    Some((number(list.first()?)?, number(list.get(1)?)?))
}

/// A number; personal archives write them as text.
fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// `coordinates` is GeoJSON, [lon, lat]; the older `geo` is [lat, lon].
fn point(fields: Fields, notes: &mut Notes) -> Option<Point> {
    let of = |object: &Object| object.get("coordinates").and_then(pair);
    if let Some(object) = fields.object("coordinates", notes) {
        return fields.point("coordinates", of(object).map(|(lon, lat)| (lat, lon)), notes);
    }
    let object = fields.object("geo", notes)?;
    fields.point("geo", of(object), notes)
}

#[cfg(test)]
#[path = "x_v1_tests.rs"]
mod tests;
