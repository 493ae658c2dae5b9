//! A raw file: JSON Lines in zstd, written so that all that was synced can be read after a kill.
//!
//! The encoder is flushed at every sync, so the bytes on disk unpack to all lines up to it. A frame ends now and then, so
//! that little has to be saved again after a kill, and with the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use quintet_posts::atomic;
use quintet_posts::error::{AtPath, Result};
use zstd::Encoder;

use super::state::Mark;

/// zstd's usual level: faster than any stream.
const LEVEL: i32 = 3;
/// A frame ends at the sync after this many bytes of text.
const FRAME: u64 = 4 << 20;

/// A raw file being written.
pub struct RawFile {
    path: PathBuf,
    name: String,
    sequence: u64,
    begun: Instant,
    /// The file while no frame is open.
    idle: Option<Counted>,
    frame: Option<Encoder<'static, Counted>>,
    text_in_frame: u64,
    mark: Mark,
}

/// Counts what is written.
struct Counted {
    file: File,
    bytes: u64,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl RawFile {
    /// Begins the file of this number.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn create(root: &Path, sequence: u64) -> Result<RawFile> {
        let folder = root.join("raw");
        let name = name(sequence, Timestamp::now());
        let path = folder.join(&name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path).at(&path)?;
        atomic::sync_folder(&folder)?;
        Ok(RawFile {
            path,
            name,
            sequence,
            begun: Instant::now(),
            idle: Some(Counted { file, bytes: 0 }),
            frame: None,
            text_in_frame: 0,
            mark: Mark::default(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Time since it was begun.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Bytes on disk at the last sync.
    pub fn bytes(&self) -> u64 {
        self.mark.bytes
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn push(&mut self, line: &[u8]) -> Result<()> {
        let frame = match &mut self.frame {
            Some(frame) => frame,
            None => {
                let Some(file) = self.idle.take() else {
                    return Err(io::Error::other("an earlier write failed")).at(&self.path);
                };
                self.mark.frame = file.bytes;
                self.mark.frame_lines = self.mark.lines;
                let mut encoder = Encoder::new(file, LEVEL).at(&self.path)?;
                encoder.include_checksum(true).at(&self.path)?;
                self.text_in_frame = 0;
                self.frame.insert(encoder)
            }
        };
        frame.write_all(line).and_then(|()| frame.write_all(b"\n")).at(&self.path)?;
        self.text_in_frame += line.len() as u64 + 1;
        self.mark.lines += 1;
        Ok(())
    }

    /// Puts all lines on disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn sync(&mut self) -> Result<Mark> {
        if self.text_in_frame >= FRAME {
            return self.finish();
        }
        if let Some(frame) = &mut self.frame {
            frame.flush().at(&self.path)?;
            let file = frame.get_ref();
            file.file.sync_data().at(&self.path)?;
            self.mark.bytes = file.bytes;
        }
        Ok(self.mark)
    }

    /// Ends the frame and puts all lines on disk; more may follow.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn finish(&mut self) -> Result<Mark> {
        if let Some(frame) = self.frame.take() {
            let file = frame.finish().at(&self.path)?;
            file.file.sync_data().at(&self.path)?;
            self.text_in_frame = 0;
            self.mark = Mark { bytes: file.bytes, frame: file.bytes, frame_lines: self.mark.lines, ..self.mark };
            self.idle = Some(file);
        }
        Ok(self.mark)
    }
}

/// The name of a raw file: its number first, so that names sort in the order of time.
pub fn name(sequence: u64, begun: Timestamp) -> String {
    format!("{sequence:07}-{}.jsonl.zst", begun.strftime("%Y%m%dT%H%M%SZ"))
}

/// Raw files with their numbers, in their order.
///
/// # Errors
/// If the folder cannot be read.
pub fn files(root: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let folder = root.join("raw");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).at(&folder)? {
        let path = entry.at(&folder)?.path();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let number = name.split_once('-').filter(|_| name.ends_with(".jsonl.zst")).and_then(|(n, _)| n.parse().ok());
        if let Some(number) = number {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files)
}
