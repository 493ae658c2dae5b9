//! The field map: which column of a table is which field of a post.

use std::path::Path;

use toml::{Table, Value};

use crate::error::{AtPath, Error, Result};

/// How the cells of a field are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An id: text that never was a float.
    Id,
    /// Text as it stands.
    Text,
    /// A time.
    Time,
    /// A list of words.
    Words,
    /// A list of paths or addresses, which may hold spaces.
    Paths,
    /// A whole number.
    Count,
    /// A number.
    Number,
    /// True or false.
    Flag,
}

/// Every field that a column can be, by its dotted name in our own format.
pub(super) const TARGETS: [(&str, Kind); 26] = [
    ("id", Kind::Id),
    ("text", Kind::Text),
    ("created_at", Kind::Time),
    ("lang", Kind::Text),
    ("hashtags", Kind::Words),
    ("mentions", Kind::Words),
    ("images", Kind::Paths),
    ("reply_to", Kind::Id),
    ("quote_of", Kind::Id),
    ("author.id", Kind::Id),
    ("author.handle", Kind::Text),
    ("author.name", Kind::Text),
    ("author.description", Kind::Text),
    ("author.location", Kind::Text),
    ("author.created_at", Kind::Time),
    ("author.followers", Kind::Count),
    ("author.following", Kind::Count),
    ("author.posts", Kind::Count),
    ("author.listed", Kind::Count),
    ("author.verified", Kind::Flag),
    ("place.id", Kind::Id),
    ("place.name", Kind::Text),
    ("place.type", Kind::Text),
    ("place.country", Kind::Text),
    ("geo.lat", Kind::Number),
    ("geo.lon", Kind::Number),
];

/// The name that numbers the rows instead of naming a column.
const ROW: &str = "(row)";

/// Which column is which field. The default takes every field from the column of its name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// Column by field.
    columns: Vec<(&'static str, String)>,
    /// How times are written, in the manner of `strptime`.
    pub(super) time_format: Option<String>,
    delimiter: Option<u8>,
    /// The file it was read from, for errors.
    file: Option<String>,
}

/// The fields of a table that are used.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Field, how it is read, number of its column.
    pub fields: Vec<(&'static str, Kind, usize)>,
    /// Ids are the numbers of the rows.
    pub numbered: bool,
}

impl FieldMap {
    /// Reads a field map.
    ///
    /// # Errors
    /// If the file cannot be read or names a field that there is not; the message names the nearest.
    pub fn read(path: &Path) -> Result<FieldMap> {
        let text = std::fs::read_to_string(path).at(path)?;
        let mut map = FieldMap::parse(&text).map_err(|e| e.at(path))?;
        map.file = Some(path.display().to_string());
        Ok(map)
    }

    /// [`FieldMap::read`] of a text.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<FieldMap> {
        let table: Table = text.parse().map_err(|e| Error::config(format!("not TOML: {e}")))?;
        let mut map = FieldMap::default();
        map.take("", &table)?;
        Ok(map)
    }

    fn take(&mut self, section: &str, table: &Table) -> Result<()> {
        for (name, value) in table {
            let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
            let text = match value {
                Value::Table(inner) => {
                    self.take(&key, inner)?;
                    continue;
                }
                Value::String(text) => text,
                other => {
                    let what = format!("`{key}` is {}, not the name of a column in quotes", other.type_str());
                    return Err(Error::config(what));
                }
            };
            match (key.as_str(), text.as_bytes()) {
                ("time_format", _) => self.time_format = Some(text.clone()),
                ("csv.delimiter", [one]) => self.delimiter = Some(*one),
                ("csv.delimiter", _) => return Err(Error::config("`csv.delimiter` must be one character of ASCII")),
                _ => match TARGETS.iter().find(|(target, _)| *target == key) {
                    Some((target, _)) => self.columns.push((target, text.clone())),
                    None => return Err(unknown(&key)),
                },
            }
        }
        Ok(())
    }

    /// Whether a first line is the header of a table with the columns that no table can do without.
    pub fn fits(&self, line: &[u8]) -> bool {
        let Ok(line) = std::str::from_utf8(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)) else { return false };
        let delimiter = char::from(self.delimiter_of(line));
        let cells: Vec<&str> = line.split(delimiter).map(|c| c.trim().trim_matches('"')).collect();
        let has = |field: &str| {
            let column = self.column_of(field).unwrap_or(field);
            column == ROW || cells.contains(&column)
        };
        cells.len() > 1 && has("id") && has("text")
            || self.numbered() && cells == [self.column_of("text").unwrap_or("text")]
    }

    /// The delimiter: as said, or the candidate that a header has most often.
    pub(super) fn delimiter_of(&self, header: &str) -> u8 {
        let times = |c: u8| header.bytes().filter(|b| *b == c).count();
        let best = b",;\t|".iter().copied().rev().max_by_key(|c| times(*c)).unwrap_or(b',');
        self.delimiter.unwrap_or(best)
    }

    fn column_of(&self, field: &str) -> Option<&str> {
        self.columns.iter().find(|(target, _)| *target == field).map(|(_, column)| column.as_str())
    }

    fn numbered(&self) -> bool {
        self.column_of("id") == Some(ROW)
    }

    /// Finds the columns of the fields among those that a table has.
    ///
    /// # Errors
    /// If the table lacks a column that the map names, or has none for the id or the text.
    pub(super) fn resolve(&self, names: &[String]) -> Result<Columns> {
        let at = |name: &str| names.iter().position(|n| n == name);
        let listing = format!("columns are {}", names.join(", "));
        let mut fields = Vec::new();
        for (target, kind) in TARGETS {
            match self.column_of(target) {
                Some(ROW) if target == "id" => {}
                Some(column) => match at(column) {
                    Some(number) => fields.push((target, kind, number)),
                    None => {
                        let near = nearest(column, names.iter().map(String::as_str));
                        let near = near.map_or(String::new(), |n| format!("; did you mean `{n}`?"));
                        let map = self.file.as_ref().map_or(String::new(), |f| format!(" in {f}"));
                        let what = format!("there is no column `{column}`, which `{target}`{map} names{near}");
                        return Err(Error::input(what).help(listing));
                    }
                },
                None => {
                    let found = at(target).or_else(|| at(&target.replace('.', "_")));
                    fields.extend(found.map(|number| (target, kind, number)));
                }
            }
        }
        for needed in ["id", "text"] {
            let found = fields.iter().any(|(target, ..)| *target == needed);
            if !(found || needed == "id" && self.numbered()) {
                let rows = if needed == "id" { ", or `id = \"(row)\"` to number the rows" } else { "" };
                let help = format!(
                    "name one in a TOML file, `{needed} = \"COLUMN\"`{rows}, and pass it with --fields; {listing}"
                );
                return Err(Error::input(format!("no column for the field `{needed}`")).help(help));
            }
        }
        Ok(Columns { fields, numbered: self.numbered() })
    }
}

