//! Opens a dump whatever it is packed in: plain, gzip, bzip2, zstd, ZIP, tar, or one inside another.
//!
//! What a file is follows from its first bytes, never from its name. A thread of its own opens and unpacks it and hands
//! the bytes over, so that unpacking, parsing and storing go on at the same time; at most `AHEAD` pieces wait. A damaged
//! archive costs the members that are damaged: of a ZIP archive whose list of members is gone, those are read that stand
//! whole in the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use crate::car;
use crate::error::{AtPath, Error, Result};
use crate::table::FieldMap;

mod pump;

use pump::Pump;

/// Bytes handed over at a time.
const PIECE: usize = 1 << 18;
/// Pieces unpacked ahead.
const AHEAD: usize = 8;
/// First bytes that are looked at: the mark of a tar archive stands at 257, and the header of a table can be long.
const HEAD: u64 = 4096;

/// Counts the bytes that were read of a file as it lies on disk, for the progress bar.
struct Counting<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl<R: Seek> Seek for Counting<R> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

/// What a file or a member of an archive is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Bzip2,
    Zstd,
    Zip,
    Tar,
    /// A repository of AT Protocol.
    Car,
    /// Known, and not read: what it is and what makes it readable.
    Refused(&'static str, &'static str),
}

fn packing(head: &[u8]) -> Packing {
    match head {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Packing::Bzip2,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Packing::Zip,
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Packing::Refused("xz", "unxz"),
        [b'7', b'z', 0xbc, 0xaf, ..] => Packing::Refused("a 7z archive", "7z x"),
        [b'R', b'a', b'r', b'!', ..] => Packing::Refused("a RAR archive", "unrar x"),
        // What spreadsheets call Unicode text; of the pictures and sounds that begin so none holds posts.
        [0xff, 0xfe, _, 0, ..] | [0xfe, 0xff, 0, ..] => Packing::Refused("text in UTF-16", "iconv -f utf-16 -t utf-8"),
        _ if head.get(257..262) == Some(b"ustar") => Packing::Tar,
        _ if car::is_car(head) => Packing::Car,
        _ => Packing::Plain,
    }
}

/// Whether a file may hold posts: it begins like JSON, like the JavaScript of a personal archive, or with a header that
/// fits the field map.
pub(super) fn may_hold_posts(head: &[u8], map: &FieldMap) -> bool {
    let first = head.split(|b| *b == b'\n').next().unwrap_or_default();
    map.fits(first.trim_ascii_end()) || holds_json(head)
}

/// Whether content begins like JSON, or like JavaScript that assigns JSON to a variable.
pub(super) fn holds_json(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    head.starts_with(b"{") || head.starts_with(b"[") || head.starts_with(b"window.YTD.")
}

enum Event {
    /// A member begins: its name, empty for a file that is no archive.
    Member(String),
    Data(Vec<u8>),
    /// The member ends, whole or not.
    End(io::Result<()>),
    /// A member that holds no posts.
    Unread(String),
    /// What is wrong with the archive.
    Trouble(String),
    /// The file cannot be used.
    Refused(Error),
    /// Everything was read.
    Done,
}

/// An open dump: its members one after another.
pub struct Dump {
    events: Receiver<Event>,
    /// Members that nobody reads to their end, by number: up to here.
    skip: Arc<AtomicU64>,
    number: u64,
    /// The last member was not read to its end.
    open: bool,
    thread: Option<JoinHandle<()>>,
    /// Members that hold no posts.
    pub unread: Vec<String>,
    /// What was wrong, member by member.
    pub troubles: Vec<String>,
}

