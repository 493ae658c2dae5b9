//! The formats posts come in, one file each. To add one: write the file, implement [`Format`], list it in [`ALL`].

mod bluesky;
mod fields;
pub mod json;
mod mastodon;
mod native;
#[cfg(test)]
mod testing;
mod x;
mod x_archive;
mod x_v1;
mod x_v2;
mod x_v2_notices;

use std::collections::BTreeMap;

use jiff::Timestamp;

use self::json::{Json, Object};
use super::corpus::Label;
use super::post::Post;
use crate::error::{Error, Result};

pub use bluesky::Bluesky;
pub use mastodon::Mastodon;
pub use native::Native;
pub use x_archive::XArchive;
pub use x_v1::XV1;
pub use x_v2::XV2;

/// What one object of a dump turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A post.
    Post(Box<Found>),
    /// The order to forget a post.
    Delete(String),
    /// The order to forget every post of an account (its id): it was deactivated, deleted or withheld.
    ForgetAuthor(String),
    /// The order to forget where the posts of an account came from, up to a post id.
    ScrubGeo {
        /// Account id.
        author: String,
        /// Last post it concerns, compared as a number.
        up_to: String,
    },
    /// Anything else a stream carries, by its kind.
    Message(String),
    /// Meant as a post but of no use; the reason.
    Rejected(String),
}

/// A post with what came along.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// The post.
    pub post: Post,
    /// The object was a repost; `post` is what was reposted.
    pub repost: bool,
    /// Posts that were carried whole inside, because this one quotes or answers them.
    pub quoted: Vec<Post>,
    /// `post` was changed at this time: it takes the place of older versions.
    pub edited: Option<Timestamp>,
    /// What the source itself says of posts and authors: an author's warning, a declared bot.
    pub labels: Vec<Label>,
    /// Ids of those of these posts whose text is cut, as far as the source says; a whole copy replaces it.
    pub cut: Vec<String>,
    /// Ids of earlier versions of these posts, which leave the corpus.
    pub replaces: Vec<String>,
}

impl From<Found> for Record {
    fn from(found: Found) -> Record {
        Record::Post(Box::new(found))
    }
}

impl From<Post> for Found {
    fn from(post: Post) -> Found {
        Found { post, ..Found::default() }
    }
}

impl From<Post> for Record {
    fn from(post: Post) -> Record {
        Found::from(post).into()
    }
}

/// Fields that were passed over, with how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Fields the format does not know.
    pub ignored: BTreeMap<String, u64>,
    /// Fields it knows whose value cannot be used; the post lives on without them.
    pub unusable: BTreeMap<String, u64>,
}

/// Names kept per list: a dump with data in its field names must not fill the memory.
const MAX_NAMES: usize = 1000;

/// Counts `name`; past [`MAX_NAMES`] names under a common one.
pub(super) fn count_name(counts: &mut BTreeMap<String, u64>, name: &str, times: u64) {
    if counts.len() >= MAX_NAMES && !counts.contains_key(name) {
        *counts.entry("(further names)".to_owned()).or_default() += times;
    } else if let Some(count) = counts.get_mut(name) {
        *count += times;
    } else {
        counts.insert(name.to_owned(), times);
    }
}

impl Notes {
    fn ignored(&mut self, name: &str) {
        count_name(&mut self.ignored, name, 1);
    }

    fn unusable(&mut self, name: &str) {
        count_name(&mut self.unusable, name, 1);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: Notes) {
        other.ignored.iter().for_each(|(name, n)| count_name(&mut self.ignored, name, *n));
        other.unusable.iter().for_each(|(name, n)| count_name(&mut self.unusable, name, *n));
    }
}

/// A format: tells its objects from others and makes posts of them.
pub trait Format: Sync {
    /// Name for `--format` and reports.
    fn name(&self) -> &'static str;
    /// What it is, in a few words.
    fn about(&self) -> &'static str;
    /// Whether `object` is clearly of this format.
    fn recognises(&self, object: &Object) -> bool;
    /// Makes records of an object, at least one, and appends them to `records`.
    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>);
}

