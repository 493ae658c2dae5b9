//! Bluesky: Jetstream events (v1 and v2), records, and what the API answers: posts, feeds, searches, threads, lists of
//! records. Also flat rows, one post each, as collectors save them.
//!
//! - The id of a post is its address, `at://DID/app.bsky.feed.post/KEY`, the id of an author the DID; a record that came
//!   without its address gets an id made of its time and text.
//! - Tags and mentions are those of the facets (indices count UTF-8 bytes) and of `tags`; where a record has no facets,
//!   they are taken from the text. A mention's handle is what the text shows.
//! - Images are those of the post itself or beside a quote; pictures of link cards and videos are none.
//! - The time of a post is what its author's program claims, but never later than when the post was first seen.
//! - Deletes are honoured; an update takes the place of what it updates; a record's own labels become labels.
//! - Fields: spec `post_formats.md` section 4 and the lexicons `app.bsky.*`, `network.bsky.jetstream.subscribeEvents`.

mod embeds;
mod events;
mod flat;
mod records;
mod views;

use super::json::{Json, Object};
use super::{Format, Notes, Record};

/// See the module's description.
#[derive(Debug)]
pub struct Bluesky;

/// The collection of posts.
const POSTS: &str = "app.bsky.feed.post";

impl Format for Bluesky {
    fn name(&self) -> &'static str {
        "bluesky"
    }

    fn about(&self) -> &'static str {
        "Bluesky: Jetstream, records, API answers"
    }

    fn recognises(&self, object: &Object) -> bool {
        let kind = object.get("$type").and_then(Json::as_str).unwrap_or_default();
        let spoken = ["app.bsky.", "network.bsky.", "com.atproto."].iter().any(|p| kind.starts_with(p));
        spoken || events::is_event(object) || views::is_view(object) || views::is_page(object)
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        if events::is_event(object) {
            records.push(events::read(object, notes));
        } else if views::is_page(object) {
            views::read_page(object, notes, records);
        } else if views::is_view(object) {
            records.push(views::read(object, notes));
        } else {
            records.push(bare(object, notes));
        }
    }
}

/// A record without an address, or what else has no address.
fn bare(object: &Object, notes: &mut Notes) -> Record {
    match object.get("$type").and_then(Json::as_str) {
        Some(POSTS) => records::post(object, None, None, notes).map_or_else(Record::Rejected, Record::from),
        Some(kind) => Record::Message(kind.to_owned()),
        None => Record::Message(match object.keys().min() {
            Some(first) => format!("unknown ({first})"),
            None => "empty object".to_owned(),
        }),
    }
}

/// The parts of `at://AUTHORITY/COLLECTION/KEY`.
struct Address<'a> {
    authority: &'a str,
    collection: &'a str,
}

fn address(uri: &str) -> Option<Address<'_>> {
    let mut parts = uri.strip_prefix("at://")?.split('/');
    let (authority, collection, key) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = !authority.is_empty() && !collection.is_empty() && !key.is_empty() && parts.next().is_none();
    whole.then_some(Address { authority, collection })
}

#[cfg(test)]
mod tests;
