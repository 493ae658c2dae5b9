//! X (Twitter) API v2: pages with `includes`, lines of the filtered stream, twarc's envelopes and flattened posts.
//!
//! - A repost stands for the post inside, where that came along; alone it stays a post of its own whose text is cut.
//! - Posts in `includes.tweets` (quoted, answered, pinned, versions) are posts of their own.
//! - Every version of an edited post has an id of its own; an earlier one leaves when a later one comes.
//! - A long post's text and entities are those of `note_tweet`. Links that X appended for media are cut; escapes undone.
//! - Annotations, metrics, polls and cards say nothing that a [`Post`] holds and are passed over. What the API could not
//!   deliver (`errors`) counts as a message: a post that was not found is not an order to delete it.
//! - Notices of the compliance streams are obeyed: [`super::x_v2_notices`].
//! - Fields: spec `post_formats.md` section 3, and the developer documentation for edits, long posts and compliance.

use std::collections::{HashMap, HashSet};

use super::fields::{Fields, rfc3339};
use super::json::{Json, Object};
use super::native::each_once;
use super::x::{language, unescape};
use super::x_v2_notices::{notice, obey, withheld};
use super::{Format, Found, Notes, Record};
use crate::extract;
use crate::post::{Author, ImageRef, Mention, Place, Post};

/// See the module's description.
#[derive(Debug)]
pub struct XV2;

/// Fields that a post of v2 has and other formats have not.
const SIGNS: [&str; 6] =
    ["author_id", "edit_history_tweet_ids", "public_metrics", "referenced_tweets", "conversation_id", "reply_settings"];

/// Fields of a page.
const PAGE: [&str; 7] = ["data", "includes", "errors", "meta", "matching_rules", "__twarc", "_links"];

/// Fields of a post that are known, whether used or not, sorted; others are counted as ignored.
#[rustfmt::skip]
static FIELDS: [&str; 33] = [
    "__twarc", "article", "attachments", "author", "author_id", "card_uri", "community_id", "context_annotations",
    "conversation_id", "created_at", "display_text_range", "edit_controls", "edit_history_tweet_ids", "entities", "geo",
    "id", "in_reply_to_user", "in_reply_to_user_id", "lang", "matching_rules", "non_public_metrics", "note_tweet",
    "organic_metrics", "possibly_sensitive", "promoted_metrics", "public_metrics", "referenced_tweets",
    "reply_settings", "scopes", "source", "text", "type", "withheld",
];

impl Format for XV2 {
    fn name(&self) -> &'static str {
        "x-v2"
    }

    fn about(&self) -> &'static str {
        "X/Twitter API v2: pages, stream, twarc, flattened"
    }

    fn recognises(&self, object: &Object) -> bool {
        let in_page = |key: &str| PAGE.contains(&key);
        match object.get("data") {
            Some(Json::Object(data)) => object.keys().all(in_page) && (is_post(data) || notice(data).is_some()),
            Some(Json::List(list)) => {
                object.keys().all(in_page) && list.first().is_none_or(|v| v.as_object().is_some_and(is_known))
            }
            Some(_) => false,
            None => (is_post(object) && SIGNS.iter().any(|k| object.contains_key(k))) || is_problem(object),
        }
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        let Some(data) = object.get("data") else {
            return match object.get("errors") {
                Some(Json::List(errors)) if !errors.is_empty() => errors.iter().for_each(|e| records.push(problem(e))),
                _ if object.contains_key("title") && !object.contains_key("text") => {
                    records.push(problem(&Json::Object(object.clone())));
                }
                _ => Page::default().record(object, notes, records),
            };
        };
        object.keys().filter(|k| !PAGE.contains(k)).for_each(|k| notes.ignored(k));
        let page = Page::new(object);
        let before = records.len();
        match data {
            Json::Object(data) => page.record(data, notes, records),
            Json::List(list) => list.iter().for_each(|element| match element {
                Json::Object(data) => page.record(data, notes, records),
                _ => records.push(Record::Rejected("an element of `data` is not an object".to_owned())),
            }),
            _ => records.push(Record::Rejected("`data` is neither an object nor a list".to_owned())),
        }
        page.rest(notes, records, before);
        if let Some(errors) = object.get("errors").and_then(Json::as_list) {
            errors.iter().for_each(|e| records.push(problem(e)));
        }
        if records.len() == before {
            records.push(Record::Message("page (empty)".to_owned()));
        }
    }
}

