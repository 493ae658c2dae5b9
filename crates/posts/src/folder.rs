//! What the inputs of an import hold: files of posts, and in a folder also images, parts and labels.
//!
//! A folder's files of posts are those whose content begins like JSON, is an archive with such a file, or a table with
//! the columns of posts (Parquet; CSV whose header fits the field map), in sorted order; sub-folders are read too,
//! except `images/` and hidden ones, and a sub-folder with a `splits.csv` or `labels*.csv` of its own is a source of
//! its own. `splits.csv` and `labels*.csv` name posts (`post_id`) or authors (`author_id`) in their first column.
//! A folder that `quintet export` made says in `export.json` what its posts do not: that they are synthetic, how the
//! parts were made.

use std::collections::HashMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::corpus::{Label, Part};
use super::dump::{self, Dump};
use super::export::target::{ABOUT, About};
use super::owner;
use super::post::Post;
use super::table::{FieldMap, is_parquet};
use crate::error::{AtPath, Error, Result};

/// One input: a file, standard input or a folder.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Name in the corpus and in reports: the folder's or file's, made unique.
    pub name: String,
    /// Folder that image paths are relative to.
    pub root: PathBuf,
    /// Files of posts; `-` is standard input.
    pub files: Vec<PathBuf>,
    /// The input was a folder, so files that turn out to hold no posts are passed over.
    pub folder: bool,
    /// The input, if it is a ZIP file: images are looked for in it.
    pub archive: Option<PathBuf>,
    /// Table of parts.
    pub splits: Option<PathBuf>,
    /// Tables of labels.
    pub labels: Vec<PathBuf>,
    /// Files that were passed over.
    pub unread: Vec<PathBuf>,
    /// The folder is an export of a corpus.
    pub export: Option<About>,
    /// It is imported alone, so its images keep their places.
    pub alone: bool,
}

/// The sources that `inputs` name, in their order.
///
/// # Errors
/// If an input does not exist, a folder holds no posts or the folder is a corpus already.
pub fn sources(inputs: &[PathBuf], map: &Arc<FieldMap>) -> Result<Vec<Source>> {
    let mut all = Vec::new();
    for input in inputs {
        if input == Path::new("-") {
            let files = vec![input.clone()];
            all.push(Source { name: "stdin".into(), root: PathBuf::from("."), files, ..Source::default() });
        } else if input.is_dir() {
            let before = all.len();
            read_folder(input, map, &mut all)?;
            if all[before..].iter().all(|s| s.files.is_empty()) {
                let what = "the folder holds no file of posts";
                return Err(Error::input(what)
                    .at(input)
                    .help("files of posts hold JSON or tables with a column for id and text, plain or packed (gzip, bzip2, zstd, zip, tar)"));
            }
        } else {
            std::fs::metadata(input).at(input)?;
            let root = input.parent().unwrap_or(Path::new(".")).to_owned();
            let archive = owner::zip_at(input);
            all.push(Source { name: stem(input), root, archive, files: vec![input.clone()], ..Source::default() });
        }
    }
    all.retain(|s| !s.files.is_empty());
    make_names_unique(&mut all);
    if let [one] = &mut all[..] {
        one.alone = true;
    }
    Ok(all)
}

/// A file's name without the endings of formats and packings.
fn stem(path: &Path) -> String {
    let mut name = path.file_name().map_or_else(|| "posts".into(), |n| n.to_string_lossy().into_owned());
    for ending in [
        ".gz", ".tgz", ".bz2", ".zst", ".zip", ".tar", ".car", ".jsonl", ".ndjson", ".json", ".txt", ".csv", ".tsv",
        ".parquet",
    ] {
        if let Some(short) = name.strip_suffix(ending).filter(|s| !s.is_empty()) {
            name = short.to_owned();
        }
    }
    name
}

fn make_names_unique(sources: &mut [Source]) {
    let mut times: HashMap<String, usize> = HashMap::new();
    for source in sources {
        let n = times.entry(source.name.clone()).or_default();
        *n += 1;
        if *n > 1 {
            source.name = format!("{}-{n}", source.name);
        }
    }
}

fn is_table(name: &str, what: &str) -> bool {
    name.starts_with(what) && name.ends_with(".csv")
}