/// Every format, in the order they are tried.
pub static ALL: [&dyn Format; 6] = [&Mastodon, &XV2, &XV1, &XArchive, &Bluesky, &Native];

/// The format that recognises an object.
pub fn detect(object: &Object) -> Option<&'static dyn Format> {
    ALL.into_iter().find(|f| f.recognises(object))
}

/// The format of that name.
///
/// # Errors
/// If there is none; the message lists them.
pub fn by_name(name: &str) -> Result<&'static dyn Format> {
    ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| {
        let known: Vec<String> = ALL.iter().map(|f| format!("{} ({})", f.name(), f.about())).collect();
        Error::input(format!("`{name}` is not a format")).help(format!("formats are {}", known.join(", ")))
    })
}

/// Appends to `records` what one line or element holds; bytes that are no JSON object are one rejected record.
pub fn read(format: &dyn Format, bytes: &[u8], notes: &mut Notes, records: &mut Vec<Record>) {
    let mended;
    let parsed = match parse(bytes) {
        Err(reason) => match std::str::from_utf8(bytes).ok().and_then(mend_surrogates) {
            Some(text) => {
                notes.unusable("(half of a character pair, replaced by U+FFFD)");
                mended = text;
                parse(mended.as_bytes())
            }
            None => Err(reason),
        },
        parsed => parsed,
    };
    match parsed {
        Ok(object) => format.read(&object, notes, records),
        Err(reason) => records.push(Record::Rejected(reason)),
    }
}

/// Replaces escapes of half a UTF-16 pair (`\ud83d` without its other half), which texts cut by other programs end in
/// and JSON in Rust refuses; `None` if there are none.
fn mend_surrogates(json: &str) -> Option<String> {
    let unit = |at: usize| {
        let hex = json.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(hex, 16).ok()
    };
    let is = |at: usize, range: std::ops::Range<u16>| unit(at).is_some_and(|u| range.contains(&u));
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(step) = json[at..].find('\\') {
        at += step;
        if is(at, 0xd800..0xdc00) && is(at + 6, 0xdc00..0xe000) {
            at += 12;
        } else if is(at, 0xd800..0xe000) {
            out.push_str(&json[kept..at]);
            out.push_str("\\ufffd");
            at += 6;
            kept = at;
        } else {
            // The escaped character may be a backslash: both are passed.
            at += 1 + json[at + 1..].chars().next().map_or(0, char::len_utf8);
        }
    }
    (kept > 0).then(|| out + &json[kept..])
}

/// The JSON object in `bytes`, or why there is none.
pub fn parse(bytes: &[u8]) -> Result<Object<'_>, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to()))?;
    match serde_json::from_str(text) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(format!("{}, not an object", other.kind())),
        Err(error) if error.is_eof() => Err("cut off: the JSON ends too early".to_owned()),
        // Within a line the parser's own line number says nothing.
        Err(error) => Err(format!("not JSON: {}", error.to_string().replace(" at line 1 column", " at byte"))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_character_pair_costs_only_itself() {
        let mut notes = Notes::default();
        let line = br#"{"id":"1","text":"a\ud83d b\ud83d\ude00 c\\ud83d \ude00"}"#;
        let mut records = Vec::new();
        read(&Native, line, &mut notes, &mut records);
        let [Record::Post(found)] = &records[..] else { panic!("{records:?}") };
        assert_eq!(found.post.text, "a\u{fffd} b\u{1f600} c\\ud83d \u{fffd}");
        assert_eq!(notes.unusable.len(), 1);
    }

    #[test]
    fn formats_have_names_and_the_unknown_one_lists_them() {
        assert!(ALL.iter().all(|f| by_name(f.name()).is_ok()));
        let error = by_name("myspace").err().and_then(|e| e.way_out().map(str::to_owned));
        assert!(error.is_some_and(|h| h.contains("x-v1") && h.contains("native")));
    }

    proptest! {
        #[test]
        fn mending_never_panics(text in "([\\\\u]|d83d|de00|\\PC){0,30}") {
            mend_surrogates(&text);
        }
    }
}