/// Whether an object has what no post of v2 lacks, and nothing of v1.1.
fn is_post(object: &Object) -> bool {
    let text = |key| object.get(key).is_some_and(|v| v.as_str().is_some());
    text("text") && object.contains_key("id") && !object.contains_key("id_str") && !object.contains_key("user")
}

/// Whether an element of `data` is a post, a user or a count.
fn is_known(object: &Object) -> bool {
    is_post(object) || ["username", "tweet_count"].iter().any(|k| object.contains_key(k))
}

/// Whether an object tells of a failed request or a broken stream.
fn is_problem(object: &Object) -> bool {
    let ours =
        |o: &Object| o.get("type").and_then(Json::as_str).is_some_and(|t| t.contains("api.twitter.com/2/problems"));
    let first = object.get("errors").and_then(|e| e.as_list()?.first()?.as_object());
    !object.contains_key("text") && (ours(object) || first.is_some_and(ours))
}

fn problem(value: &Json) -> Record {
    let text = |key| value.get(key).and_then(Json::as_str);
    Record::Message(format!("error: {}", text("title").or(text("detail")).unwrap_or("unknown")))
}

/// What the posts of a page refer to, by id.
#[derive(Default)]
struct Page<'a> {
    users: HashMap<&'a str, &'a Object<'a>>,
    posts: HashMap<&'a str, &'a Object<'a>>,
    media: HashMap<&'a str, &'a Object<'a>>,
    places: HashMap<&'a str, &'a Object<'a>>,
    /// Ids of `posts`, in their order.
    order: Vec<&'a str>,
}

/// A post that another one names.
struct Reference<'a> {
    kind: &'a str,
    id: &'a str,
    /// The post, where it came along.
    post: Option<&'a Object<'a>>,
}