/// Adds the folder as a source, and those of its sub-folders that are sources of their own.
fn read_folder(folder: &Path, map: &Arc<FieldMap>, all: &mut Vec<Source>) -> Result<()> {
    if folder.join("corpus.json").is_file() {
        let what = "the folder is a corpus already, not a dump";
        return Err(Error::input(what).at(folder).help("pass it to the next command as it is"));
    }
    let whole = std::fs::canonicalize(folder).at(folder)?;
    let name = whole.file_name().map_or_else(|| "posts".into(), |n| n.to_string_lossy().into_owned());
    let mut source = Source { name, root: folder.to_owned(), folder: true, ..Source::default() };
    let mut own = Vec::new();
    read_files(folder, map, &mut source, &mut own)?;
    all.push(source);
    own.iter().try_for_each(|sub| read_folder(sub, map, all))
}

fn read_files(folder: &Path, map: &Arc<FieldMap>, source: &mut Source, own: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .at(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .at(folder)?;
    entries.sort();
    for path in entries {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if name == "images" {
                continue;
            }
            if leads_back(&path, folder)? {
                source.unread.push(path);
                continue;
            }
            if has_tables(&path)? { own.push(path) } else { read_files(&path, map, source, own)? }
        } else if name == "splits.csv" {
            source.splits = Some(path);
        } else if is_table(&name, "labels") {
            source.labels.push(path);
        } else if name == ABOUT && source.export.is_none() {
            match About::read(&path)? {
                Some(about) => source.export = Some(about),
                None => source.files.push(path),
            }
        } else if holds_posts(&path, map) {
            source.files.push(path);
        } else {
            source.unread.push(path);
        }
    }
    Ok(())
}

/// Whether a folder is a link to one that it lies in: it would be read again and again.
fn leads_back(path: &Path, folder: &Path) -> Result<bool> {
    if !path.is_symlink() {
        return Ok(false);
    }
    let target = std::fs::canonicalize(path).at(path)?;
    Ok(std::fs::canonicalize(folder).at(folder)?.starts_with(target))
}

fn has_tables(folder: &Path) -> Result<bool> {
    let mut names =
        std::fs::read_dir(folder).at(folder)?.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    Ok(names.any(|n| is_table(&n, "splits") || is_table(&n, "labels")))
}

/// Whether the unpacked content begins as posts do, or is an archive with a member that does.
fn holds_posts(path: &Path, map: &Arc<FieldMap>) -> bool {
    if is_parquet(path) {
        return true;
    }
    let Ok(mut dump) = Dump::open(path, map, Arc::default()) else { return false };
    let Ok(Some((name, mut content))) = dump.next_member() else { return false };
    if !name.is_empty() {
        return true;
    }
    for _ in 0..16 {
        let Ok(bytes) = content.fill_buf() else { return false };
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(_) => return dump::may_hold_posts(bytes, map),
            None if bytes.is_empty() => return false,
            None => {}
        }
        let length = bytes.len();
        content.consume(length);
    }
    false
}

/// What the first column of a table names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// `post_id`
    Post,
    /// `author_id`
    Author,
}

impl Keyed {
    /// The kind of a [`Label`].
    pub fn kind(self) -> &'static str {
        match self {
            Keyed::Post => "post",
            Keyed::Author => "author",
        }
    }
}

/// A table with its header: what the first column names, the names of the others.
struct Table {
    path: PathBuf,
    keyed: Keyed,
    names: Vec<String>,
    reader: csv::Reader<std::fs::File>,
}

impl Table {
    fn open(path: &Path) -> Result<Table> {
        let mut reader = csv::Reader::from_path(path).map_err(|e| not_csv(path, &e))?;
        let header = reader.headers().map_err(|e| not_csv(path, &e))?.clone();
        let keyed = match header.get(0).map(|h| h.trim_start_matches('\u{feff}')) {
            Some("post_id") => Keyed::Post,
            Some("author_id") => Keyed::Author,
            first => {
                let what = format!("the first column is `{}`", first.unwrap_or(""));
                return Err(Error::input(what).at_line(path, 1).help("it must be `post_id` or `author_id`"));
            }
        };
        let names: Vec<String> = header.iter().skip(1).map(str::to_owned).collect();
        if names.is_empty() {
            return Err(Error::input("the table has one column").at_line(path, 1).help("add a column with the values"));
        }
        Ok(Table { path: path.to_owned(), keyed, names, reader })
    }

    fn rows(&mut self) -> impl Iterator<Item = Result<(u64, csv::StringRecord)>> {
        let path = &self.path;
        self.reader.records().map(|r| {
            let row = r.map_err(|e| not_csv(path, &e))?;
            Ok((row.position().map_or(0, csv::Position::line), row))
        })
    }
}

fn not_csv(path: &Path, error: &csv::Error) -> Error {
    Error::input(format!("not a CSV table: {error}")).at(path)
}

