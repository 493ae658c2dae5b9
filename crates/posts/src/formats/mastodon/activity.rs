//! ActivityPub: the outbox of an account export, activities and notes.

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::native::each_once;
use super::super::{Found, Notes, Record};
use super::{each, html, label, tags, with_title};
use crate::post::{Author, ImageRef, Mention, Post};

/// Kinds of objects that are posts.
const POSTS: [&str; 6] = ["Note", "Question", "Article", "Page", "Image", "Video"];
const COLLECTIONS: [&str; 4] = ["OrderedCollection", "OrderedCollectionPage", "Collection", "CollectionPage"];
/// Names under which an activity is for everybody to read.
const PUBLIC: [&str; 3] = ["https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"];

fn kind<'a>(object: &'a Object<'a>) -> &'a str {
    each(object.get("type")).first().and_then(Json::as_str).unwrap_or_default()
}

/// Whether an object is an activity, a collection of them, or a post of ActivityPub.
pub(super) fn is_activity(object: &Object) -> bool {
    let kind = kind(object);
    let activity = !kind.is_empty() && object.contains_key("actor") && object.contains_key("object");
    let post = POSTS.contains(&kind) && object.contains_key("attributedTo");
    activity || post || COLLECTIONS.contains(&kind) && items(object).is_some()
}

fn items<'a>(object: &'a Object<'a>) -> Option<&'a Json<'a>> {
    object.get("orderedItems").or_else(|| object.get("items"))
}

/// Every activity of a collection, or the one there is.
pub(super) fn read(object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
    if !COLLECTIONS.contains(&kind(object)) {
        records.push(activity(object, notes));
        return;
    }
    let before = records.len();
    for item in each(items(object)) {
        records.push(match item {
            Json::Object(item) => activity(item, notes),
            // Likes and bookmarks of an export are addresses alone.
            Json::String(_) => Record::Message("address of a post".to_owned()),
            other => Record::Rejected(format!("an item of the collection is {}, not an object", other.kind())),
        });
    }
    if records.len() == before {
        records.push(Record::Message("collection without items".to_owned()));
    }
}

fn activity(object: &Object, notes: &mut Notes) -> Record {
    let done = kind(object);
    let inner = object.get("object");
    let post = inner.and_then(Json::as_object).filter(|o| POSTS.contains(&kind(o)));
    match (done, post) {
        (kind, None) if POSTS.contains(&kind) => note(object, None, notes),
        ("Create", Some(post)) => note(post, object.get("actor"), notes),
        ("Announce", Some(post)) => match note(post, None, notes) {
            Record::Post(found) => Found { repost: true, ..*found }.into(),
            other => other,
        },
        ("Update", Some(post)) => match note(post, object.get("actor"), notes) {
            Record::Post(mut found) => {
                let time = || Fields::new(object, "").time("published", notes, rfc3339).or(found.post.created_at);
                found.edited = found.edited.or_else(time).or(Some(jiff::Timestamp::UNIX_EPOCH));
                Record::Post(found)
            }
            other => other,
        },
        ("Delete", _) => match (inner.and_then(address), object.get("actor").and_then(address)) {
            (Some(gone), Some(actor)) if gone == actor => Record::ForgetAuthor(gone.to_owned()),
            (Some(gone), _) => Record::Delete(gone.to_owned()),
            (None, _) => Record::Rejected("a Delete without the address of its object".to_owned()),
        },
        ("", _) => Record::Message("unknown (no type)".to_owned()),
        (other, _) => Record::Message(other.to_owned()),
    }
}

/// The address of something given by its address or whole.
fn address<'a>(value: &'a Json<'a>) -> Option<&'a str> {
    let one = each(Some(value)).first()?;
    one.as_str().or_else(|| one.get("id")?.as_str()).filter(|a| !a.is_empty())
}

/// Whether a post is addressed to persons only.
fn is_direct(object: &Object) -> bool {
    let to = || ["to", "cc"].into_iter().flat_map(|k| each(object.get(k))).filter_map(Json::as_str);
    to().next().is_some() && !to().any(|a| PUBLIC.contains(&a) || a.ends_with("/followers"))
}

fn note(object: &Object, actor: Option<&Json>, notes: &mut Notes) -> Record {
    if is_direct(object) {
        return Record::Message("direct message, left out".to_owned());
    }
    found(object, actor, notes).map_or_else(Record::Rejected, Record::from)
}

