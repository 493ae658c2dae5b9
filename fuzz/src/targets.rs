//! What is fuzzed: each reader by a name. A target turns bytes into an outcome: a hash of what came of them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, Cursor};
use std::path::Path;
use std::sync::Arc;

use quintet_posts::dump::Dump;
use quintet_posts::formats::{self, Notes, Record};
use quintet_posts::input::{Batch, RecordSource, Records};
use quintet_posts::progress::Silent;
use quintet_posts::{ErrorKind, ImportOptions, extract};
use sha2::{Digest, Sha256};

mod archives;
mod tables;

/// A reader and the beginnings of the names of its fixtures.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it covers, in a few words.
    pub about: &'static str,
    /// Fixtures whose names begin so are its seeds.
    pub fixtures: &'static [&'static str],
    /// Lines of the fixtures are seeds, not whole files.
    pub by_line: bool,
    /// Runs it: a hash of what came of the bytes. Panics are what is looked for.
    pub run: fn(&[u8]) -> u64,
}

/// Every target.
pub static ALL: [Target; 13] = [
    Target {
        name: "native",
        about: "our own format, an object at a time",
        fixtures: &["native"],
        by_line: true,
        run: |b| format("native", b),
    },
    Target {
        name: "x_v1",
        about: "X API v1.1, an object at a time",
        fixtures: &["x_v1"],
        by_line: true,
        run: |b| format("x-v1", b),
    },
    Target {
        name: "x_v2",
        about: "X API v2: pages, flattened posts, notices, an object at a time",
        fixtures: &["x_v2"],
        by_line: true,
        run: |b| format("x-v2", b),
    },
    Target {
        name: "bluesky",
        about: "Bluesky, an object at a time",
        fixtures: &["bluesky"],
        by_line: true,
        run: |b| format("bluesky", b),
    },
    Target {
        name: "mastodon",
        about: "Mastodon and ActivityPub, an object at a time",
        fixtures: &["mastodon"],
        by_line: true,
        run: |b| format("mastodon", b),
    },
    Target {
        name: "extract",
        about: "hashtags, mentions, links, cashtags in texts",
        fixtures: &["native", "mastodon", "bluesky_j"],
        by_line: true,
        run: texts,
    },
    Target {
        name: "records",
        about: "cutting files into records",
        fixtures: &["native", "x_v1", "x_v2", "bluesky", "mastodon"],
        by_line: false,
        run: records,
    },
    Target {
        name: "packed",
        about: "gzip, zstd and what is inside",
        fixtures: &["native", "mastodon_timeline"],
        by_line: false,
        run: packed,
    },
    Target {
        name: "archives",
        about: "ZIP, tar and bzip2, one inside another; checksums of tar made right",
        fixtures: &["native", "mastodon_timeline"],
        by_line: false,
        run: archives::unpack,
    },
    Target {
        name: "x_archive",
        about: "the personal archive of X, from a JSON object of its files",
        fixtures: &["x_archive"],
        by_line: false,
        run: archives::personal,
    },
    Target {
        name: "tables",
        about: "CSV and Parquet after a field map and a line `---`",
        fixtures: &["table"],
        by_line: false,
        run: tables::run,
    },
    Target {
        name: "car",
        about: "repositories of AT Protocol, hashes made right",
        fixtures: &["bluesky_repo"],
        by_line: false,
        run: car,
    },
    Target {
        name: "import",
        about: "the whole import of a file, and that every record is accounted for",
        fixtures: &["native", "x_v1", "x_v2", "bluesky", "mastodon"],
        by_line: false,
        run: import,
    },
];

/// The target of a name.
pub fn by_name(name: &str) -> Option<&'static Target> {
    ALL.iter().find(|t| t.name == name)
}

/// A reason or name without what differs from input to input.
fn shape(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_lowercase() || *c == ' ').take(60).collect()
}

fn outcome(records: &[Record], notes: &Notes, hasher: &mut DefaultHasher) {
    for record in records.iter().take(8) {
        std::mem::discriminant(record).hash(hasher);
        match record {
            Record::Post(found) => {
                let post = &found.post;
                let counts = [
                    post.hashtags.len(),
                    post.mentions.len(),
                    post.images.len(),
                    found.quoted.len(),
                    found.labels.len(),
                ];
                let known = [
                    post.created_at.is_some(),
                    post.lang.is_some(),
                    post.author.is_some(),
                    post.place.is_some(),
                    post.geo.is_some(),
                    post.reply_to.is_some(),
                    post.quote_of.is_some(),
                    found.repost,
                    found.edited.is_some(),
                    post.text.is_empty(),
                ];
                (counts.map(|c| c.min(3)), known).hash(hasher);
            }
            Record::Message(kind) => shape(kind).hash(hasher),
            Record::Rejected(reason) => shape(reason).hash(hasher),
            _ => {}
        }
    }
    notes.unusable.keys().for_each(|key| key.hash(hasher));
}

