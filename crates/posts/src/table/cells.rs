//! Makes objects of our own format of the cells of a row.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::map::{Columns, FieldMap, Kind};

/// A cell.
pub(super) enum Cell {
    /// Text, also where a number or a time is written as text.
    Text(String),
    /// A list that the table holds as such.
    List(Vec<String>),
    /// A floating-point number, which is no good for an id.
    Float(f64),
}

/// Ways to write "nothing" in a cell that is no text of a person.
const NOTHING: [&str; 8] = ["", "null", "NULL", "None", "nan", "NaN", "NA", "N/A"];

/// The JSON text of a row's object, or why it cannot be used.
pub(super) fn object(
    columns: &Columns,
    map: &FieldMap,
    row: u64,
    mut cell: impl FnMut(usize) -> Option<Cell>,
) -> Result<Vec<u8>, String> {
    let mut object = Map::new();
    if columns.numbered {
        object.insert("id".to_owned(), Value::String(row.to_string()));
    }
    for (field, kind, number) in &columns.fields {
        let Some(cell) = cell(*number) else { continue };
        let Some(value) = value(field, *kind, cell, map)? else { continue };
        match field.split_once('.') {
            Some((outer, inner)) => {
                let outer = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(outer) = outer {
                    outer.insert(inner.to_owned(), value);
                }
            }
            None => drop(object.insert((*field).to_owned(), value)),
        }
    }
    // An author without an id may have a handle, which identifies as well.
    if let Some(Value::Object(author)) = object.get_mut("author")
        && !author.contains_key("id")
        && let Some(handle) = author.get("handle").cloned()
    {
        author.insert("id".to_owned(), handle);
    }
    serde_json::to_vec(&object).map_err(|e| e.to_string())
}

fn value(field: &str, kind: Kind, cell: Cell, map: &FieldMap) -> Result<Option<Value>, String> {
    let text = match cell {
        Cell::List(items) => return Ok(Some(json!(items))),
        Cell::Float(number) if kind == Kind::Id => return id_of_float(field, number).map(|id| Some(Value::String(id))),
        Cell::Float(number) => number.to_string(),
        Cell::Text(text) => text,
    };
    let bare = text.trim();
    if kind == Kind::Text && field == "text" {
        return Ok(Some(Value::String(text)));
    }
    if NOTHING.contains(&bare) {
        return Ok(None);
    }
    Ok(Some(match kind {
        Kind::Id => match bare.parse::<f64>() {
            Ok(number)
                if bare.contains(['.', 'e', 'E'])
                    && number.is_finite()
                    && bare.starts_with(|c: char| c.is_ascii_digit()) =>
            {
                Value::String(id_of_float(field, number)?)
            }
            _ => Value::String(bare.to_owned()),
        },
        Kind::Text => Value::String(text),
        Kind::Time => Value::String(time(bare, map.time_format.as_deref()).unwrap_or_else(|| bare.to_owned())),
        Kind::Words => list(bare, [' ', ',', ';', '|', '\t', '\n']),
        Kind::Paths => list(bare, [',', ';', '|', '\t', '\n', '\n']),
        // What is no number stays text, so that the reader counts it as unusable.
        Kind::Count => bare.parse::<f64>().map_or(Value::String(text.clone()), |n| json!(n)),
        Kind::Number => bare.parse::<f64>().map_or(Value::String(text.clone()), |n| json!(n)),
        Kind::Flag => match bare.to_lowercase().as_str() {
            "true" | "1" | "yes" | "t" => Value::Bool(true),
            "false" | "0" | "no" | "f" => Value::Bool(false),
            _ => Value::String(text),
        },
    }))
}

/// The digits of an id that was a float, if it is small enough not to be rounded.
fn id_of_float(field: &str, number: f64) -> Result<String, String> {
    if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
        return Ok(format!("{number:.0}"));
    }
    Err(format!("`{field}` is the float {number}: a 64-bit id loses its last digits in a float; keep it as text"))
}

