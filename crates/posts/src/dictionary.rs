//! The data dictionary: every field of a post with its type, its column and its meaning, taken from the type [`Post`].

use std::fmt::Write;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::parquet::schema;
use super::post::Post;

/// A field of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldOfPost {
    /// Its name in JSON Lines: `author.handle`; `[]` stands behind a list.
    pub json: String,
    /// Its type in words.
    pub kind: String,
    /// Its columns in `posts.parquet`; none for an object that is spread over the columns of its fields.
    pub columns: Vec<String>,
    /// Whether a post must have it.
    pub required: bool,
    /// What it means.
    pub meaning: String,
}

/// Every field, in the order of the columns.
pub fn fields() -> Vec<FieldOfPost> {
    // Types inside are written out where they are used, not referred to.
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let post = settings.into_generator().into_root_schema_for::<Post>();
    let mut all = Vec::new();
    if let Some(object) = post.as_object() {
        object_fields("", object, true, &mut all);
    }
    let columns = schema();
    let position = |f: &FieldOfPost| f.columns.first().and_then(|c| columns.index_of(c).ok());
    // An object stands before its fields.
    let place = |f: &FieldOfPost| {
        let inside = |g: &&FieldOfPost| g.json.starts_with(&format!("{}.", f.json));
        position(f).or_else(|| all.iter().filter(inside).filter_map(position).min())
    };
    let mut keyed: Vec<(Option<usize>, usize)> = all.iter().map(|f| (place(f), f.json.len())).collect();
    keyed.iter_mut().zip(&all).for_each(|(key, f)| key.1 = usize::from(f.json.contains(['.', '['])));
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&i| keyed[i]);
    order.into_iter().map(|i| all[i].clone()).collect()
}

/// What a column of `posts.parquet` means.
pub fn of_column(name: &str) -> Option<String> {
    fields().into_iter().find(|f| f.columns.iter().any(|c| c == name)).map(|f| f.meaning)
}

/// The dictionary as a Markdown table.
pub fn markdown() -> String {
    let mut out = "| JSON Lines | type | `posts.parquet` | meaning |\n|---|---|---|---|\n".to_owned();
    for field in fields() {
        let columns: Vec<String> = field.columns.iter().map(|c| format!("`{c}`")).collect();
        let required = if field.required { ", required" } else { "" };
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "| `{}` | {}{required} | {} | {} |",
            field.json,
            field.kind,
            columns.join(", "),
            field.meaning.replace('|', "\\|").replace('\n', " ")
        );
    }
    out
}

fn object_fields(prefix: &str, object: &Map<String, Value>, top: bool, all: &mut Vec<FieldOfPost>) {
    let required: Vec<&str> =
        object.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = object.get("properties").and_then(Value::as_object);
    for (name, value) in properties.into_iter().flatten() {
        let json = format!("{prefix}{name}");
        let meaning = value.get("description").and_then(Value::as_str).unwrap_or("").to_owned();
        let inner = inside(value);
        let columns = columns_of(&json, inner.is_some());
        let required = required.contains(&name.as_str()) && (top || prefix.ends_with('.'));
        all.push(FieldOfPost { json: json.clone(), kind: kind(value), columns, required, meaning });
        if let Some((inner, list)) = inner {
            object_fields(&format!("{json}{}", if list { "[]." } else { "." }), inner, false, all);
        }
    }
}

/// The object that a field holds, and whether it holds a list of them.
fn inside(value: &Value) -> Option<(&Map<String, Value>, bool)> {
    if let Some(item) = value.get("items").filter(|i| i.get("properties").is_some()) {
        return item.as_object().map(|o| (o, true));
    }
    // An optional object is either that or null.
    let choices = value.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let object = std::iter::once(value).chain(choices).find(|v| v.get("properties").is_some())?;
    object.as_object().map(|o| (o, false))
}

/// The columns of a field, by the names of the table of posts.
fn columns_of(json: &str, has_fields: bool) -> Vec<String> {
    if let Some((list, _)) = json.split_once("[].") {
        return vec![list.to_owned()];
    }
    let names: Vec<String> = match json {
        "place.type" => vec!["place_kind".into()],
        "place.bounds" => ["west", "south", "east", "north"].map(|side| format!("place_{side}")).to_vec(),
        _ => vec![json.strip_prefix("geo.").unwrap_or(json).replace('.', "_")],
    };
    // Of an object the fields have columns; a list of objects is one column.
    let spread = has_fields && schema().index_of(&names[0]).is_err();
    if spread { Vec::new() } else { names }
}

/// The type of a field in words.
fn kind(value: &Value) -> String {
    let types: Vec<&str> = match value.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    };
    let format = value.get("format").and_then(Value::as_str);
    match (types.first().copied(), format) {
        (Some("string"), Some("date-time")) => "time (RFC 3339)".to_owned(),
        (Some("string"), _) => "string".to_owned(),
        (Some("integer"), _) => "whole number".to_owned(),
        (Some("number"), _) => "number".to_owned(),
        (Some("boolean"), _) => "true or false".to_owned(),
        (Some("array"), _) => {
            let item = value.get("items").map_or_else(|| "value".to_owned(), kind);
            match value.get("maxItems").and_then(Value::as_u64) {
                Some(n) => format!("list of {n} {item}s"),
                None => format!("list of {item}s"),
            }
        }
        _ => "object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_explained_once_and_every_field_has_its_columns() {
        let all = fields();
        for column in schema().fields() {
            let by: Vec<&FieldOfPost> =
                all.iter().filter(|f| f.columns.contains(column.name()) && !f.json.contains('[')).collect();
            assert_eq!(by.len(), 1, "{}: {by:?}", column.name());
        }
        for field in &all {
            assert!(!field.meaning.is_empty(), "{field:?}");
            assert!(field.columns.iter().all(|c| schema().index_of(c).is_ok()), "{field:?}");
        }
        let required: Vec<&str> = all.iter().filter(|f| f.required).map(|f| f.json.as_str()).collect();
        assert_eq!(required, ["id", "text", "author.id", "place.id", "geo.lat", "geo.lon"]);
        let named = |json: &str| all.iter().find(|f| f.json == json).map(|f| (f.kind.as_str(), f.columns.len()));
        assert_eq!(named("place.bounds"), Some(("list of 4 numbers", 4)));
        assert_eq!(named("created_at"), Some(("time (RFC 3339)", 1)));
        assert_eq!((named("author"), named("author.followers")), (Some(("object", 0)), Some(("whole number", 1))));
    }
}
