//! Records of `app.bsky.feed.post`, wherever they come from.

use jiff::Timestamp;

use super::super::fields::{Fields, rfc3339};
use super::super::json::{Json, Object};
use super::super::native::each_once;
use super::super::{Found, Notes};
use super::{address, embeds};
use crate::corpus::Label;
use crate::extract;
use crate::facts::hash128;
use crate::post::{Author, Mention, Post};

/// Fields of a record that are known, whether used or not; others are counted as ignored.
const FIELDS: [&str; 12] = [
    "$type",
    "createdAt",
    "embed",
    "entities",
    "facets",
    "labels",
    "langs",
    "reply",
    "tags",
    "text",
    "via",
    "bridgyOriginalText",
];

/// The post of a record at the address `uri`, first seen at `witnessed`.
pub(super) fn post(
    record: &Object,
    uri: Option<&str>,
    witnessed: Option<Timestamp>,
    notes: &mut Notes,
) -> Result<Found, String> {
    for key in record.keys().filter(|k| !FIELDS.contains(k)) {
        notes.ignored(key);
    }
    let fields = Fields::new(record, "");
    let text = record.get("text").and_then(Json::as_str).ok_or("no `text`")?;
    let author = match uri {
        Some(uri) => Some(address(uri).ok_or_else(|| format!("`{uri}` is no address of a record"))?.authority),
        None => None,
    };
    let id = uri.map_or_else(|| made_up_id(record, text), str::to_owned);
    let claimed = fields.time("createdAt", notes, rfc3339);
    let (mut hashtags, mut mentions) = match fields.list("facets", notes) {
        Some(facets) => marked(facets, text, notes),
        None => (extract::hashtags(text), handles(text)),
    };
    mentions.extend(old_mentions(fields, notes));
    each_once(&mut mentions);
    let shown: Vec<String> = hashtags.iter().map(|t| t.to_lowercase()).collect();
    let beside = fields.list("tags", notes).unwrap_or_default().iter().filter_map(Json::as_str);
    let beside = beside.map(without_sign).filter(|t| !t.is_empty() && !shown.contains(&t.to_lowercase()));
    hashtags.extend(beside.map(str::to_owned));
    let embed = fields.object("embed", notes);
    let embedded = embed.map(|e| embeds::read(e, author, notes)).unwrap_or_default();
    let parent = fields.object("reply", notes).and_then(|r| Fields::new(r, "reply.").object("parent", notes));
    let labels = labels(fields, &id, notes);
    let post = Post {
        id,
        created_at: match (claimed, witnessed) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        lang: language(fields, notes),
        text: text.to_owned(),
        hashtags,
        mentions,
        images: embedded.images,
        author: author.map(|id| Author {
            id: id.to_owned(),
            handle: Some(id.to_owned()).filter(|id| !id.starts_with("did:")),
            ..Author::default()
        }),
        reply_to: parent.and_then(|p| Fields::new(p, "reply.parent.").string("uri", notes)),
        quote_of: embedded.quote_of,
        ..Post::default()
    };
    Ok(Found { post, labels, ..Found::default() })
}

/// An id for a record whose address is not known: copies of it get the same.
fn made_up_id(record: &Object, text: &str) -> String {
    let time = record.get("createdAt").and_then(Json::as_str).unwrap_or_default();
    format!("record:{:032x}", hash128(&format!("{time}\0{text}")))
}

fn language(fields: Fields, notes: &mut Notes) -> Option<String> {
    let first = fields.list("langs", notes)?.iter().filter_map(Json::as_str).find(|l| !l.is_empty());
    first.map(str::to_owned)
}

fn without_sign(tag: &str) -> &str {
    tag.trim().trim_start_matches(['#', '＃'])
}

