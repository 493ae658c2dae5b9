//! Cuts what a dump holds into JSON texts, one a record.
//!
//! Memory is bounded by the longest record ([`MAX_RECORD`]). JSON Lines, a JSON list of objects and pretty-printed objects
//! one after another are all cut; so is the list that a file of a personal archive of X assigns to a variable.

use std::io::{self, BufRead};
use std::ops::Range;

/// Longest record in bytes; a longer one is lost, with the reason. The longest real posts have some 30 kB.
pub const MAX_RECORD: usize = 16 << 20;

/// Records in a row, their texts in one piece of memory.
#[derive(Debug, Default)]
pub struct Batch {
    text: Vec<u8>,
    records: Vec<(u64, Result<Range<usize>, String>)>,
}

impl Batch {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of the records.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Forgets the records and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.records.clear();
    }

    /// Appends a record, or why it was lost.
    pub(super) fn push(&mut self, line: u64, text: Result<Vec<u8>, String>) {
        let start = self.text.len();
        let range = text.map(|text| {
            self.text.extend_from_slice(&text);
            start..self.text.len()
        });
        self.records.push((line, range));
    }

    /// The line a record begins on, from 1, and its JSON text, or why it was lost.
    pub fn get(&self, at: usize) -> (u64, Result<&[u8], &str>) {
        let (line, text) = &self.records[at];
        (*line, text.as_ref().map(|range| &self.text[range.clone()]).map_err(String::as_str))
    }
}

/// What gives records one after another.
pub trait RecordSource: Send {
    /// Appends the next record to `batch`; false at the end.
    fn read_into(&mut self, batch: &mut Batch) -> bool;
    /// Why the source broke off, if it did; what came before it stands.
    fn failure(&self) -> Option<&str>;
}

/// How a file separates its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One a line.
    Lines,
    /// Objects in a list, or pretty-printed ones in a row: an object ends with its bracket.
    Values,
}

/// Cuts a stream into records. After the last one, [`RecordSource::failure`] says whether the stream broke off.
pub struct Records<R> {
    input: R,
    layout: Option<Layout>,
    line: u64,
    failure: Option<String>,
    limit: usize,
    /// The records are the items of one object, whose end follows them.
    in_collection: bool,
}

impl<R: BufRead> Records<R> {
    /// Records of `input`.
    pub fn new(input: R) -> Self {
        Self::with_limit(input, MAX_RECORD)
    }

    /// Records of at most `limit` bytes.
    pub fn with_limit(input: R, limit: usize) -> Self {
        Records { input, layout: None, line: 1, failure: None, limit, in_collection: false }
    }

