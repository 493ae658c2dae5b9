//! One pass over the posts and one over the image files: what the report is computed from, small enough to hold.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;
use std::path::PathBuf;

use rayon::prelude::*;

use super::contents::Contents;
use super::near::{Sketch, groups};
use super::words::{SHORTEST, hash, words};
use super::{Images, NearGroup, NearGroups, PartCounts};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::summary::components;
use crate::{Corpus, Part, Post};

/// What overlap and duplicates are about; 0 means that the post has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits {
    /// Hash of the id.
    pub post: u64,
    /// Hash of the author's id.
    pub author: u64,
    /// Hash of the first image's content.
    pub image: u64,
    /// Hash of the words, if they are enough to compare.
    pub text: u64,
    /// Group of near-duplicates, counted from 1.
    pub near: u64,
}

/// All posts, reduced.
pub struct Scan {
    /// Part and traits of each post, in file order.
    pub posts: Vec<(Option<Part>, Traits)>,
    /// Counts of train, dev, test and of posts in no part.
    pub counts: [PartCounts; 4],
    /// Hashtags and places.
    pub contents: Contents,
    /// Posts with words too few to compare.
    pub short_texts: usize,
    /// Health of the image files.
    pub images: Images,
}

/// Index of a part in `Scan::counts`.
pub fn slot(part: Option<Part>) -> usize {
    part.map_or(3, |p| p as usize)
}

/// Posts read at a time.
const CHUNK: usize = 4096;

/// Reads everything once.
pub fn scan(corpus: &Corpus, progress: &dyn Progress) -> Result<Scan> {
    let parts = corpus.parts()?;
    let mut posts = Vec::with_capacity(corpus.len());
    let mut counts: [PartCounts; 4] = Default::default();
    let mut texts = Texts::default();
    let mut files = Files::default();
    let mut contents = Contents::default();
    let mut short_texts = 0;
    let task = progress.task("posts", Some(corpus.len() as u64), "posts");
    for chunk in corpus.chunks(CHUNK)? {
        if progress.interrupted() {
            return Err(Error::interrupted("the check was stopped"));
        }
        let chunk = chunk?;
        let prepared: Vec<Vec<String>> = chunk.par_iter().map(|post| words(&post.text)).collect();
        for (post, words) in chunk.iter().zip(prepared) {
            let part = parts.get(&post.id).copied();
            let mut traits = Traits { post: hash(post.id.as_bytes()), ..Traits::default() };
            traits.author = post.author.as_ref().map_or(0, |a| hash(a.id.as_bytes()));
            let has_text = !words.is_empty();
            if words.len() >= SHORTEST {
                traits.text = hash(words.join(" ").as_bytes());
                texts.add(posts.len(), traits.text, words);
            } else {
                short_texts += usize::from(has_text);
            }
            files.add(corpus, post, posts.len());
            count(&mut counts[slot(part)], post);
            contents.add(&mut counts[slot(part)], post);
            posts.push((part, traits));
        }
        task.advance(chunk.len() as u64);
    }
    drop(task);
    texts.group(&mut posts);
    let images = files.read(&mut posts, progress)?;
    let mut authors: [Vec<u64>; 4] = Default::default();
    for (part, traits) in posts.iter().filter(|(_, t)| t.author != 0) {
        authors[slot(*part)].push(traits.author);
    }
    for (count, mut authors) in counts.iter_mut().zip(authors) {
        authors.sort_unstable();
        authors.dedup();
        count.authors = authors.len();
    }
    Ok(Scan { posts, counts, contents, short_texts, images })
}

fn count(counts: &mut PartCounts, post: &Post) {
    let has = components(post);
    counts.posts += 1;
    for (component, &yes) in has.iter() {
        counts.components[component] += usize::from(yes);
    }
    let names: Vec<&str> = has.iter().filter(|(_, yes)| **yes).map(|(c, _)| c.name()).collect();
    let combination = if names.is_empty() { "nothing".to_owned() } else { names.join("+") };
    *counts.combinations.entry(combination).or_default() += 1;
    *counts.languages.entry(post.lang.clone().unwrap_or_else(|| "unknown".into())).or_default() += 1;
    if let Some(at) = post.created_at {
        counts.first = Some(counts.first.map_or(at, |first| first.min(at)));
        counts.last = Some(counts.last.map_or(at, |last| last.max(at)));
    }
}

/// Groups of near-duplicates shown.
const GROUPS: usize = 10;
/// Characters of a text shown.
const EXCERPT: usize = 90;

/// Groups of near-duplicates, the largest with an example each.
pub fn near_groups(corpus: &Corpus, posts: &[(Option<Part>, Traits)]) -> Result<NearGroups> {
    let mut of: HashMap<u64, Vec<usize>> = HashMap::new();
    for (row, (_, traits)) in posts.iter().enumerate().filter(|(_, (_, t))| t.near != 0) {
        of.entry(traits.near).or_default().push(row);
    }
    of.retain(|_, rows| rows.len() > 1);
    let (groups, in_groups) = (of.len(), of.values().map(Vec::len).sum());
    let mut largest: Vec<Vec<usize>> = of.into_values().collect();
    largest.sort_by_key(|rows| (std::cmp::Reverse(rows.len()), rows[0]));
    largest.truncate(GROUPS);
    let examples = excerpts(corpus, &largest.iter().map(|rows| rows[0]).collect::<Vec<_>>())?;
    let group = |rows: Vec<usize>| {
        let mut authors: Vec<u64> = rows.iter().map(|&row| posts[row].1.author).filter(|&a| a != 0).collect();
        authors.sort_unstable();
        authors.dedup();
        let (example, text) = examples.get(&rows[0]).cloned().unwrap_or_default();
        NearGroup { posts: rows.len(), authors: authors.len(), example, text }
    };
    Ok(NearGroups { groups, posts: in_groups, largest: largest.into_iter().map(group).collect() })
}