/// Tags and mentions of facets, in the order of the text.
fn marked(facets: &[Json], text: &str, notes: &mut Notes) -> (Vec<String>, Vec<Mention>) {
    let mut ordered: Vec<(usize, &str, &Json)> = Vec::new();
    for facet in facets {
        let side = |key| facet.get("index").and_then(|i| i.get(key)?.as_u64()).and_then(|b| usize::try_from(b).ok());
        let range = side("byteStart").zip(side("byteEnd"));
        // A facet off the text or inside a character still names a tag or an account.
        let shown = range.and_then(|(start, end)| text.get(start..end));
        if shown.is_none() {
            notes.unusable("facets.index");
        }
        let features = facet.get("features").and_then(Json::as_list).unwrap_or_default();
        let start = range.map_or(usize::MAX, |(start, _)| start);
        ordered.extend(features.iter().map(|f| (start, shown.unwrap_or_default(), f)));
    }
    ordered.sort_by_key(|(start, ..)| *start);
    let (mut tags, mut mentions) = (Vec::new(), Vec::new());
    for (_, shown, feature) in ordered {
        let text = |key| feature.get(key).and_then(Json::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        match feature.get("$type").and_then(Json::as_str).and_then(|t| t.rsplit_once('#')) {
            Some(("app.bsky.richtext.facet", "tag")) => match text("tag") {
                Some(tag) if !without_sign(&tag).is_empty() => tags.push(without_sign(&tag).to_owned()),
                _ => notes.unusable("facets.features.tag"),
            },
            Some(("app.bsky.richtext.facet", "mention")) => {
                let handle = shown.trim().strip_prefix(['@', '＠']).filter(|h| !h.is_empty()).map(str::to_owned);
                match (Mention { id: text("did"), handle }) {
                    mention if mention == Mention::default() => notes.unusable("facets.features.did"),
                    mention => mentions.push(mention),
                }
            }
            Some(("app.bsky.richtext.facet", "link")) => {}
            _ => notes.ignored("facets.features"),
        }
    }
    (tags, mentions)
}

/// Mentions of the oldest records, which had `entities` in place of facets.
fn old_mentions(fields: Fields, notes: &mut Notes) -> Vec<Mention> {
    let list = fields.list("entities", notes).unwrap_or_default();
    let mentions = list.iter().filter(|e| e.get("type").and_then(Json::as_str) == Some("mention"));
    mentions
        .filter_map(|e| e.get("value")?.as_str())
        .map(|did| Mention { id: Some(did.to_owned()), handle: None })
        .collect()
}

/// Handles in a text without facets: a handle is a domain name, so the rules of X would cut it at its first dot.
pub(super) fn handles(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    for (at, sign) in text.match_indices(['@', '＠']) {
        let before = text[..at].chars().next_back();
        let rest = &text[at + sign.len()..];
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(rest.len());
        let name = rest[..length].trim_end_matches(['.', '-']);
        let free = before.is_none_or(|c| c.is_whitespace() || matches!(c, '(' | '.' | ',' | '"' | '“' | '「'));
        let top = name.rsplit_once('.').map_or("", |(_, top)| top);
        let domain = top.starts_with(|c: char| c.is_ascii_alphabetic()) && name.split('.').all(|l| !l.is_empty());
        if free && domain {
            found.push(Mention { id: None, handle: Some(name.to_owned()) });
        }
    }
    found
}

/// Labels that the author gave the post ("porn", "graphic-media"), as one label.
fn labels(fields: Fields, id: &str, notes: &mut Notes) -> Vec<Label> {
    let Some(given) = fields.object("labels", notes) else { return Vec::new() };
    let list = Fields::new(given, "labels.").list("values", notes).unwrap_or_default();
    let mut values: Vec<&str> = list.iter().filter_map(|v| v.get("val")?.as_str()).filter(|v| !v.is_empty()).collect();
    values.sort_unstable();
    values.dedup();
    if values.is_empty() {
        return Vec::new();
    }
    let (kind, name) = ("post".to_owned(), "self_label".to_owned());
    vec![Label { kind, id: id.to_owned(), name, value: values.join("+") }]
}
