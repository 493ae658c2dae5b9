//! The formats posts come in, one file each. To add one: write the file, implement [`Format`], list it in [`ALL`].

mod fields;
mod native;
mod x_v1;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::post::Post;
use crate::error::{Error, Result};

pub use native::Native;
pub use x_v1::XV1;

/// A JSON object as read.
pub type Object = Map<String, Value>;

/// What one object of a dump turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A post.
    Post(Box<Found>),
    /// The order to forget a post.
    Delete(String),
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
    /// Posts that were carried whole inside, because this one quotes them.
    pub quoted: Vec<Post>,
}

impl From<Post> for Record {
    fn from(post: Post) -> Record {
        Record::Post(Box::new(Found { post, ..Found::default() }))
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
    /// Makes records of an object, at least one.
    fn read(&self, object: &Object, notes: &mut Notes) -> Vec<Record>;
}

/// Every format, in the order they are tried.
pub static ALL: [&dyn Format; 2] = [&XV1, &Native];

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

/// Makes records of one line or element; bytes that are no JSON object are one rejected record.
pub fn read(format: &dyn Format, bytes: &[u8], notes: &mut Notes) -> Vec<Record> {
    match parse(bytes) {
        Ok(object) => format.read(&object, notes),
        Err(reason) => vec![Record::Rejected(reason)],
    }
}

/// The JSON object in `bytes`, or why there is none.
pub fn parse(bytes: &[u8]) -> Result<Object, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("not UTF-8 from byte {} on", e.valid_up_to()))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("{}, not an object", kind_of(&other))),
        Err(error) if error.is_eof() => Err("cut off: the JSON ends too early".to_owned()),
        // Within a line the parser's own line number says nothing.
        Err(error) => Err(format!("not JSON: {}", error.to_string().replace(" at line 1 column", " at byte"))),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