fn unknown(key: &str) -> Error {
    let names = TARGETS.iter().map(|(name, _)| *name).chain(["time_format", "csv.delimiter"]);
    let near = nearest(key, names.clone()).map_or(String::new(), |n| format!("did you mean `{n}`? "));
    let all: Vec<&str> = names.collect();
    Error::config(format!("`{key}` is not a field")).help(format!("{near}fields are {}", all.join(", ")))
}

/// The name nearest to one that is not there, if it is near enough to be a slip.
fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() / 3).max(2);
    let distance = |n: &str| strsim::damerau_levenshtein(&lower, &n.to_lowercase());
    names.map(|n| (distance(n), n)).filter(|(d, _)| *d <= limit).min().map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn fields_are_found_by_map_and_by_name() {
        let map =
            FieldMap::parse("id = \"(row)\"\ntext = \"body\"\nauthor.id = \"user\"\n[geo]\nlat = \"y\"\nlon = \"x\"\n")
                .unwrap();
        let columns = map.resolve(&names(&["x", "y", "user", "body", "author_name", "lang"])).unwrap();
        let found: Vec<(&str, usize)> = columns.fields.iter().map(|(t, _, n)| (*t, *n)).collect();
        assert_eq!(
            found,
            [("text", 3), ("lang", 5), ("author.id", 2), ("author.name", 4), ("geo.lat", 1), ("geo.lon", 0)]
        );
        assert!(columns.numbered);
    }

    #[test]
    fn a_slip_is_named_with_the_nearest() {
        let error = FieldMap::parse("txet = \"body\"").unwrap_err();
        assert!(error.way_out().is_some_and(|h| h.starts_with("did you mean `text`?")), "{error}");
        let error = FieldMap::parse("author.handel = \"x\"").unwrap_err();
        assert!(error.way_out().is_some_and(|h| h.contains("`author.handle`")), "{error}");
        assert!(FieldMap::parse("text = 3").unwrap_err().what().contains("integer"));
        assert!(FieldMap::parse("text = ").unwrap_err().what().contains("not TOML"));
        let map = FieldMap::parse("text = \"boddy\"").unwrap();
        let error = map.resolve(&names(&["id", "Body", "date"])).unwrap_err();
        assert!(error.what().contains("`boddy`") && error.what().contains("did you mean `Body`"), "{error}");
        let error = FieldMap::default().resolve(&names(&["text"])).unwrap_err();
        assert!(error.way_out().is_some_and(|h| h.contains("(row)") && h.contains("--fields")), "{error}");
    }

    #[test]
    fn a_header_is_told_from_other_text() {
        let plain = FieldMap::default();
        assert!(plain.fits(b"id,lang,text") && plain.fits(b"\xef\xbb\xbf\"id\";\"text\"") && plain.fits(b"text\tid"));
        assert!(!plain.fits(b"post_id,part") && !plain.fits(b"# A text of words") && !plain.fits(b"\xff\xfe"));
        let map = FieldMap::parse("id = \"n\"\ntext = \"body\"").unwrap();
        assert!(map.fits(b"n|x|body") && !map.fits(b"id,text"));
        assert!(FieldMap::parse("id = \"(row)\"").unwrap().fits(b"text"));
    }
}