    /// The bytes at hand; empty at the end, and after a failure.
    fn fill(&mut self) -> &[u8] {
        if self.failure.is_some() {
            return &[];
        }
        // Asked twice because the borrow of a successful answer cannot outlive the look at a failed one.
        loop {
            match self.input.fill_buf() {
                Ok(_) => break,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let cut = e.kind() == io::ErrorKind::UnexpectedEof;
                    self.failure = Some(if cut { "cut off: the file ends too early".into() } else { e.to_string() });
                    return &[];
                }
            }
        }
        self.input.fill_buf().unwrap_or_default()
    }

    /// Skips white space, and a byte order mark at the very start.
    fn skip_blank(&mut self) -> Option<u8> {
        if self.line == 1 && self.layout.is_none() && self.fill().starts_with(b"\xef\xbb\xbf") {
            self.input.consume(3);
        }
        loop {
            let bytes = self.fill();
            if bytes.is_empty() {
                return None;
            }
            let blank = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let lines = bytes[..blank].iter().filter(|b| **b == b'\n').count();
            let next = bytes.get(blank).copied();
            self.input.consume(blank);
            self.line += lines as u64;
            if next.is_some() {
                return next;
            }
        }
    }

    /// Lists and pretty-printed objects are told from lines by their first line: `[...`, or an object left open.
    fn find_layout(&mut self, first: u8) -> Layout {
        if first == b'[' {
            return Layout::Values;
        }
        if let Some(start) = collection_start(self.fill()) {
            let lines = self.fill()[..start].iter().filter(|b| **b == b'\n').count();
            self.line += lines as u64;
            self.input.consume(start);
            self.in_collection = true;
            return Layout::Values;
        }
        let bytes = self.fill();
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default().trim_ascii();
        let open = bytes.contains(&b'\n') && line.starts_with(b"{") && line.ends_with(b"{")
            || line.ends_with(b"[") && line.starts_with(b"{")
            || bytes.contains(&b'\n') && line.starts_with(b"{") && line.ends_with(b",");
        if open { Layout::Values } else { Layout::Lines }
    }

    fn next_line(&mut self, text: &mut Vec<u8>) -> (u64, Result<(), String>) {
        let (line, start) = (self.line, text.len());
        let mut length = 0usize;
        loop {
            let limit = self.limit;
            let bytes = self.fill();
            if bytes.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            length += part.len();
            if length <= limit {
                text.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                self.line += 1;
                break;
            }
        }
        (line, self.whole(text, start, length))
    }

    /// Whether the record of `length` bytes whose text begins at `start` is whole; if not, its text is taken back.
    fn whole(&self, text: &mut Vec<u8>, start: usize, length: usize) -> Result<(), String> {
        let lost = if length > self.limit {
            format!("longer than {} MiB: {length} bytes", self.limit >> 20)
        } else if let Some(failure) = &self.failure {
            format!("the file breaks off here: {failure}")
        } else {
            return Ok(());
        };
        text.truncate(start);
        Err(lost)
    }

    /// The next value of a list or row of values: up to the bracket that closes it.
    fn next_value(&mut self, text: &mut Vec<u8>) -> Option<(u64, Result<(), String>)> {
        loop {
            match self.skip_blank()? {
                b'[' | b']' | b',' => {}
                b'}' if self.in_collection => {}
                _ => break,
            }
            self.input.consume(1);
        }
        let (line, start) = (self.line, text.len());
        let mut scan = Scan::default();
        let mut length = 0usize;
        while !scan.done {
            let limit = self.limit;
            let bytes = self.fill();
            if bytes.is_empty() {
                break;
            }
            let used = bytes.iter().position(|b| scan.step(*b)).map_or(bytes.len(), |at| at + usize::from(scan.closed));
            length += used;
            if length <= limit {
                text.extend_from_slice(&bytes[..used]);
            }
            let lines = bytes[..used].iter().filter(|b| **b == b'\n').count();
            self.input.consume(used);
            self.line += lines as u64;
        }
        Some((line, self.whole(text, start, length)))
    }

    /// Appends the text of the next record to `text`: the line it begins on, and why it was lost if it was.
    fn next_text(&mut self, text: &mut Vec<u8>) -> Option<(u64, Result<(), String>)> {
        let mut first = self.skip_blank()?;
        if self.layout.is_none() && self.fill().starts_with(b"window.YTD.") {
            let name = self.fill().iter().take(256).position(|b| *b == b'=').map_or(0, |at| at + 1);
            self.input.consume(name);
            first = self.skip_blank()?;
        }
        let layout = match self.layout {
            Some(layout) => layout,
            None => self.find_layout(first),
        };
        self.layout = Some(layout);
        match layout {
            Layout::Lines => Some(self.next_line(text)),
            Layout::Values => self.next_value(text),
        }
    }
}

impl<R: BufRead + Send> RecordSource for Records<R> {
    fn read_into(&mut self, batch: &mut Batch) -> bool {
        let start = batch.text.len();
        let Some((line, whole)) = self.next_text(&mut batch.text) else { return false };
        batch.records.push((line, whole.map(|()| start..batch.text.len())));
        true
    }

    fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }
}

/// Where the items of an ActivityPub collection begin, if these are the first bytes of one: an account's export is a
/// single object, far longer than any record.
fn collection_start(bytes: &[u8]) -> Option<usize> {
    const KEY: &[u8] = b"\"orderedItems\"";
    if !bytes.starts_with(b"{") {
        return None;
    }
    let mut scan = Scan::default();
    let skip = |from: usize| from + bytes[from..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    for (at, byte) in bytes.iter().enumerate() {
        if scan.depth == 1 && !scan.in_string && bytes[at..].starts_with(KEY) {
            let colon = skip(at + KEY.len());
            if bytes.get(colon) == Some(&b':') {
                let value = skip(colon + 1);
                return (bytes.get(value) == Some(&b'[')).then_some(value);
            }
        }
        if scan.step(*byte) {
            return None;
        }
    }
    None
}

/// Follows brackets and strings to find where a value ends.
#[derive(Default)]
struct Scan {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The value is over.
    done: bool,
    /// The byte that ended it is part of it.
    closed: bool,
}

impl Scan {
    /// Takes a byte; true if the value is over.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.closed = self.depth == 0;
            }
            // A stray bracket is a record of its own, so that every step moves on.
            b'}' => self.closed = true,
            // A bare value ends before what follows it.
            b',' | b']' | b'\n' if self.depth == 0 => self.done = true,
            _ => {}
        }
        self.done |= self.closed;
        self.done
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
