//! Our own format, JSON Lines, one post an object:
//!
//! `id, created_at?, lang?, text, hashtags?, mentions?, images?, author{id, handle?, name?, description?, location?,
//! created_at?, followers?, following?, posts?, listed?, verified?}?, place{id, name?, type?, country?, bounds?}?,
//! geo{lat, lon}?, reply_to?, quote_of?, source?`
//!
//! Ids are strings, times RFC 3339, `bounds` is `[west, south, east, north]`. `images` are paths, addresses or objects
//! {path, url, alt}; `mentions` are handles or objects {id, handle}. Absent hashtags and mentions are taken from the text.
//! `source` is where the post came from first; absent, it is the file or folder. A post's JSON form is such an object.

use super::fields::{Fields, rfc3339};
use super::json::{Json, Object};
use super::{Format, Notes, Record};
use crate::extract::{self, EntityKind};
use crate::post::{Author, ImageRef, Mention, Place, Point, Post};

/// See the module's description.
#[derive(Debug)]
pub struct Native;

const FIELDS: [&str; 13] = [
    "id",
    "created_at",
    "lang",
    "text",
    "hashtags",
    "mentions",
    "images",
    "author",
    "place",
    "geo",
    "reply_to",
    "quote_of",
    "source",
];

/// Fields that other formats have beside `id` and `text`.
const FOREIGN: [&str; 6] = ["id_str", "user", "entities", "author_id", "edit_history_tweet_ids", "public_metrics"];

impl Format for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn about(&self) -> &'static str {
        "Quintet's own JSON Lines"
    }

    fn recognises(&self, object: &Object) -> bool {
        let is_text = |key| object.get(key).is_some_and(|v| v.as_str().is_some());
        is_text("id") && is_text("text") && !FOREIGN.iter().any(|k| object.contains_key(k))
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        for key in object.keys().filter(|k| !FIELDS.contains(k)) {
            notes.ignored(key);
        }
        records.push(post(object, notes).map_or_else(Record::Rejected, Record::from));
    }
}

fn post(object: &Object, notes: &mut Notes) -> Result<Post, String> {
    let fields = Fields::new(object, "");
    let id = fields.required_id(&["id"])?.ok_or("no `id`")?;
    let Some(Json::String(text)) = fields.get("text") else { return Err("no `text`".to_owned()) };
    let (tags, named) = (fields.list("hashtags", notes), fields.list("mentions", notes));
    let found = if tags.is_none() || named.is_none() { extract::entities(text) } else { Vec::new() };
    let hashtags = match tags {
        Some(list) => {
            list.iter().filter_map(Json::as_str).map(|t| t.trim_start_matches(['#', '＃']).to_owned()).collect()
        }
        None => extract::names(text, &found, EntityKind::Hashtag).collect(),
    };
    let mut mentions: Vec<Mention> = match named {
        Some(list) => list.iter().filter_map(|m| mention(m, notes)).collect(),
        None => extract::names(text, &found, EntityKind::Mention)
            .map(|handle| Mention { id: None, handle: Some(handle) })
            .collect(),
    };
    each_once(&mut mentions);
    let images = fields.list("images", notes).unwrap_or_default();
    Ok(Post {
        id,
        created_at: fields.time("created_at", notes, rfc3339),
        lang: fields.string("lang", notes),
        text: text.to_string(),
        hashtags,
        mentions,
        images: images.iter().filter_map(|i| image(i, notes)).collect(),
        author: fields.object("author", notes).and_then(|a| author(a, notes)),
        place: fields.object("place", notes).and_then(|p| place(p, notes)),
        geo: fields.object("geo", notes).and_then(|g| geo(g, notes)),
        reply_to: fields.id(&["reply_to"], notes),
        quote_of: fields.id(&["quote_of"], notes),
        source: fields.string("source", notes).unwrap_or_default(),
    })
}

/// Keeps the first of equal mentions; handles are equal in any case.
pub(super) fn each_once(mentions: &mut Vec<Mention>) {
    if mentions.len() < 2 {
        return;
    }
    let key =
        |m: &Mention| m.id.clone().unwrap_or_else(|| format!("@{}", m.handle.as_deref().unwrap_or("").to_lowercase()));
    let mut seen = std::collections::HashSet::new();
    mentions.retain(|m| seen.insert(key(m)));
}

fn mention(value: &Json, notes: &mut Notes) -> Option<Mention> {
    let mention = match value {
        Json::String(handle) => Mention {
            id: None,
            handle: Some(handle.trim_start_matches(['@', '＠']).to_owned()).filter(|h| !h.is_empty()),
        },
        Json::Object(object) => {
            let fields = Fields::new(object, "mentions.");
            Mention { id: fields.id(&["id"], notes), handle: fields.string("handle", notes) }
        }
        _ => Mention::default(),
    };
    if mention == Mention::default() {
        notes.unusable("mentions");
        return None;
    }
    Some(mention)
}

fn image(value: &Json, notes: &mut Notes) -> Option<ImageRef> {
    let image = match value {
        Json::String(s) if s.starts_with("http://") || s.starts_with("https://") => {
            ImageRef { url: Some(s.to_string()), ..ImageRef::default() }
        }
        Json::String(s) if !s.is_empty() => ImageRef { path: Some(s.to_string()), ..ImageRef::default() },
        Json::Object(object) => {
            let fields = Fields::new(object, "images.");
            let text = |key, notes: &mut Notes| fields.string(key, notes);
            ImageRef { path: text("path", notes), url: text("url", notes), alt: text("alt", notes) }
        }
        _ => ImageRef::default(),
    };
    if image.path.is_none() && image.url.is_none() {
        notes.unusable("images");
        return None;
    }
    Some(image)
}

fn author(object: &Object, notes: &mut Notes) -> Option<Author> {
    let fields = Fields::new(object, "author.");
    let Some(id) = fields.id(&["id"], notes) else {
        notes.unusable("author");
        return None;
    };
    Some(Author {
        id,
        handle: fields.string("handle", notes),
        name: fields.string("name", notes),
        description: fields.string("description", notes),
        location: fields.string("location", notes),
        created_at: fields.time("created_at", notes, rfc3339),
        followers: fields.count("followers", notes),
        following: fields.count("following", notes),
        posts: fields.count("posts", notes),
        listed: fields.count("listed", notes),
        verified: fields.boolean("verified", notes),
    })
}

fn place(object: &Object, notes: &mut Notes) -> Option<Place> {
    let fields = Fields::new(object, "place.");
    let Some(id) = fields.id(&["id"], notes) else {
        notes.unusable("place");
        return None;
    };
    let sides: Option<Vec<f64>> = fields.list("bounds", notes).map(|l| l.iter().filter_map(Json::as_f64).collect());
    let bounds = sides.and_then(|s| <[f64; 4]>::try_from(s).map_err(|_| notes.unusable("place.bounds")).ok());
    let kind = fields.string("type", notes).or_else(|| fields.string("kind", notes));
    let (name, country) = (fields.string("name", notes), fields.string("country", notes));
    Some(Place { id, name, kind, country, bounds })
}

fn geo(object: &Object, notes: &mut Notes) -> Option<Point> {
    let number = |key| object.get(key).and_then(Json::as_f64);
    Fields::new(object, "").point("geo", number("lat").zip(number("lon")), notes)
}