/// Which part each post or author is in.
#[derive(Clone, Debug)]
pub struct Splits {
    /// What the ids name.
    pub keyed: Keyed,
    /// Part by id.
    pub parts: HashMap<String, Part>,
}

impl Splits {
    /// Reads a table whose second column is the part.
    ///
    /// # Errors
    /// If it is no such table or names an unknown part.
    pub fn read(path: &Path) -> Result<Splits> {
        let mut table = Table::open(path)?;
        let keyed = table.keyed;
        let mut parts = HashMap::new();
        for row in table.rows() {
            let (line, row) = row?;
            let part = row[1].trim().parse().map_err(|e: Error| e.at_line(path, line))?;
            parts.insert(row[0].to_owned(), part);
        }
        Ok(Splits { keyed, parts })
    }

    /// The part of a post.
    pub fn part_of(&self, post: &Post) -> Option<Part> {
        let id = match self.keyed {
            Keyed::Post => &post.id,
            Keyed::Author => &post.author.as_ref()?.id,
        };
        self.parts.get(id).copied()
    }
}

/// What a table of labels names and the names of its labels.
///
/// # Errors
/// If it is no such table.
pub fn label_names(path: &Path) -> Result<(Keyed, Vec<String>)> {
    Table::open(path).map(|t| (t.keyed, t.names))
}

/// Labels of a table; empty cells are no labels.
///
/// # Errors
/// If it is no such table.
pub fn read_labels(path: &Path) -> Result<Vec<Label>> {
    let mut table = Table::open(path)?;
    let (kind, names) = (table.keyed.kind(), table.names.clone());
    let mut labels = Vec::new();
    for row in table.rows() {
        let (_, row) = row?;
        for (name, value) in names.iter().zip(row.iter().skip(1)).filter(|(_, v)| !v.is_empty()) {
            labels.push(Label { kind: kind.into(), id: row[0].into(), name: name.clone(), value: value.into() });
        }
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_sorted_into_posts_tables_and_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("b.any", " {\"id\":\"1\"}");
        write("a.json", "[]");
        write("README.md", "# x");
        write("splits.csv", "post_id,split\n1,train\n");
        write("labels_x.csv", "author_id,a,b\nu,1,\n");
        write("2020/01/c.json", "{}");
        write("images/d.json", "{}");
        write("other/e.json", "{}");
        write("other/labels.csv", "post_id,l\n");
        let found = sources(&[folder.path().to_owned()], &Arc::default()).unwrap();
        let names = |s: &Source| {
            s.files.iter().map(|f| f.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found.len(), 2);
        assert_eq!(names(&found[0]), ["c.json", "a.json", "b.any"]);
        assert_eq!((found[0].unread.len(), found[1].name.as_str()), (1, "other"));
        let labels = read_labels(&found[0].labels[0]).unwrap();
        assert_eq!(labels, [Label { kind: "author".into(), id: "u".into(), name: "a".into(), value: "1".into() }]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_back_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (top, sub) = (folder.path().join("top"), folder.path().join("top/sub"));
        std::fs::create_dir_all(&sub).unwrap();
        std::fs::create_dir(folder.path().join("beside")).unwrap();
        std::fs::write(sub.join("a.json"), "{}").unwrap();
        std::fs::write(folder.path().join("beside/b.json"), "{}").unwrap();
        for (target, link) in [(".", "sub/loop"), ("..", "sub/up"), ("../beside", "beside")] {
            std::os::unix::fs::symlink(target, top.join(link)).unwrap();
        }
        let found = sources(&[top], &Arc::default()).unwrap();
        let names: Vec<_> = found[0].files.iter().map(|f| f.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!((names, found[0].unread.len()), (vec!["b.json".into(), "a.json".into()], 2));
    }

    #[test]
    fn a_bad_table_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("splits.csv");
        std::fs::write(&path, "post_id,split\n1,train\n2,holdout\n").unwrap();
        let error = Splits::read(&path).unwrap_err();
        assert!(error.place().is_some_and(|p| p.ends_with("splits.csv:3")), "{error}");
        std::fs::write(&path, "id,split\n").unwrap();
        assert!(Splits::read(&path).unwrap_err().to_string().contains("post_id"));
    }

    #[test]
    fn names_lose_their_endings_and_are_unique() {
        assert_eq!(stem(Path::new("x/a.jsonl.gz")), "a");
        let mut two = vec![Source { name: "a".into(), ..Source::default() }; 2];
        make_names_unique(&mut two);
        assert_eq!(two[1].name, "a-2");
    }
}
