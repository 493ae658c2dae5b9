//! What the tests of the formats share: objects in, records out.

use serde_json::Value;

use super::{Format, Found, Notes, Record, detect, parse};

/// Reads an object, which must be taken for one of this format.
pub fn read(format: &dyn Format, value: &Value) -> (Vec<Record>, Notes) {
    let (mut notes, mut records) = (Notes::default(), Vec::new());
    let text = value.to_string();
    let is_known = parse(text.as_bytes()).is_ok_and(|o| detect(&o).is_some_and(|f| f.name() == format.name()));
    assert!(is_known, "not recognised: {text}");
    super::read(format, text.as_bytes(), &mut notes, &mut records);
    (records, notes)
}

/// The only record of an object.
pub fn one(format: &dyn Format, value: &Value) -> Record {
    let (mut records, _) = read(format, value);
    assert_eq!(records.len(), 1);
    records.remove(0)
}

/// The only post of an object.
pub fn found(format: &dyn Format, value: &Value) -> Found {
    match one(format, value) {
        Record::Post(found) => *found,
        other => panic!("not a post: {other:?}"),
    }
}

/// An object with further fields, which replace those of the same name.
pub fn with(mut base: Value, more: &Value) -> Value {
    let fields = base.as_object_mut().zip(more.as_object());
    fields.map(|(into, more)| into.extend(more.clone())).unwrap_or_default();
    base
}
