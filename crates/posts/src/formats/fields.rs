//! Typed reading of fields of JSON objects: absent and null mean unknown, a wrong type is noted and means unknown.

use jiff::Timestamp;
use serde_json::Number;

use super::Notes;
use super::json::{Json, Object};

/// An object whose fields are read under a name prefix, for the notes.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub object: &'a Object<'a>,
    pub prefix: &'static str,
}

impl<'a> Fields<'a> {
    pub fn new(object: &'a Object<'a>, prefix: &'static str) -> Self {
        Fields { object, prefix }
    }

    fn bad(&self, key: &str, notes: &mut Notes) {
        notes.unusable(&format!("{}{key}", self.prefix));
    }

    /// The value of a field, if it is there and not null.
    pub fn get(&self, key: &str) -> Option<&'a Json<'a>> {
        self.object.get(key).filter(|v| **v != Json::Null)
    }

    /// A string; the empty one means unknown.
    pub fn text(&self, key: &str, notes: &mut Notes) -> Option<&'a str> {
        match self.get(key)? {
            Json::String(s) => Some(s.as_ref()).filter(|s| !s.is_empty()),
            _ => {
                self.bad(key, notes);
                None
            }
        }
    }

    /// A string of one's own.
    pub fn string(&self, key: &str, notes: &mut Notes) -> Option<String> {
        self.text(key, notes).map(str::to_owned)
    }

    pub fn boolean(&self, key: &str, notes: &mut Notes) -> Option<bool> {
        let value = self.get(key)?.as_bool();
        if value.is_none() {
            self.bad(key, notes);
        }
        value
    }

    /// A count; whole floats of up to 2^53 are taken, as some tools write them.
    pub fn count(&self, key: &str, notes: &mut Notes) -> Option<u64> {
        let value = self.get(key)?;
        let whole = |f: f64| (0.0..=MAX_EXACT).contains(&f) && f.fract() == 0.0;
        let count = value.as_u64().or_else(|| value.as_f64().filter(|f| whole(*f)).map(|f| f as u64));
        if count.is_none() {
            self.bad(key, notes);
        }
        count
    }

    /// An object; an empty list stands for an empty object in some dumps.
    pub fn object(&self, key: &str, notes: &mut Notes) -> Option<&'a Object<'a>> {
        match self.get(key)? {
            Json::Object(object) => Some(object),
            Json::List(list) if list.is_empty() => None,
            _ => {
                self.bad(key, notes);
                None
            }
        }
    }

    /// A list; `None` if there is none.
    pub fn list(&self, key: &str, notes: &mut Notes) -> Option<&'a [Json<'a>]> {
        match self.get(key)? {
            Json::List(list) => Some(list),
            _ => {
                self.bad(key, notes);
                None
            }
        }
    }

    /// An id that the post can do without.
    pub fn id(&self, keys: &[&str], notes: &mut Notes) -> Option<String> {
        self.required_id(keys).unwrap_or_else(|_| {
            self.bad(keys[0], notes);
            None
        })
    }

    /// The first of `keys` that holds an id, or why it cannot be trusted.
    pub fn required_id(&self, keys: &[&str]) -> Result<Option<String>, String> {
        let Some((key, value)) = keys.iter().find_map(|k| Some((k, self.get(k)?))) else { return Ok(None) };
        match value {
            Json::String(s) => Ok(Some(s.trim().to_owned()).filter(|s| !s.is_empty())),
            Json::Number(n) => exact(n).map(Some).ok_or_else(|| {
                format!("`{}{key}` is the float {n}: a 64-bit id loses its last digits in a float", self.prefix)
            }),
            _ => Err(format!("`{}{key}` is neither a string nor a number", self.prefix)),
        }
    }

    /// A time, read by `parse`.
    pub fn time(&self, key: &str, notes: &mut Notes, parse: fn(&str) -> Option<Timestamp>) -> Option<Timestamp> {
        let time = parse(self.text(key, notes)?.trim());
        if time.is_none() {
            self.bad(key, notes);
        }
        time
    }

    /// Two numbers as latitude and longitude, if they are on the globe.
    pub fn point(&self, key: &str, pair: Option<(f64, f64)>, notes: &mut Notes) -> Option<super::super::Point> {
        let on_globe = |(lat, lon): &(f64, f64)| lat.abs() <= 90.0 && lon.abs() <= 180.0;
        let point = pair.filter(on_globe).map(|(lat, lon)| super::super::Point { lat, lon });
        if point.is_none() {
            self.bad(key, notes);
        }
        point
    }
}

/// Largest whole number up to which every one is a float of its own.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The digits of a whole number that is not rounded.
fn exact(number: &Number) -> Option<String> {
    if number.is_u64() || number.is_i64() {
        return Some(number.to_string());
    }
    number.as_f64().filter(|f| f.abs() < MAX_EXACT && f.fract() == 0.0).map(|f| format!("{f:.0}"))
}

/// RFC 3339 (`2020-03-04T19:00:08Z`).
pub(super) fn rfc3339(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    // The table keeps microseconds; what a file holds and what is in memory must not differ.
    Timestamp::from_microsecond(time.as_microsecond()).ok()
}
