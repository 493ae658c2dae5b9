//! Makes posts of the lines of a batch, with all threads.

use rayon::prelude::*;

use super::super::facts::Facts;
use super::super::formats::{self, Format, Notes, Record};
use super::super::input::{Batch, RecordSource};
use super::super::owner::Owner;

/// A batch ends at this many records or bytes; it bounds what is in memory at once.
pub const BATCH_RECORDS: usize = 4096;
const BATCH_BYTES: usize = 8 << 20;
/// Records a thread parses at a time.
const CHUNK: usize = 64;

/// Where lines come from.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// Whose archive the source is, if it is one.
    pub owner: Option<&'a Owner>,
}

/// What a thread made of some lines.
#[derive(Default)]
pub struct Parsed {
    pub records: Vec<Made>,
    pub notes: Notes,
}

/// A record with what threads can find out about its posts.
pub struct Made {
    pub line: u64,
    pub record: Record,
    pub facts: Facts,
    /// Facts about the posts it quotes.
    pub quoted: Vec<Facts>,
}

/// Adds records to a batch until it is full or the file ends.
pub fn fill(batch: &mut Batch, records: &mut dyn RecordSource) {
    while batch.len() < BATCH_RECORDS && batch.bytes() < BATCH_BYTES && records.read_into(batch) {}
}

/// Makes posts of the lines of a batch, with all threads.
pub fn parse(format: &dyn Format, batch: &Batch, from: Lines, with_text: bool) -> Vec<Parsed> {
    let chunk = |start: usize| {
        let (mut parsed, mut records) = (Parsed::default(), Vec::new());
        for at in start..batch.len().min(start + CHUNK) {
            let (line, text) = batch.get(at);
            match text {
                Ok(text) => formats::read(format, text, &mut parsed.notes, &mut records),
                Err(reason) => records.push(Record::Rejected(reason.to_owned())),
            }
            parsed.records.extend(records.drain(..).map(|record| made(line, record, from, with_text)));
        }
        parsed
    };
    (0..batch.len().div_ceil(CHUNK)).into_par_iter().map(|at| chunk(at * CHUNK)).collect()
}

fn made(line: u64, mut record: Record, from: Lines, with_text: bool) -> Made {
    let (mut facts, mut quoted) = (Facts::default(), Vec::new());
    if let Record::Post(found) = &mut record {
        if found.post.source.is_empty() {
            from.source.clone_into(&mut found.post.source);
        }
        if let Some(owner) = from.owner {
            owner.adopt(&mut found.post);
        }
        facts = Facts::of(&found.post, with_text);
        for post in &mut found.quoted {
            from.source.clone_into(&mut post.source);
            quoted.push(Facts::of(post, with_text));
        }
    }
    Made { line, record, facts, quoted }
}
