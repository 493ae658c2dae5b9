//! Rows of collected sets: one post an object, its author's profile in fields beside it, names by each collector's taste.

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::native::each_once;
use super::super::{Found, Notes};
use super::{address, records};
use crate::extract;
use crate::post::{Author, Mention, Post};

/// Names of the address of a post and of its author's profile.
#[rustfmt::skip]
const USED: [&str; 27] = [
    "uri", "cid", "text", "created_at", "createdAt", "indexed_at", "indexedAt", "lang", "langs", "hashtags", "mentions",
    "author", "author_did", "did", "author_handle", "handle", "author_display_name", "display_name",
    "author_description", "author_location", "author_created_at", "author_followers_count", "author_following_count",
    "author_posts_count", "author_verified", "reply_to", "quote_of",
];

/// The post of a row at the address `uri`.
pub(super) fn post(object: &Object, uri: &str, notes: &mut Notes) -> Result<Found, String> {
    let text = object.get("text").and_then(Json::as_str).ok_or("no `record`, no `value` and no `text`")?;
    let known = address(uri).ok_or_else(|| format!("`{uri}` is no address of a record"))?;
    for key in object.keys().filter(|k| !USED.contains(k)) {
        notes.ignored(key);
    }
    let fields = Fields::new(object, "");
    let mut time = |keys: [&str; 2]| keys.iter().find_map(|k| fields.time(k, notes, rfc3339));
    let (claimed, seen) = (time(["created_at", "createdAt"]), time(["indexed_at", "indexedAt"]));
    // Lists in a string ("['#a']") are what a CSV made of them; the text says the same.
    let names = |key| match object.get(key) {
        Some(Json::List(list)) if list.iter().all(|v| v.as_str().is_some()) => {
            let names = list.iter().filter_map(Json::as_str).map(|n| n.trim_start_matches(['#', '@']).to_owned());
            Some(names.filter(|n| !n.is_empty()).collect::<Vec<_>>())
        }
        _ => None,
    };
    let mut mentions: Vec<Mention> = match names("mentions") {
        Some(names) => names.into_iter().map(mention).collect(),
        None => records::handles(text),
    };
    each_once(&mut mentions);
    let languages = object.get("langs").and_then(Json::as_list).unwrap_or_default();
    let first = languages.iter().find_map(Json::as_str).map(str::to_owned);
    let link = |key| object.get(key).and_then(Json::as_str).filter(|u| address(u).is_some()).map(str::to_owned);
    let post = Post {
        id: uri.to_owned(),
        created_at: match (claimed, seen) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        lang: fields.string("lang", notes).or(first),
        text: text.to_owned(),
        hashtags: names("hashtags").unwrap_or_else(|| extract::hashtags(text)),
        mentions,
        author: Some(author(fields, known.authority, notes)),
        reply_to: link("reply_to"),
        quote_of: link("quote_of"),
        ..Post::default()
    };
    Ok(post.into())
}

fn mention(name: String) -> Mention {
    if name.starts_with("did:") {
        Mention { id: Some(name), handle: None }
    } else {
        Mention { id: None, handle: Some(name) }
    }
}

/// Handles are domain names; so is the end of a `did:web:`.
fn is_handle(text: &str) -> bool {
    text.contains('.') && !text.contains(':')
}

fn author(fields: Fields, owner: &str, notes: &mut Notes) -> Author {
    let plain = |key: &str| fields.get(key).and_then(Json::as_str).filter(|t| !t.is_empty());
    let given = ["author_did", "did", "author"].into_iter().find_map(|k| plain(k).filter(|d| d.starts_with("did:")));
    let handle = ["author_handle", "handle", "author"].into_iter().find_map(|k| plain(k).filter(|h| is_handle(h)));
    let id = if owner.starts_with("did:") { owner } else { given.unwrap_or(owner) };
    let name = ["author_display_name", "display_name"].into_iter().find_map(plain);
    Author {
        id: id.to_owned(),
        handle: handle.or(Some(owner).filter(|o| !o.starts_with("did:"))).map(str::to_owned),
        name: name.map(str::to_owned),
        description: plain("author_description").map(str::to_owned),
        location: plain("author_location").map(str::to_owned),
        created_at: fields.time("author_created_at", notes, rfc3339),
        followers: fields.count("author_followers_count", notes),
        following: fields.count("author_following_count", notes),
        posts: fields.count("author_posts_count", notes),
        listed: None,
        verified: fields.boolean("author_verified", notes),
    }
}
