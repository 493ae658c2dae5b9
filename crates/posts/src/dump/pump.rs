//! The side that unpacks: walks through packings and archives and tells the reading side what it finds.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

use super::{Event, HEAD, PIECE, Packing, may_hold_posts, packing};
use crate::car;
use crate::error::Error;
use crate::table::FieldMap;

/// Packings inside one another that are followed.
const MAX_DEPTH: usize = 6;
/// Most bytes between the content of two members of a tar archive; long names stand there, and are read into memory.
const MAX_HEADERS: u64 = 1 << 20;

/// Ends a tar archive where something else than a member's content is long: packed, a name of gigabytes is a small file.
struct Guard<'a> {
    inner: &'a mut dyn Read,
    allowed: Rc<Cell<u64>>,
}

impl Read for Guard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let left = self.allowed.get().checked_sub(n as u64);
        self.allowed.set(left.ok_or_else(|| io::Error::other("a name is longer than 1 MiB"))?);
        Ok(n)
    }
}

/// The side that unpacks.
pub(super) struct Pump {
    send: SyncSender<Event>,
    skip: Arc<AtomicU64>,
    number: u64,
    /// The file, for errors.
    file: String,
    map: Arc<FieldMap>,
    /// Nobody listens any more.
    gone: bool,
}

/// Says a failure again instead of reading on: after one some decoders are in no state to be asked (that of bzip2 panics).
struct Fused<'a> {
    inner: &'a mut dyn Read,
    failed: Option<(io::ErrorKind, String)>,
}

impl Read for Fused<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((kind, what)) = &self.failed {
            return Err(io::Error::new(*kind, what.as_str()));
        }
        let result = self.inner.read(buffer);
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failed = Some((error.kind(), error.to_string()));
        }
        result
    }
}

impl Pump {
    pub(super) fn new(send: SyncSender<Event>, skip: Arc<AtomicU64>, file: &Path, map: Arc<FieldMap>) -> Pump {
        Pump { send, skip, number: 0, file: file.display().to_string(), map, gone: false }
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.gone |= self.send.send(event).is_err();
    }

    fn trouble(&mut self, name: &str, what: impl std::fmt::Display) {
        self.tell(Event::Trouble(if name.is_empty() { what.to_string() } else { format!("{name}: {what}") }));
    }

    /// Hands over what `input` holds; `name` is empty for the file itself, `depth` counts the packings around it.
    pub(super) fn walk(&mut self, name: &str, input: &mut dyn Read, depth: usize) {
        let mut input = Fused { inner: input, failed: None };
        let mut head = Vec::new();
        let failed = Read::by_ref(&mut input).take(HEAD).read_to_end(&mut head).is_err();
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
                Ok(file) => self.zip(name, &mut BufReader::with_capacity(PIECE, file), depth),
                Err(error) => self.trouble(name, error),
            },
            Packing::Refused(what, tool) if name.is_empty() => {
                let error = Error::input(format!("{what} is not read")).at(Path::new(&self.file));
                self.tell(Event::Refused(error.help(format!("make it readable first, for example with `{tool}`"))));
            }
            Packing::Refused(what, _) => self.trouble(name, format!("{what} is not read")),
            Packing::Plain if !name.is_empty() && !failed && !may_hold_posts(&head, &self.map) => {
                self.tell(Event::Unread(name.to_owned()));
            }
            Packing::Plain => self.hand_over(name, &mut whole),
        }
    }

    fn hand_over(&mut self, name: &str, input: &mut dyn Read) {
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
                Ok(_) if empty => break Ok(()),
                Ok(_) => {}
            }
        };
        self.tell(Event::End(result));
    }

    fn tar(&mut self, name: &str, input: &mut dyn Read, depth: usize) {
        let allowed = Rc::new(Cell::new(MAX_HEADERS));
        let mut archive = tar::Archive::new(Guard { inner: input, allowed: allowed.clone() });
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return self.trouble(name, error),
        };
        for entry in entries {
            if self.gone {
                return;
            }
            if let Ok(entry) = &entry {
                let sparse = entry.header().entry_type().is_gnu_sparse();
                let size = if sparse { entry.header().entry_size().unwrap_or(0) } else { entry.size() };
                allowed.set(size.saturating_add(MAX_HEADERS));
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

    pub(super) fn zip<R: Read + Seek>(&mut self, name: &str, input: &mut R, depth: usize) {
        let mut archive = match zip::ZipArchive::new(&mut *input) {
            Ok(archive) => archive,
            Err(error) => {
                self.trouble(
                    name,
                    format!("the list of the archive's members cannot be used ({error}): read in order"),
                );
                return match input.rewind() {
                    Ok(()) => self.zip_in_order(name, input, depth),
                    Err(error) => self.trouble(name, error),
                };
            }
        };
        for number in 0..archive.len() {
            if self.gone {
                return;
            }
            match archive.by_index(number) {
                Ok(mut file) => self.zip_member(name, &mut file, depth),
                Err(error) => self.trouble(name, format!("member {}: {error}", number + 1)),
            }
        }
    }

    fn zip_in_order(&mut self, name: &str, input: &mut dyn Read, depth: usize) {
        let mut input = input;
        while !self.gone {
            match zip::read::read_zipfile_from_stream(&mut input) {
                Ok(Some(mut file)) => self.zip_member(name, &mut file, depth),
                Ok(None) => return,
                Err(error) => return self.trouble(name, format!("the archive breaks off: {error}")),
            }
        }
    }

    fn zip_member<R: Read + ?Sized>(&mut self, name: &str, file: &mut zip::read::ZipFile<'_, R>, depth: usize) {
        let inner = join(name, &file.name().unwrap_or_default());
        if !file.is_dir() && !is_hidden(&inner) {
            self.walk(&inner, file, depth + 1);
        }
    }
}

fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}/{inner}") }
}

/// Whether a member is what file managers leave in archives.
fn is_hidden(name: &str) -> bool {
    name.split(['/', '\\']).any(|part| part == "__MACOSX" || (part.starts_with('.') && part != "." && part != ".."))
}

/// Puts a stream into a temporary file, because the list of a ZIP archive's members stands at its end.
fn spool(input: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(input, &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}