impl<'a> Page<'a> {
    fn new(object: &'a Object<'a>) -> Page<'a> {
        let includes = object.get("includes");
        let list = |name: &str| includes.and_then(|i| i.get(name)?.as_list()).unwrap_or_default();
        let by = |name: &str, key: &str| -> HashMap<&'a str, &'a Object<'a>> {
            list(name).iter().filter_map(|v| Some((v.get(key)?.as_str()?, v.as_object()?))).collect()
        };
        let order = list("tweets").iter().filter_map(|v| v.get("id")?.as_str()).collect();
        let (media, places) = (by("media", "media_key"), by("places", "id"));
        Page { users: by("users", "id"), posts: by("tweets", "id"), media, places, order }
    }

    /// Makes a record of an element of `data`.
    fn record(&self, object: &'a Object<'a>, notes: &mut Notes, records: &mut Vec<Record>) {
        if let Some((kind, said)) = notice(object) {
            return records.push(obey(kind, said, notes));
        }
        if !object.contains_key("text") && !object.contains_key("id") && object.contains_key("tweet_count") {
            return records.push(Record::Message("tweet count".to_owned()));
        }
        if !object.contains_key("text") && object.contains_key("username") {
            return records.push(Record::Message("user".to_owned()));
        }
        object.keys().filter(|k| FIELDS.binary_search(k).is_err()).for_each(|k| notes.ignored(k));
        let references = self.references(object);
        let inner = references.iter().find(|r| r.kind == "retweeted").and_then(|r| r.post);
        let used = inner.unwrap_or(object);
        if let Some(order) = withheld(used) {
            return records.push(order);
        }
        let mut found = Found { repost: inner.is_some(), ..Found::default() };
        match self.post(used, &mut found, notes) {
            Ok(post) => found.post = post,
            Err(reason) if inner.is_some() => {
                return records.push(Record::Rejected(format!("the reposted post: {reason}")));
            }
            Err(reason) => return records.push(Record::Rejected(reason)),
        }
        if inner.is_none() && references.iter().any(|r| r.kind == "retweeted") && extract::looks_cut(&found.post.text) {
            found.cut.push(found.post.id.clone());
        }
        for reference in self.references(used).iter().filter_map(|r| r.post) {
            self.add(reference, &mut found, notes);
        }
        records.push(Record::Post(Box::new(found)));
    }

    /// Adds a post that came along to the one that brought it.
    fn add(&self, object: &'a Object<'a>, found: &mut Found, notes: &mut Notes) {
        // A repost inside is cut, and what it stands for is not at hand.
        if withheld(object).is_some() || self.references(object).iter().any(|r| r.kind == "retweeted") {
            return;
        }
        match self.post(object, found, notes) {
            Ok(post) => found.quoted.push(post),
            Err(_) => notes.unusable("includes.tweets"),
        }
    }

    /// Posts that came along and that no post of `data` names: pinned ones, versions of an edited one.
    fn rest(&self, notes: &mut Notes, records: &mut Vec<Record>, from: usize) {
        let mut known = HashSet::new();
        let mut host = None;
        for (at, record) in records.iter().enumerate().skip(from) {
            if let Record::Post(found) = record {
                known.insert(found.post.id.clone());
                known.extend(found.quoted.iter().map(|p| p.id.clone()));
                host.get_or_insert(at);
            }
        }
        let rest: Vec<&Object> =
            self.order.iter().filter(|id| !known.contains(**id)).filter_map(|id| self.posts.get(id).copied()).collect();
        if rest.is_empty() {
            return;
        }
        match host.and_then(|at| records.get_mut(at)) {
            Some(Record::Post(found)) => rest.into_iter().for_each(|object| self.add(object, found, notes)),
            _ => rest.into_iter().for_each(|object| self.record(object, notes, records)),
        }
    }

    fn references(&self, object: &'a Object<'a>) -> Vec<Reference<'a>> {
        let list = object.get("referenced_tweets").and_then(Json::as_list).unwrap_or_default();
        let reference = |value: &'a Json<'a>| {
            let (kind, id) = (value.get("type")?.as_str()?, value.get("id")?.as_str()?);
            // A flattened reference is the post itself.
            let flat = value.as_object().filter(|o| o.contains_key("text"));
            Some(Reference { kind, id, post: flat.or_else(|| self.posts.get(id).copied()) })
        };
        list.iter().filter_map(reference).collect()
    }

    /// Makes a post; ids of its earlier versions are added to `found`.
    fn post(&self, object: &'a Object<'a>, found: &mut Found, notes: &mut Notes) -> Result<Post, String> {
        let fields = Fields::new(object, "");
        let id = fields.required_id(&["id"])?.ok_or("no `id`")?;
        let note = fields.object("note_tweet", notes).filter(|n| n.get("text").is_some_and(|t| t.as_str().is_some()));
        let container = note.map_or(fields, |n| Fields::new(n, "note_tweet."));
        let Some(Json::String(text)) = container.get("text") else { return Err("no `text`".to_owned()) };
        let entities = container.object("entities", notes);
        let list = |key: &str| entities.and_then(|e| e.get(key)?.as_list());
        let hashtags = match entities {
            Some(_) => list("hashtags")
                .unwrap_or_default()
                .iter()
                .filter_map(|t| t.get("tag")?.as_str().map(str::to_owned))
                .collect(),
            None => extract::hashtags(text).iter().map(|t| unescape(t)).collect(),
        };
        let mut mentions: Vec<Mention> = match entities {
            Some(_) => list("mentions").unwrap_or_default().iter().filter_map(|m| mention(m, notes)).collect(),
            None => extract::mentions(text).into_iter().map(|h| Mention { id: None, handle: Some(h) }).collect(),
        };
        each_once(&mut mentions);
        if let Some(history) = object.get("edit_history_tweet_ids").and_then(Json::as_list) {
            let earlier = history.iter().filter_map(Json::as_str).take_while(|version| *version != id);
            found.replaces.extend(earlier.map(str::to_owned));
        }
        let reference = |kind: &str| self.references(object).iter().find(|r| r.kind == kind).map(|r| r.id.to_owned());
        let quote_of = reference("quoted");
        let geo = fields.object("geo", notes);
        let point = geo.and_then(|g| g.get("coordinates")).map(|c| c.get("coordinates").and_then(pair));
        Ok(Post {
            created_at: fields.time("created_at", notes, rfc3339),
            lang: language(fields, notes),
            text: unescape(shown(text, list("urls").unwrap_or_default(), [&id, quote_of.as_deref().unwrap_or(&id)])),
            hashtags,
            mentions,
            images: self.images(fields, notes),
            author: self.author(fields, notes),
            place: geo.and_then(|g| self.place(g, notes)),
            geo: point.and_then(|pair| fields.point("geo", pair, notes)),
            reply_to: reference("replied_to"),
            quote_of,
            source: String::new(),
            id,
        })
    }

    /// Photos, from `includes.media` or, flattened, from the attachments themselves.
    fn images(&self, fields: Fields<'a>, notes: &mut Notes) -> Vec<ImageRef> {
        let Some(attachments) = fields.object("attachments", notes) else { return Vec::new() };
        let flat = attachments.get("media").and_then(Json::as_list);
        let keys = attachments.get("media_keys").and_then(Json::as_list).unwrap_or_default();
        let media: Vec<&Object> = match flat {
            Some(list) => list.iter().filter_map(Json::as_object).collect(),
            None => keys.iter().filter_map(|k| self.media.get(k.as_str()?).copied()).collect(),
        };
        media.into_iter().filter_map(|m| photo(m, notes)).collect()
    }

    fn author(&self, fields: Fields<'a>, notes: &mut Notes) -> Option<Author> {
        let id = fields.id(&["author_id"], notes);
        let inside = fields.object("author", notes);
        let Some(user) = inside.or_else(|| self.users.get(id.as_deref()?).copied()) else {
            return id.map(|id| Author { id, ..Author::default() });
        };
        let fields = Fields::new(user, "author.");
        let id = id.or_else(|| fields.id(&["id"], notes))?;
        let text = |key, notes: &mut Notes| fields.text(key, notes).map(unescape);
        let counts = fields.object("public_metrics", notes).map(|m| Fields::new(m, "author.public_metrics."));
        let count = |key: &str, notes: &mut Notes| counts?.count(key, notes);
        Some(Author {
            id,
            handle: fields.string("username", notes),
            name: text("name", notes),
            description: text("description", notes),
            location: text("location", notes),
            created_at: fields.time("created_at", notes, rfc3339),
            followers: count("followers_count", notes),
            following: count("following_count", notes),
            posts: count("tweet_count", notes),
            listed: count("listed_count", notes),
            verified: fields.boolean("verified", notes),
        })
    }

    fn place(&self, geo: &'a Object<'a>, notes: &mut Notes) -> Option<Place> {
        let id = Fields::new(geo, "geo.").id(&["place_id"], notes)?;
        // Flattened, the place's fields stand beside `place_id`.
        let place =
            if geo.contains_key("full_name") { geo } else { self.places.get(id.as_str()).copied().unwrap_or(geo) };
        let fields = Fields::new(place, "place.");
        let text = |key, notes: &mut Notes| fields.string(key, notes);
        let sides = place.get("geo").and_then(|g| g.get("bbox")?.as_list());
        let bounds = sides.and_then(|s| {
            let sides = s.iter().filter_map(Json::as_f64).collect::<Vec<f64>>().try_into().ok();
            if sides.is_none() {
                notes.unusable("place.geo.bbox");
            }
            sides
        });
        Some(Place {
            id,
            name: text("full_name", notes).or_else(|| text("name", notes)),
            kind: text("place_type", notes),
            country: text("country_code", notes).or_else(|| text("country", notes)),
            bounds,
        })
    }
}