fn found(object: &Object, actor: Option<&Json>, notes: &mut Notes) -> Result<Found, String> {
    let fields = Fields::new(object, "");
    let id = fields.required_id(&["id"])?.ok_or("no `id`")?;
    let (content, lang) = content(fields, notes).ok_or("no `content`")?;
    let converted = html::convert(content);
    let mut listed = None;
    let mut mentions = Vec::new();
    if object.contains_key("tag") {
        let tags: &mut Vec<&str> = listed.insert(Vec::new());
        for tag in each(object.get("tag")) {
            let text = |key| tag.get(key).and_then(Json::as_str).filter(|t| !t.is_empty());
            match text("type") {
                Some("Hashtag") => tags.extend(text("name")),
                Some("Mention") => mentions.push(Mention {
                    id: text("href").map(str::to_owned),
                    handle: text("name").map(|n| n.trim_start_matches('@').to_owned()),
                }),
                _ => {}
            }
        }
    }
    mentions.retain(|m| *m != Mention::default());
    each_once(&mut mentions);
    let author = object.get("attributedTo").and_then(address).or_else(|| actor.and_then(address));
    let title = match kind(object) {
        "Note" | "Question" => fields.text("summary", notes),
        _ => fields.text("name", notes).or_else(|| fields.text("summary", notes)),
    };
    let sensitive = fields.boolean("sensitive", notes) == Some(true);
    let quote =
        ["quote", "quoteUrl", "quoteUri", "_misskey_quote"].into_iter().find_map(|k| object.get(k).and_then(address));
    let post = Post {
        created_at: fields.time("published", notes, rfc3339),
        lang,
        hashtags: tags::as_written(&converted, listed),
        text: with_title(title.map(html::text), converted.text),
        mentions,
        images: each(object.get("attachment")).iter().filter_map(image).collect(),
        author: author.map(self::author),
        reply_to: object.get("inReplyTo").and_then(address).map(str::to_owned),
        quote_of: quote.map(str::to_owned),
        id,
        ..Post::default()
    };
    let labels = sensitive.then(|| label("post", &post.id, "sensitive", true)).into_iter().collect();
    Ok(Found { post, labels, edited: fields.time("updated", notes, rfc3339), ..Found::default() })
}

/// The HTML of a post and its language, which is the name of the same text in `contentMap`.
fn content<'a>(fields: Fields<'a>, notes: &mut Notes) -> Option<(&'a str, Option<String>)> {
    let map = fields.object("contentMap", notes);
    let content = fields.object.get("content").and_then(Json::as_str);
    let language = map.and_then(|m| {
        let same = m.keys().find(|k| content.is_none() || m.get(k).and_then(Json::as_str) == content);
        same.map(str::to_owned)
    });
    let other = language.as_ref().and_then(|l| map?.get(l)?.as_str());
    Some((content.or(other)?, language.filter(|l| l != "und")))
}

/// An attached picture. An export gives the place in its own folder, beginning with a slash.
fn image(value: &Json) -> Option<ImageRef> {
    let text = |key| value.get(key).and_then(Json::as_str).filter(|t| !t.is_empty());
    let picture = match text("mediaType") {
        Some(media) => media.starts_with("image/"),
        None => text("type") == Some("Image"),
    };
    let link = each(value.get("url")).first()?;
    let place = link.as_str().or_else(|| link.get("href")?.as_str()).filter(|p| picture && !p.is_empty())?;
    let alt = text("name").map(str::to_owned);
    Some(match place.strip_prefix('/') {
        Some(path) => ImageRef { path: Some(path.to_owned()), url: None, alt },
        None => ImageRef { path: None, url: Some(place.to_owned()), alt },
    })
}

/// An author of whom only the address is known; Mastodon's addresses say the handle.
fn author(address: &str) -> Author {
    let handle = || {
        let (host, path) = address.split_once("://")?.1.split_once('/')?;
        let name = path.strip_prefix("users/").or_else(|| path.strip_prefix('@'))?;
        (!name.is_empty() && !name.contains('/')).then(|| format!("{name}@{host}"))
    };
    Author { id: address.to_owned(), handle: handle(), ..Author::default() }
}
