//! Opens a dump whatever it is packed in: plain, gzip, bzip2, zstd, ZIP, tar, or one inside another.
//!
//! What a file is follows from its first bytes, never from its name. A thread of its own opens and unpacks it and hands
//! the bytes over, so that unpacking, parsing and storing go on at the same time; at most `AHEAD` pieces wait. A damaged
//! archive costs the members that are damaged: of a ZIP archive whose list of members is gone, those are read that stand
//! whole in the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::car;
use crate::error::{AtPath, Error, Result};
use crate::table::FieldMap;

/// Bytes handed over at a time.
const PIECE: usize = 1 << 18;
/// Pieces unpacked ahead.
const AHEAD: usize = 8;
/// Packings inside one another that are followed.
const MAX_DEPTH: usize = 6;
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
    /// Known, and not read: what it is and how to unpack it.
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
                return pump.zip("", &mut BufReader::with_capacity(PIECE, input));
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
        let mut pump = Pump {
            send,
            skip: skip.clone(),
            number: 0,
            file: path.display().to_string(),
            map: map.clone(),
            gone: false,
        };
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

/// The side that unpacks.
struct Pump {
    send: SyncSender<Event>,
    skip: Arc<AtomicU64>,
    number: u64,
    /// The file, for errors.
    file: String,
    map: Arc<FieldMap>,
    /// Nobody listens any more.
    gone: bool,
}

impl Pump {
    fn tell(&mut self, event: Event) {
        self.gone |= self.send.send(event).is_err();
    }

    fn trouble(&mut self, name: &str, what: impl std::fmt::Display) {
        self.tell(Event::Trouble(if name.is_empty() { what.to_string() } else { format!("{name}: {what}") }));
    }

    /// Hands over what `input` holds; `name` is empty for the file itself, `depth` counts the packings around it.
    fn walk(&mut self, name: &str, input: &mut dyn Read, depth: usize) {
        let mut head = Vec::new();
        let mut failed = (&mut *input).take(HEAD).read_to_end(&mut head).err();
        let kind = packing(&head);
        let mut whole = BufReader::with_capacity(PIECE, io::Cursor::new(head.clone()).chain(input));
        if depth > MAX_DEPTH && kind != Packing::Plain {
            return self.trouble(name, format!("packed more than {MAX_DEPTH} times"));
        }
        match kind {
            // More than one gzip member in a row is what appending writers and `cat` make; so with bzip2 and zstd.
            Packing::Gzip => self.walk(name, &mut flate2::bufread::MultiGzDecoder::new(whole), depth + 1),
            Packing::Bzip2 => self.walk(name, &mut bzip2::bufread::MultiBzDecoder::new(whole), depth + 1),
            Packing::Zstd => match zstd::Decoder::with_buffer(whole) {
                Ok(mut decoder) => self.walk(name, &mut decoder, depth + 1),
                Err(error) => self.trouble(name, error),
            },
            Packing::Tar => self.tar(name, &mut whole, depth),
            Packing::Car => match spool(&mut whole) {
                Ok(file) => self.walk(name, &mut car::lines(file), depth + 1),
                Err(error) => self.trouble(name, error),
            },
            Packing::Zip => match spool(&mut whole) {
                Ok(file) => self.zip(name, &mut BufReader::with_capacity(PIECE, file)),
                Err(error) => self.trouble(name, error),
            },
            Packing::Refused(what, tool) if name.is_empty() => {
                let error = Error::input(format!("{what} is not read")).at(Path::new(&self.file));
                self.tell(Event::Refused(error.help(format!("unpack it first, for example with `{tool}`"))));
            }
            Packing::Refused(what, _) => self.trouble(name, format!("{what} is not read")),
            Packing::Plain if !name.is_empty() && failed.is_none() && !may_hold_posts(&head, &self.map) => {
                self.tell(Event::Unread(name.to_owned()));
            }
            Packing::Plain => self.hand_over(name, &mut whole, &mut failed),
        }
    }

    fn hand_over(&mut self, name: &str, input: &mut dyn Read, failed: &mut Option<io::Error>) {
        self.number += 1;
        self.tell(Event::Member(name.to_owned()));
        let result = loop {
            if self.gone || self.skip.load(Ordering::Relaxed) >= self.number {
                break Ok(());
            }
            let mut piece = Vec::with_capacity(PIECE);
            let result = (&mut *input).take(PIECE as u64).read_to_end(&mut piece);
            let empty = piece.is_empty();
            if !empty {
                self.tell(Event::Data(piece));
            }
            match result {
                Err(error) => break Err(error),
                Ok(_) if empty => break failed.take().map_or(Ok(()), Err),
                Ok(_) => {}
            }
        };
        self.tell(Event::End(result));
    }

    fn tar(&mut self, name: &str, input: &mut dyn Read, depth: usize) {
        let mut archive = tar::Archive::new(input);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return self.trouble(name, error),
        };
        for entry in entries {
            if self.gone {
                return;
            }
            match entry {
                Ok(mut entry) if entry.header().entry_type().is_file() => {
                    let inner = join(name, &String::from_utf8_lossy(&entry.path_bytes()));
                    if !is_hidden(&inner) {
                        self.walk(&inner, &mut entry, depth + 1);
                    }
                }
                Ok(_) => {}
                // Where one header is damaged, that of the next member cannot be found.
                Err(error) => return self.trouble(name, format!("the archive breaks off: {error}")),
            }
        }
    }

    fn zip<R: Read + Seek>(&mut self, name: &str, input: &mut R) {
        let mut archive = match zip::ZipArchive::new(&mut *input) {
            Ok(archive) => archive,
            Err(error) => {
                self.trouble(
                    name,
                    format!("the list of the archive's members cannot be used ({error}): read in order"),
                );
                return match input.rewind() {
                    Ok(()) => self.zip_in_order(name, input),
                    Err(error) => self.trouble(name, error),
                };
            }
        };
        for number in 0..archive.len() {
            if self.gone {
                return;
            }
            match archive.by_index(number) {
                Ok(mut file) => self.zip_member(name, &mut file),
                Err(error) => self.trouble(name, format!("member {}: {error}", number + 1)),
            }
        }
    }

    fn zip_in_order(&mut self, name: &str, input: &mut dyn Read) {
        let mut input = input;
        while !self.gone {
            match zip::read::read_zipfile_from_stream(&mut input) {
                Ok(Some(mut file)) => self.zip_member(name, &mut file),
                Ok(None) => return,
                Err(error) => return self.trouble(name, format!("the archive breaks off: {error}")),
            }
        }
    }

    fn zip_member<R: Read + ?Sized>(&mut self, name: &str, file: &mut zip::read::ZipFile<'_, R>) {
        let inner = join(name, &file.name().unwrap_or_default());
        if !file.is_dir() && !is_hidden(&inner) {
            self.walk(&inner, file, 1);
        }
    }
}

fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}/{inner}") }
}

/// Whether a member is what file managers leave in archives.
fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part == "__MACOSX" || (part.starts_with('.') && part != "." && part != ".."))
}

/// Puts a stream into a temporary file, because the list of a ZIP archive's members stands at its end.
fn spool(input: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(input, &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
#[path = "dump_tests.rs"]
mod tests;
