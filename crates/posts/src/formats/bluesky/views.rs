//! Posts as the API shows them, with authors and counts, alone or in pages: `getPosts`, `searchPosts`, feeds, threads,
//! `listRecords`.

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::{Found, Notes, Record};
use super::{POSTS, address, embeds, flat, records};
use crate::post::{Author, Post};

/// Fields of a view that are known, whether used or not; others are counted as ignored.
#[rustfmt::skip]
const FIELDS: [&str; 20] = [
    "$type", "author", "bookmarkCount", "cid", "debug", "embed", "embeds", "indexedAt", "labels", "likeCount",
    "quoteCount", "record", "replyCount", "repostCount", "threadgate", "uri", "value", "viewer", "depth", "missing",
];

/// Lists that a page of answers may hold.
const PAGES: [&str; 4] = ["posts", "feed", "records", "thread"];

fn has_address(object: &Object) -> bool {
    object.get("uri").and_then(Json::as_str).is_some_and(|u| u.starts_with("at://"))
}

/// Whether an object shows one record: a view, an element of a feed or thread, an answer of `getRecord`, a flat row.
pub(super) fn is_view(object: &Object) -> bool {
    has_address(object) || inner_post(object).is_some()
}

fn inner_post<'a>(object: &'a Object<'a>) -> Option<&'a Object<'a>> {
    object.get("post").and_then(Json::as_object).filter(|p| has_address(p))
}

/// Whether an object is a page of the API.
pub(super) fn is_page(object: &Object) -> bool {
    PAGES.iter().any(|key| match object.get(key) {
        Some(Json::List(list)) => list.first().and_then(Json::as_object).is_some_and(is_view),
        Some(Json::Object(node)) => *key == "thread" && is_view(node),
        _ => false,
    })
}

/// Every post of a page.
pub(super) fn read_page(object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
    for value in PAGES.iter().filter_map(|key| object.get(key)) {
        match value {
            Json::List(list) => list.iter().for_each(|item| element(item, notes, records)),
            node => element(node, notes, records),
        }
    }
}

/// An element of a page; a node of a thread brings the posts around it.
fn element(value: &Json, notes: &mut Notes, records: &mut Vec<Record>) {
    let Some(object) = value.as_object() else {
        records.push(Record::Rejected(format!("an element of the page is {}, not an object", value.kind())));
        return;
    };
    records.push(read(object, notes));
    if inner_post(object).is_some() {
        let around = [object.get("parent"), object.get("replies")].into_iter().flatten();
        for next in around {
            match next {
                Json::List(list) => list.iter().for_each(|item| element(item, notes, records)),
                Json::Null => {}
                node => element(node, notes, records),
            }
        }
    }
}

/// One post of the API.
pub(super) fn read(object: &Object, notes: &mut Notes) -> Record {
    let fields = Fields::new(object, "");
    // The newer threads wrap each post as {uri, depth, value: {post}}.
    let value = object.get("value").and_then(Json::as_object);
    if let Some(post) = inner_post(object).or_else(|| value.and_then(inner_post)) {
        let reason = fields.object("reason", notes).and_then(|r| r.get("$type")?.as_str());
        return match view(post, notes) {
            Ok(Ok(mut found)) => {
                found.repost = reason.is_some_and(|r| r.ends_with("#reasonRepost"));
                found.quoted.extend(answered(fields, notes));
                found.into()
            }
            Ok(Err(kind)) => Record::Message(kind),
            Err(reason) => Record::Rejected(reason),
        };
    }
    match view(object, notes) {
        Ok(Ok(found)) => found.into(),
        Ok(Err(kind)) => Record::Message(kind),
        Err(reason) => Record::Rejected(reason),
    }
}

/// Posts that an element of a feed carries because it answers them.
fn answered(element: Fields, notes: &mut Notes) -> Vec<Post> {
    let Some(reply) = element.object("reply", notes) else { return Vec::new() };
    let mut posts = Vec::new();
    for key in ["parent", "root"] {
        let around = reply.get(key).and_then(Json::as_object).filter(|o| has_address(o));
        if let Some(Ok(Ok(found))) = around.map(|o| view(o, notes)) {
            posts.extend(found.quoted);
            if !posts.iter().any(|p| p.id == found.post.id) {
                posts.push(found.post);
            }
        }
    }
    posts
}

/// The post of a view; `Ok(Err(kind))` for what is no post.
fn view(object: &Object, notes: &mut Notes) -> Result<Result<Found, String>, String> {
    let fields = Fields::new(object, "");
    for gone in ["notFound", "blocked", "detached"] {
        if object.get(gone).and_then(Json::as_bool) == Some(true) {
            return Ok(Err(format!("post {gone}")));
        }
    }
    let Some(uri) = fields.text("uri", notes) else { return Err("no `uri`".to_owned()) };
    let Some(record) = fields.object("record", notes).or_else(|| fields.object("value", notes)) else {
        if let Some(reason) = fields.text("missing", notes) {
            return Err(format!("no record: {reason}"));
        }
        return flat::post(object, uri, notes).map(Ok);
    };
    let kind = record.get("$type").and_then(Json::as_str);
    let kind = kind.or_else(|| address(uri).map(|a| a.collection)).unwrap_or_default();
    if kind != POSTS {
        return Ok(Err(kind.to_owned()));
    }
    for key in object.keys().filter(|k| !FIELDS.contains(k)) {
        notes.ignored(key);
    }
    let mut found = records::post(record, Some(uri), fields.time("indexedAt", notes, rfc3339), notes)?;
    if let Some(author) = fields.object("author", notes).and_then(|a| author(a, notes)) {
        found.post.author = Some(author);
    }
    let shown = object.get("embed").or_else(|| object.get("embeds")?.as_list()?.first()).and_then(Json::as_object);
    if let Some(embed) = shown {
        let did = found.post.author.as_ref().map(|a| a.id.clone());
        let embedded = embeds::read(embed, did.as_deref(), notes);
        if !embedded.images.is_empty() {
            found.post.images = embedded.images;
        }
        if let Some(Ok(Ok(quoted))) = embedded.quoted.map(|q| view(q, notes)) {
            found.labels.extend(quoted.labels);
            found.quoted.push(quoted.post);
            found.quoted.extend(quoted.quoted);
        }
    }
    Ok(Ok(found))
}

/// A profile; the shorter forms lack the counts and the description.
fn author(object: &Object, notes: &mut Notes) -> Option<Author> {
    let fields = Fields::new(object, "author.");
    let id = fields.string("did", notes)?;
    let checked = fields.object("verification", notes).and_then(|v| v.get("verifiedStatus")?.as_str());
    Some(Author {
        id,
        // What the API shows of an account whose handle leads nowhere.
        handle: fields.string("handle", notes).filter(|h| h != "handle.invalid"),
        name: fields.string("displayName", notes),
        description: fields.string("description", notes),
        location: None,
        created_at: fields.time("createdAt", notes, rfc3339),
        followers: fields.count("followersCount", notes),
        following: fields.count("followsCount", notes),
        posts: fields.count("postsCount", notes),
        listed: None,
        verified: checked.map(|c| c == "valid"),
    })
}