/// Ids and beginnings of the texts of some rows.
fn excerpts(corpus: &Corpus, rows: &[usize]) -> Result<HashMap<usize, (String, String)>> {
    let mut found = HashMap::new();
    let Some(last) = rows.iter().max() else { return Ok(found) };
    let mut first = 0;
    for chunk in corpus.chunks(CHUNK)? {
        let chunk = chunk?;
        for &row in rows.iter().filter(|r| (first..first + chunk.len()).contains(*r)) {
            let post = &chunk[row - first];
            let text = post.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let long = text.chars().count() > EXCERPT;
            let text = if long { text.chars().take(EXCERPT).chain(['\u{2026}']).collect() } else { text };
            found.insert(row, (post.id.clone(), text));
        }
        first += chunk.len();
        if first > *last {
            break;
        }
    }
    Ok(found)
}

/// Distinct texts with their sketches.
#[derive(Default)]
struct Texts {
    number: HashMap<u64, usize>,
    sketches: Vec<Sketch>,
    /// Post and number of its text.
    of_post: Vec<(usize, usize)>,
}

impl Texts {
    fn add(&mut self, post: usize, key: u64, words: Vec<String>) {
        let number = *self.number.entry(key).or_insert(self.sketches.len());
        if number == self.sketches.len() {
            self.sketches.push(Sketch::new(&words));
        }
        self.of_post.push((post, number));
    }

    fn group(self, posts: &mut [(Option<Part>, Traits)]) {
        let groups = groups(&self.sketches);
        for (post, number) in self.of_post {
            posts[post].1.near = groups[number] as u64 + 1;
        }
    }
}

/// First images of posts, each file once.
#[derive(Default)]
struct Files {
    /// Posts of each file.
    posts: BTreeMap<PathBuf, Vec<usize>>,
    remote: usize,
}

impl Files {
    fn add(&mut self, corpus: &Corpus, post: &Post, index: usize) {
        let Some(image) = post.images.first() else { return };
        match corpus.image_path(image) {
            Some(path) => self.posts.entry(path).or_default().push(index),
            None => self.remote += 1,
        }
    }

    fn read(self, posts: &mut [(Option<Part>, Traits)], progress: &dyn Progress) -> Result<Images> {
        let task = progress.task("images", Some(self.posts.len() as u64), "images");
        let files: Vec<(PathBuf, Vec<usize>)> = self.posts.into_iter().collect();
        let mut images = Images { remote: self.remote, ..Images::default() };
        for chunk in files.chunks(1024) {
            if progress.interrupted() {
                return Err(Error::interrupted("the check was stopped"));
            }
            let looks: Vec<Look> = chunk.par_iter().map(|(path, _)| look(path)).collect();
            for ((path, of), look) in chunk.iter().zip(looks) {
                images.files += 1;
                match look {
                    Look::Fine(key) => of.iter().for_each(|&post| posts[post].1.image = key),
                    Look::Absent => images.absent.add(path, of.len()),
                    Look::Unreadable(key) => {
                        of.iter().for_each(|&post| posts[post].1.image = key);
                        images.unreadable.add(path, of.len());
                    }
                    Look::Cut(key) => {
                        of.iter().for_each(|&post| posts[post].1.image = key);
                        images.cut.add(path, of.len());
                    }
                }
            }
            task.advance(chunk.len() as u64);
        }
        Ok(images)
    }
}

/// What an image file looks like from outside.
enum Look {
    Fine(u64),
    Absent,
    Unreadable(u64),
    Cut(u64),
}

fn look(path: &std::path::Path) -> Look {
    let Ok(bytes) = std::fs::read(path) else { return Look::Absent };
    let key = hash(&bytes);
    match has_header(&bytes) {
        false => Look::Unreadable(key),
        true if is_whole(&bytes) => Look::Fine(key),
        true => Look::Cut(key),
    }
}

/// Whether an image file ends as its format wants, as far as that can be seen without decoding it.
fn is_whole(bytes: &[u8]) -> bool {
    // Some programs append bytes after the end of an image, which decoders pass over.
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    let ends_in = |mark: &[u8]| memchr::memmem::rfind(tail, mark).is_some();
    match image::guess_format(bytes) {
        Ok(image::ImageFormat::Jpeg) => ends_in(b"\xff\xd9"),
        Ok(image::ImageFormat::Png) => ends_in(b"IEND"),
        Ok(image::ImageFormat::Gif) => bytes.iter().rfind(|b| **b != 0) == Some(&b';'),
        Ok(image::ImageFormat::WebP) => {
            let size = bytes.get(4..8).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            size.is_some_and(|size| bytes.len() as u64 >= u64::from(size) + 8)
        }
        _ => true,
    }
}

/// Bytes at the end of a file in which the end of the image may stand.
const TAIL: usize = 4096;

/// Whether the file starts as an image of a format that can be decoded, with a size.
fn has_header(bytes: &[u8]) -> bool {
    match image::guess_format(bytes) {
        Ok(image::ImageFormat::Jpeg) => {
            let mut decoder = zune_jpeg::JpegDecoder::new(Cursor::new(bytes));
            decoder.decode_headers().is_ok()
        }
        Ok(format) => image::ImageReader::with_format(Cursor::new(bytes), format)
            .into_dimensions()
            .is_ok_and(|(width, height)| width > 0 && height > 0),
        Err(_) => false,
    }
}