impl Dump {
    /// Opens a file, or standard input where `path` is `-`; `map` tells tables of posts from other text. `bytes` grows as
    /// the file is read.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path, map: &Arc<FieldMap>, bytes: Arc<AtomicU64>) -> Result<Dump> {
        if path == Path::new("-") {
            return Dump::from_reader(Counting { inner: io::stdin(), bytes }, path, map);
        }
        let mut head = Vec::new();
        let mut file = File::open(path).at(path)?;
        Read::by_ref(&mut file).take(HEAD).read_to_end(&mut head).at(path)?;
        // Pipes cannot go back, and need not.
        let whole = file.rewind().is_ok();
        let mut input = Counting { inner: file, bytes };
        Dump::start(path, map, move |pump| {
            if whole && packing(&head) == Packing::Zip {
                return pump.zip("", &mut BufReader::with_capacity(PIECE, input), 0);
            }
            if whole && packing(&head) == Packing::Car {
                return pump.walk("", &mut car::lines(input), 1);
            }
            if whole { pump.walk("", &mut input, 0) } else { pump.walk("", &mut io::Cursor::new(head).chain(input), 0) }
        })
    }

    /// Opens a stream; `path` only names it in errors.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn from_reader(input: impl Read + Send + 'static, path: &Path, map: &Arc<FieldMap>) -> Result<Dump> {
        Dump::start(path, map, move |pump| pump.walk("", &mut { input }, 0))
    }

    fn start(path: &Path, map: &Arc<FieldMap>, work: impl FnOnce(&mut Pump) + Send + 'static) -> Result<Dump> {
        let (send, events) = sync_channel(AHEAD);
        let skip = Arc::new(AtomicU64::new(0));
        let mut pump = Pump::new(send, skip.clone(), path, map.clone());
        let run = move || {
            work(&mut pump);
            pump.tell(Event::Done);
        };
        let thread = std::thread::Builder::new().name("unpack".into()).spawn(run).at(path)?;
        let (unread, troubles) = (Vec::new(), Vec::new());
        Ok(Dump { events, skip, number: 0, open: false, thread: Some(thread), unread, troubles })
    }

    /// The next member: its name within the archive (empty for a file that is none) and its content, unpacked.
    ///
    /// # Errors
    /// If the file is packed in a way that is not read.
    pub fn next_member(&mut self) -> Result<Option<(String, Member<'_>)>> {
        if self.open {
            self.skip.store(self.number, Ordering::Relaxed);
        }
        loop {
            match self.events.recv() {
                Ok(Event::Member(name)) => {
                    self.number += 1;
                    self.open = true;
                    let (events, open) = (&mut self.events, &mut self.open);
                    return Ok(Some((name, Member { events, open, piece: Vec::new(), at: 0, failed: None })));
                }
                Ok(Event::Data(_) | Event::End(_)) => {}
                Ok(Event::Unread(name)) => self.unread.push(name),
                Ok(Event::Trouble(what)) => self.troubles.push(what),
                Ok(Event::Refused(error)) => return Err(error),
                Ok(Event::Done) => return Ok(None),
                Err(_) => {
                    let ended = self.thread.take().is_none_or(|t| t.join().is_ok());
                    let what = "the thread that unpacks the file ended in the middle of it";
                    return if ended { Ok(None) } else { Err(Error::internal(what)) };
                }
            }
        }
    }
}

/// The content of a member.
pub struct Member<'a> {
    events: &'a mut Receiver<Event>,
    open: &'a mut bool,
    piece: Vec<u8>,
    at: usize,
    /// Why it ended, if not whole: said again to everyone who asks.
    failed: Option<(io::ErrorKind, String)>,
}

impl Read for Member<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Member<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.piece.len() && *self.open {
            match self.events.recv() {
                Ok(Event::Data(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(Event::End(result)) => {
                    *self.open = false;
                    self.failed = result.err().map(|e| (e.kind(), e.to_string()));
                }
                _ => {
                    *self.open = false;
                    self.failed = Some((io::ErrorKind::Other, "the thread that unpacks the file has ended".to_owned()));
                }
            }
        }
        if let Some((kind, what)) = self.failed.as_ref().filter(|_| self.at == self.piece.len()) {
            return Err(io::Error::new(*kind, what.as_str()));
        }
        Ok(&self.piece[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
    }
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