/// The text without the links at its end that X appended: for media, for the post it quotes, for its own versions.
fn shown<'a>(text: &'a str, urls: &[Json], posts: [&str; 2]) -> &'a str {
    let names_post = |to: &str| to.rsplit_once("/status/").is_some_and(|(_, id)| posts.contains(&id));
    let appended = |word: &str| {
        urls.iter().any(|u| {
            let to = u.get("expanded_url").and_then(Json::as_str).unwrap_or_default();
            let media = u.get("media_key").is_some() || to.ends_with("/photo/1") || to.ends_with("/video/1");
            (media || names_post(to)) && u.get("url").and_then(Json::as_str) == Some(word)
        })
    };
    let mut shown = text.trim_end();
    while let Some(word) = shown.split_whitespace().next_back().filter(|w| appended(w)) {
        shown = shown[..shown.len() - word.len()].trim_end();
    }
    if shown.len() == text.trim_end().len() { text } else { shown }
}

fn mention(value: &Json, notes: &mut Notes) -> Option<Mention> {
    let fields = Fields::new(value.as_object()?, "entities.mentions.");
    let mention = Mention { id: fields.id(&["id"], notes), handle: fields.string("username", notes) };
    (mention != Mention::default()).then_some(mention)
}

fn photo(object: &Object, notes: &mut Notes) -> Option<ImageRef> {
    let fields = Fields::new(object, "media.");
    if fields.text("type", notes).is_some_and(|t| t != "photo") {
        return None;
    }
    let url = fields.string("url", notes)?;
    Some(ImageRef { path: None, url: Some(url), alt: fields.text("alt_text", notes).map(unescape) })
}

/// [lon, lat] as latitude and longitude.
fn pair(value: &Json) -> Option<(f64, f64)> {
    let list = value.as_list()?;
    Some((list.get(1)?.as_f64()?, list.first()?.as_f64()?))
}

#[cfg(test)]
#[path = "x_v2_tests.rs"]
mod tests;