fn format(name: &str, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Ok(format) = formats::by_name(name) {
        let (mut notes, mut records) = (Notes::default(), Vec::new());
        formats::read(format, bytes, &mut notes, &mut records);
        assert!(!records.is_empty(), "an object without a record would be lost");
        outcome(&records, &notes, &mut hasher);
        if let Ok(object) = formats::parse(bytes) {
            formats::detect(&object).map(|f| f.name()).hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn texts(bytes: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(bytes);
    let mut hasher = DefaultHasher::new();
    let mut end = 0;
    for entity in extract::entities(&text) {
        assert!(entity.range.start >= end && entity.range.end > entity.range.start, "entities overlap");
        end = entity.range.end;
        (entity.kind as u8, text[entity.range].len().min(9)).hash(&mut hasher);
    }
    for range in extract::links(&text).into_iter().chain(extract::cashtags(&text)) {
        text[range].len().min(20).hash(&mut hasher);
    }
    assert_eq!(extract::has_words(&text), !extract::strip(&text).is_empty());
    let tags: Vec<String> = extract::hashtags(&text).iter().map(|t| t.to_lowercase()).collect();
    let left = extract::hashtags(&extract::without_tags(&text, &tags));
    assert!(left.iter().all(|tag| !tags.contains(&tag.to_lowercase())), "a removed tag is left");
    hasher.finish()
}

/// Reads records to the end; each is parsed by the format that knows it.
fn drain(input: impl BufRead + Send, hasher: &mut DefaultHasher) {
    let mut records = Records::with_limit(input, 1 << 16);
    let mut batch = Batch::default();
    let mut total = 0;
    while records.read_into(&mut batch) {
        total += 1;
        let (_, text) = batch.get(batch.len() - 1);
        match text {
            Ok(text) => {
                assert!(text.len() <= 1 << 16, "a record beyond the limit");
                formats::parse(text).map_err(|e| shape(&e)).is_ok().hash(hasher);
            }
            Err(reason) => shape(reason).hash(hasher),
        }
        if total > 64 {
            batch.clear();
        }
    }
    (total.min(20), records.failure().map(shape)).hash(hasher);
}

fn records(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    drain(bytes, &mut hasher);
    hasher.finish()
}

/// Reads the members of a dump; what a few bytes unpack to must not fill the time.
fn members(mut dump: Dump, hasher: &mut DefaultHasher) {
    let mut members = 0;
    loop {
        match dump.next_member() {
            Ok(Some((_, content))) if members < 16 => drain(std::io::Read::take(content, 1 << 22), hasher),
            Ok(_) => break,
            Err(error) => {
                assert!(error.kind() == ErrorKind::Input, "{error}");
                break;
            }
        }
        members += 1;
    }
    (members, dump.unread.len().min(4), dump.troubles.len().min(4)).hash(hasher);
}

fn packed(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let dump = Dump::from_reader(Cursor::new(bytes.to_vec()), Path::new("fuzz"), &Arc::default());
    let Ok(dump) = dump else { return hasher.finish() };
    members(dump, &mut hasher);
    hasher.finish()
}

/// Where the blocks of a CAR file are, their names first; what cannot be read ends the list.
fn blocks(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) {
        let Some(digits) = rest.iter().position(|b| *b < 0x80).filter(|d| *d < 4) else { break };
        let length = rest[..=digits].iter().rev().fold(0, |n, b| n << 7 | usize::from(b & 0x7f));
        let start = at + digits + 1;
        at = start + length;
        if at > bytes.len() {
            break;
        }
        found.push(start..at);
    }
    found
}

/// Names every block by its hash again, here and where others link to it: else a changed block would only be missing.
fn rehash(bytes: &[u8]) -> Vec<u8> {
    const NAME: usize = 36;
    let mut out = bytes.to_vec();
    // Blocks of the seed come before those that they link to.
    for block in blocks(bytes).into_iter().skip(1).rev().filter(|b| b.len() >= NAME) {
        let old = out[block.start + 4..block.start + NAME].to_vec();
        let new = Sha256::digest(&out[block.start + NAME..block.end]);
        if new.as_slice() == old {
            continue;
        }
        let mut at = 0;
        while let Some(step) = out[at..].windows(32).position(|w| w == old) {
            out[at + step..at + step + 32].copy_from_slice(&new);
            at += step + 32;
        }
    }
    out
}

fn car(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let dump = Dump::from_reader(Cursor::new(rehash(bytes)), Path::new("fuzz"), &Arc::default());
    let Ok(mut dump) = dump else { return 0 };
    let Ok(Some((_, input))) = dump.next_member() else { return 0 };
    let Ok(format) = formats::by_name("bluesky") else { return 0 };
    let (mut notes, mut found, mut lines) = (Notes::default(), Vec::new(), 0);
    for line in input.split(b'\n').take(100_000) {
        match line {
            Ok(line) => {
                lines += 1;
                formats::read(format, &line, &mut notes, &mut found);
                outcome(&found, &notes, &mut hasher);
                found.clear();
            }
            Err(error) => {
                shape(&error.to_string()).hash(&mut hasher);
                break;
            }
        }
    }
    lines.min(64).hash(&mut hasher);
    hasher.finish()
}

/// Imports a file into a corpus that is thrown away.
fn import(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let Ok(folder) = tempfile::tempdir() else { return 0 };
    let (path, into) = (folder.path().join("dump"), folder.path().join("corpus"));
    if std::fs::write(&path, bytes).is_err() {
        return 0;
    }
    match quintet_posts::import(&[path], &ImportOptions::default(), &into, &Silent::default()) {
        Ok(report) => {
            let r = report.rows;
            assert_eq!(r.read, r.imported + r.merged + r.rejected + r.messages, "{report}");
            assert_eq!(report.summary.posts, r.imported + r.quoted - r.deleted, "{report}");
            [r.imported, r.merged, r.rejected, r.messages, r.quoted, r.deleted].map(|n| n.min(12)).hash(&mut hasher);
            let s = &report.summary;
            (report.images.taken.min(3), report.images.missing.min(3), s.truncated.min(3)).hash(&mut hasher);
        }
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
            shape(error.what()).hash(&mut hasher);
        }
    }
    hasher.finish()
}
