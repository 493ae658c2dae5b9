//! Statuses of Mastodon's API, pages of them, and events of its streams.

use jiff::Timestamp;

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::native::each_once;
use super::super::{Found, Notes, Record, mend_surrogates, parse};
use super::{html, label, tags, with_title};
use crate::corpus::Label;
use crate::post::{Author, ImageRef, Mention, Post};

/// Fields of a status that are known, whether used or not; others are counted as ignored.
#[rustfmt::skip]
const FIELDS: [&str; 40] = [
    "account", "application", "bookmarked", "card", "content", "content_type", "created_at", "edited_at", "emojis",
    "favourited", "favourites_count", "filtered", "id", "in_reply_to_account_id", "in_reply_to_id", "language", "local",
    "local_only", "media_attachments", "mentions", "muted", "pinned", "pleroma", "poll", "quote", "quote_approval",
    "quote_id", "quotes_count", "reactions", "reblog", "reblogged", "reblogs_count", "replies_count", "sensitive",
    "spoiler_text", "tags", "text", "uri", "url", "visibility",
];

/// Lists of statuses in answers of the API.
const PAGES: [&str; 3] = ["statuses", "ancestors", "descendants"];

pub(super) fn is_status(object: &Object) -> bool {
    ["id", "content", "account"].iter().all(|k| object.contains_key(k))
}

/// Whether an object is an event of a stream.
pub(super) fn is_event(object: &Object) -> bool {
    object.get("event").is_some_and(|e| e.as_str().is_some()) && (object.contains_key("payload") || object.len() == 1)
}

/// Whether an object is an answer that holds statuses: a search, the posts around one.
pub(super) fn is_page(object: &Object) -> bool {
    let holds = |key: &str| object.get(key).is_some_and(|l| l.as_list().is_some());
    holds("ancestors") && holds("descendants") || holds("statuses") && holds("accounts") && holds("hashtags")
}

pub(super) fn read_page(object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
    let lists = PAGES.iter().filter_map(|key| object.get(key).and_then(Json::as_list));
    for value in lists.flatten() {
        records.push(match value.as_object() {
            Some(status) => read(status, notes),
            None => Record::Rejected(format!("an element of the page is {}, not an object", value.kind())),
        });
    }
    if records.is_empty() {
        records.push(Record::Message("page without statuses".to_owned()));
    }
}

/// An event `{event, payload}`: the payload is JSON inside a string, or the object itself.
pub(super) fn event(object: &Object, notes: &mut Notes) -> Record {
    let name = object.get("event").and_then(Json::as_str).unwrap_or_default();
    let fields = Fields::new(object, "");
    match name {
        "update" | "status.update" => {}
        "delete" => {
            let id = fields.id(&["payload"], notes);
            return id.map_or_else(|| Record::Rejected("a delete event without an id".to_owned()), Record::Delete);
        }
        other => return Record::Message(format!("event {other}")),
    }
    let mut record = match object.get("payload") {
        Some(Json::Object(status)) => read(status, notes),
        Some(Json::String(text)) => {
            let mended;
            let parsed = match parse(text.as_bytes()) {
                Ok(status) => Ok(status),
                Err(reason) => match mend_surrogates(text) {
                    Some(text) => {
                        mended = text;
                        parse(mended.as_bytes())
                    }
                    None => Err(reason),
                },
            };
            match parsed {
                Ok(status) => read(&status, notes),
                Err(reason) => Record::Rejected(format!("payload: {reason}")),
            }
        }
        _ => Record::Rejected("an event without a status in `payload`".to_owned()),
    };
    if let (Record::Post(found), "status.update") = (&mut record, name) {
        found.edited = found.edited.or(found.post.created_at).or(Some(Timestamp::UNIX_EPOCH));
    }
    record
}

/// A status, or the one it boosts.
pub(super) fn read(object: &Object, notes: &mut Notes) -> Record {
    let known = ["id", "content", "account", "created_at", "visibility"].iter().any(|k| object.contains_key(k));
    if !known {
        return Record::Message(match object.keys().min() {
            Some(first) => format!("unknown ({first})"),
            None => "empty object".to_owned(),
        });
    }
    let inner = Fields::new(object, "").object("reblog", notes);
    let used = inner.unwrap_or(object);
    if used.get("visibility").and_then(Json::as_str) == Some("direct") {
        return Record::Message("direct message, left out".to_owned());
    }
    match status(used, notes) {
        Ok(found) => Found { repost: inner.is_some(), ..found }.into(),
        Err(reason) if inner.is_some() => Record::Rejected(format!("reblog: {reason}")),
        Err(reason) => Record::Rejected(reason),
    }
}