/// A time in RFC 3339, from the ways that tools write times in tables: RFC 3339 with `T` or a space, with or without an
/// offset (then it is UTC), a date, seconds or milliseconds since 1970, X's own way.
fn time(text: &str, format: Option<&str>) -> Option<String> {
    let utc = |civil: jiff::civil::DateTime| civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|z| z.timestamp());
    if let Some(format) = format {
        let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
        let date_only = || parsed.to_date().ok().map(|d| d.at(0, 0, 0, 0));
        let time = parsed.to_timestamp().ok().or_else(|| utc(parsed.to_datetime().ok().or_else(date_only)?))?;
        return Some(time.to_string());
    }
    let since_1970 = || {
        let number = text.parse::<f64>().ok().filter(|n| n.is_finite())?;
        // 1e11 seconds lie in the year 5138, 1e11 milliseconds in 1973.
        let seconds = if number.abs() < 1e11 { number } else { number / 1000.0 };
        Timestamp::from_microsecond((seconds * 1e6) as i64).ok()
    };
    let of_x = || jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).and_then(|t| t.to_timestamp()).ok();
    let time = text.parse::<Timestamp>().ok();
    let time = time.or_else(|| text.parse::<jiff::civil::DateTime>().ok().and_then(utc));
    time.or_else(of_x).or_else(since_1970).map(|t| t.to_string())
}

/// A list from text: JSON, the way Python prints lists, or separated words.
fn list(text: &str, separators: [char; 6]) -> Value {
    if let Ok(Value::Array(items)) = serde_json::from_str(text) {
        return Value::Array(items);
    }
    let (inner, separators) = match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
        Some(inner) => (inner, [','; 6]),
        None => (text, separators),
    };
    let quotes = |c: char| c == '\'' || c == '"' || c.is_whitespace();
    inner.split(separators).map(|word| word.trim_matches(quotes)).filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_tools_write_them() {
        let expected = Some("2020-03-04T19:00:08Z".to_owned());
        for text in [
            "2020-03-04T19:00:08Z",
            "2020-03-04 19:00:08",
            "2020-03-04 20:00:08+01:00",
            "Wed Mar 04 19:00:08 +0000 2020",
            "1583348408",
            "1583348408000",
        ] {
            assert_eq!(time(text, None), expected, "{text}");
        }
        assert_eq!(time("4.3.2020 19:00:08", Some("%d.%m.%Y %H:%M:%S")), expected);
        assert_eq!(time("2020-03-04", None).as_deref(), Some("2020-03-04T00:00:00Z"));
        assert_eq!(time("04/03/2020", Some("%d/%m/%Y")).as_deref(), Some("2020-03-04T00:00:00Z"));
        assert_eq!((time("noon", None), time("noon", Some("%Y"))), (None, None));
    }

    #[test]
    fn lists_are_read_as_tools_write_them() {
        let words = |text: &str| list(text, [' ', ',', ';', '|', '\t', '\n']);
        for text in ["a b", "a,b", "['a', 'b']", "[\"a\",\"b\"]", "a; b", "a|b"] {
            assert_eq!(words(text), json!(["a", "b"]), "{text}");
        }
        assert_eq!(words("[]"), json!([]));
    }

    #[test]
    fn ids_that_went_through_a_float_are_refused() {
        let id = |cell| value("id", Kind::Id, cell, &FieldMap::default());
        assert!(id(Cell::Text("1.1E+18".into())).unwrap_err().contains("loses its last digits"));
        assert!(id(Cell::Float(1.1e18)).is_err());
        assert_eq!(id(Cell::Float(5.0)).unwrap(), Some(json!("5")));
        assert_eq!(id(Cell::Text("5.0".into())).unwrap(), Some(json!("5")));
        assert_eq!(id(Cell::Text("1100000000000000001".into())).unwrap(), Some(json!("1100000000000000001")));
        assert_eq!(id(Cell::Text("a1.5e".into())).unwrap(), Some(json!("a1.5e")));
    }
}
