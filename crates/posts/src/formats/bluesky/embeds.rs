//! What is embedded in a post: images and a quoted post, in records and in views alike.

use super::super::Notes;
use super::super::fields::Fields;
use super::super::json::{Json, Object};
use super::{POSTS, address};
use crate::post::ImageRef;

/// Images and the quoted post.
#[derive(Default)]
pub(super) struct Embedded<'a> {
    pub images: Vec<ImageRef>,
    /// Address of the quoted post.
    pub quote_of: Option<String>,
    /// The quoted post's view, where it is carried whole.
    pub quoted: Option<&'a Object<'a>>,
}

/// Reads `embed`; `did` is the account that the blobs belong to.
///
/// `recordWithMedia` holds its images one level down, in `media`, and its record two levels down.
pub(super) fn read<'a>(embed: &'a Object<'a>, did: Option<&str>, notes: &mut Notes) -> Embedded<'a> {
    let fields = Fields::new(embed, "embed.");
    let media = fields.object("media", notes).map_or(fields, |m| Fields::new(m, "embed.media."));
    let images = media.list("images", notes).unwrap_or_default();
    let mut found =
        Embedded { images: images.iter().filter_map(|i| image(i, did, notes)).collect(), ..Embedded::default() };
    let Some(record) = fields.object("record", notes) else { return found };
    let has_address = |o: &Object| o.get("uri").is_some_and(|u| u.as_str().is_some());
    let inner = if has_address(record) { Some(record) } else { record.get("record").and_then(Json::as_object) };
    let Some(record) = inner else { return found };
    // Feeds, lists and starter packs are embedded in the same way.
    let uri = record.get("uri").and_then(Json::as_str);
    found.quote_of = uri.filter(|u| address(u).is_some_and(|a| a.collection == POSTS)).map(str::to_owned);
    found.quoted = Some(record).filter(|r| found.quote_of.is_some() && r.get("value").is_some());
    found
}

/// An image of a view has addresses; one of a record is a blob, which the public image server shows.
fn image(value: &Json, did: Option<&str>, notes: &mut Notes) -> Option<ImageRef> {
    let Some(object) = value.as_object() else {
        notes.unusable("embed.images");
        return None;
    };
    let fields = Fields::new(object, "embed.images.");
    let address = match fields.string("fullsize", notes).or_else(|| fields.string("thumb", notes)) {
        Some(url) => Some(url),
        None => fields
            .object("image", notes)
            .and_then(blob)
            .zip(did)
            .map(|(cid, did)| format!("https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}@jpeg")),
    };
    if address.is_none() {
        notes.unusable("embed.images.image");
    }
    Some(ImageRef { path: None, url: Some(address?), alt: fields.string("alt", notes) })
}

/// The content id of a blob; the oldest records have it as `cid`.
fn blob<'a>(blob: &'a Object<'a>) -> Option<&'a str> {
    let link = blob.get("ref").and_then(|r| r.get("$link").or(Some(r)));
    link.or_else(|| blob.get("cid")).and_then(Json::as_str).filter(|cid| !cid.is_empty())
}