fn status(object: &Object, notes: &mut Notes) -> Result<Found, String> {
    for key in object.keys().filter(|k| !FIELDS.contains(k)) {
        notes.ignored(key);
    }
    let fields = Fields::new(object, "");
    let id = fields.required_id(&["id"])?.ok_or("no `id`")?;
    let converted = html::convert(object.get("content").and_then(Json::as_str).ok_or("no `content`")?);
    let listed = fields.list("tags", notes);
    let listed = listed.map(|l| l.iter().filter_map(|t| t.get("name")?.as_str()).collect());
    let mut mentions: Vec<Mention> =
        fields.list("mentions", notes).unwrap_or_default().iter().filter_map(|m| mention(m, notes)).collect();
    each_once(&mut mentions);
    let mut labels = Vec::new();
    if fields.boolean("sensitive", notes) == Some(true) {
        labels.push(label("post", &id, "sensitive", true));
    }
    let media = fields.list("media_attachments", notes).unwrap_or_default();
    let (quote_of, quoted) = quote(fields, notes);
    let mut found = Found {
        edited: fields.time("edited_at", notes, rfc3339),
        post: Post {
            id,
            created_at: fields.time("created_at", notes, rfc3339),
            lang: fields.string("language", notes),
            hashtags: tags::as_written(&converted, listed),
            text: with_title(fields.string("spoiler_text", notes), converted.text),
            mentions,
            images: media.iter().filter_map(|m| image(m, notes)).collect(),
            author: fields.object("account", notes).and_then(|a| author(a, &mut labels, notes)),
            reply_to: fields.id(&["in_reply_to_id"], notes),
            quote_of,
            ..Post::default()
        },
        ..Found::default()
    };
    if let Some(Ok(inner)) = quoted.map(|q| status(q, notes)) {
        labels.extend(inner.labels);
        found.quoted.push(inner.post);
        found.quoted.extend(inner.quoted);
    }
    found.labels = labels;
    Ok(found)
}

/// The quoted post: an object that holds the status or its id; in older programs the status itself, or `quote_id`.
fn quote<'a>(fields: Fields<'a>, notes: &mut Notes) -> (Option<String>, Option<&'a Object<'a>>) {
    let Some(quote) = fields.object("quote", notes) else { return (fields.id(&["quote_id"], notes), None) };
    let inside = Fields::new(quote, "quote.");
    let status = if is_status(quote) { Some(quote) } else { inside.object("quoted_status", notes) };
    let visible = status.filter(|s| s.get("visibility").and_then(Json::as_str) != Some("direct"));
    match visible {
        Some(status) => (Fields::new(status, "quote.").id(&["id"], notes), Some(status)),
        None => (inside.id(&["quoted_status_id"], notes), None),
    }
}

fn mention(value: &Json, notes: &mut Notes) -> Option<Mention> {
    let fields = Fields::new(value.as_object()?, "mentions.");
    let handle = fields.string("acct", notes).or_else(|| fields.string("username", notes));
    let mention = Mention { id: fields.id(&["id"], notes), handle };
    (mention != Mention::default()).then_some(mention)
}

/// A picture; of one that this server does not hold, the address at its home.
fn image(value: &Json, notes: &mut Notes) -> Option<ImageRef> {
    let fields = Fields::new(value.as_object()?, "media_attachments.");
    if fields.text("type", notes) != Some("image") {
        return None;
    }
    let url = ["url", "remote_url", "preview_url"].into_iter().find_map(|k| fields.string(k, notes));
    if url.is_none() {
        notes.unusable("media_attachments.url");
    }
    Some(ImageRef { path: None, url: Some(url?), alt: fields.string("description", notes) })
}

fn author(object: &Object, labels: &mut Vec<Label>, notes: &mut Notes) -> Option<Author> {
    let fields = Fields::new(object, "account.");
    let Some(id) = fields.id(&["id"], notes) else {
        notes.unusable("account");
        return None;
    };
    if let Some(bot) = fields.boolean("bot", notes) {
        labels.push(label("author", &id, "declared_bot", bot));
    }
    // Profiles have no field for it, but many people make one of this name.
    let own = fields.list("fields", notes).unwrap_or_default();
    let place = own
        .iter()
        .find(|f| f.get("name").and_then(Json::as_str).is_some_and(|n| n.trim().eq_ignore_ascii_case("location")));
    let place = place.and_then(|f| f.get("value")?.as_str()).map(html::text);
    Some(Author {
        id,
        handle: fields.string("acct", notes).or_else(|| fields.string("username", notes)),
        name: fields.string("display_name", notes),
        description: fields.text("note", notes).map(html::text).filter(|t| !t.is_empty()),
        location: place.filter(|p| !p.is_empty()),
        created_at: fields.time("created_at", notes, rfc3339),
        followers: fields.count("followers_count", notes),
        following: fields.count("following_count", notes),
        posts: fields.count("statuses_count", notes),
        listed: None,
        verified: None,
    })
}
