//! Repositories of AT Protocol accounts (`.car`, what Bluesky exports) as JSON Lines, a record a line.
//!
//! A CAR file (v1) is a header and then blocks in any order, each named by its hash: a signed commit, the nodes of a tree
//! of keys, and the records. The blocks go into a temporary file, then the tree is walked: key by key, its records become
//! lines `{"uri", "cid", "value"}`, as the API lists them. Memory holds 48 bytes a block and the nodes of one path.
//!
//! A block that does not have the hash it is named by is not used. What is missing is a line of its own,
//! `{"uri", "missing": reason}`; what ends the file too early is an error after the last line.

mod cbor;
mod tree;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use sha2::{Digest, Sha256};

use self::cbor::Value;
use self::tree::Walk;

/// Longest block in bytes; a record may have 1 MiB.
const MAX_BLOCK: u64 = 2 << 20;
/// Most blocks; the largest accounts have some hundreds of thousands.
const MAX_BLOCKS: usize = 8 << 20;

/// Whether a file with these first bytes (six or more) is a CAR file: a length, then a map with `roots` or `version`.
pub(crate) fn is_car(head: &[u8]) -> bool {
    matches!(head, [_, 0xa2, 0x65, b'r', b'o', b'o', ..] | [_, 0xa2, 0x67, b'v', b'e', b'r', ..])
}

/// The records of a CAR file as lines.
pub(crate) fn lines(file: impl Read + Send + 'static) -> impl BufRead + Send {
    BufReader::new(Lines { state: State::Unread(Box::new(file)), line: Vec::new(), at: 0 })
}

struct Lines {
    state: State,
    line: Vec<u8>,
    at: usize,
}

enum State {
    Unread(Box<dyn Read + Send>),
    Open(Box<Walk>),
    Done,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.line.len() {
            self.line.clear();
            self.at = 0;
            match std::mem::replace(&mut self.state, State::Done) {
                State::Unread(file) => self.state = State::Open(Box::new(Walk::new(Blocks::read(file)?)?)),
                State::Open(mut walk) => {
                    if walk.next_line(&mut self.line)? {
                        self.state = State::Open(walk);
                    } else if let Some(failure) = walk.failure() {
                        return Err(broken(failure));
                    }
                }
                State::Done => return Ok(0),
            }
        }
        let length = buffer.len().min(self.line.len() - self.at);
        buffer[..length].copy_from_slice(&self.line[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

fn broken(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A content id: what a block holds and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Cid {
    codec: u8,
    hash: [u8; 32],
}

/// Bytes of a [`Cid`]: version 1, codec, SHA-256, its length, the hash.
const CID_BYTES: usize = 36;

impl Cid {
    /// Only what the protocol allows: version 1, DAG-CBOR or raw, SHA-256.
    fn from_bytes(bytes: &[u8]) -> Option<Cid> {
        let (head, hash) = bytes.split_at_checked(4)?;
        match *head {
            [1, codec @ (0x71 | 0x55), 0x12, 32] => Some(Cid { codec, hash: hash.try_into().ok()? }),
            _ => None,
        }
    }

    /// In the usual base 32.
    fn text(&self) -> String {
        let bytes = [&[1, self.codec, 0x12, 32][..], &self.hash].concat();
        format!("b{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

/// The blocks of a file, by hash.
struct Blocks {
    root: Cid,
    spool: File,
    /// Where a block begins and how long it is, by the first half of its hash.
    places: HashMap<u128, (u64, u32)>,
    /// What is wrong with the file, if anything is.
    failure: Option<String>,
    damaged: u64,
}

fn key(hash: &[u8; 32]) -> u128 {
    hash.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

impl Blocks {
    fn read(file: Box<dyn Read + Send>) -> io::Result<Blocks> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let length = varint(&mut file)?.filter(|l| *l <= MAX_BLOCK).ok_or_else(|| broken("no header of a CAR file"))?;
        let mut header = Vec::new();
        file.by_ref().take(length).read_to_end(&mut header)?;
        if header.len() as u64 != length {
            return Err(broken("cut off inside the header of the CAR file"));
        }
        let header = cbor::decode(&header).map_err(|e| broken(format!("the header of the CAR file: {e}")))?;
        if header.get("version") != Some(&Value::Integer(1)) {
            return Err(broken("not version 1 of CAR, the one that repositories are exported in"));
        }
        let Some(Value::List(roots)) = header.get("roots") else { return Err(broken("a CAR file without roots")) };
        let Some(Value::Link(root)) = roots.first() else { return Err(broken("a CAR file without a root")) };
        let mut spool = io::BufWriter::new(tempfile::tempfile()?);
        let mut blocks = Blocks {
            root: *root,
            spool: spool.get_ref().try_clone()?,
            places: HashMap::new(),
            failure: None,
            damaged: 0,
        };
        let mut at = 0;
        let mut block = Vec::new();
        loop {
            match next_block(&mut file, &mut block) {
                Ok(None) => break,
                Ok(Some(cid)) => {
                    let data = &block[CID_BYTES..];
                    if Sha256::digest(data).as_slice() != cid.hash {
                        blocks.damaged += 1;
                    } else if blocks.places.insert(key(&cid.hash), (at, data.len() as u32)).is_none() {
                        spool.write_all(data)?;
                        at += data.len() as u64;
                    }
                }
                // What was read before stays of use.
                Err(error) => {
                    blocks.failure = Some(error.to_string());
                    break;
                }
            }
            if blocks.places.len() > MAX_BLOCKS {
                blocks.failure = Some(format!("more than {MAX_BLOCKS} blocks"));
                break;
            }
        }
        spool.flush()?;
        Ok(blocks)
    }

    /// The content of a block, if it is in the file.
    fn get(&mut self, cid: &Cid) -> io::Result<Option<Vec<u8>>> {
        let Some((at, length)) = self.places.get(&key(&cid.hash)).copied() else { return Ok(None) };
        self.spool.seek(SeekFrom::Start(at))?;
        let mut block = vec![0; length as usize];
        self.spool.read_exact(&mut block)?;
        Ok(Some(block))
    }

    /// A block as a value, or why there is none.
    fn value(&mut self, cid: &Cid) -> io::Result<Result<Value, String>> {
        Ok(match self.get(cid)? {
            Some(block) => cbor::decode(&block).map_err(|e| format!("block {}: {e}", cid.text())),
            None => Err(format!("block {} is not in the file", cid.text())),
        })
    }
}

/// Reads the next block, its content id first, into `block`; `None` at the end.
fn next_block(file: &mut impl BufRead, block: &mut Vec<u8>) -> io::Result<Option<Cid>> {
    let Some(length) = varint(file)? else { return Ok(None) };
    if length > MAX_BLOCK {
        return Err(broken(format!("a block of {length} bytes; none of a repository is longer than {MAX_BLOCK}")));
    }
    block.clear();
    file.take(length).read_to_end(block)?;
    if block.len() as u64 != length {
        return Err(broken("cut off inside a block"));
    }
    let cid = block.get(..CID_BYTES).and_then(Cid::from_bytes);
    cid.map(Some).ok_or_else(|| broken("a block whose name is no content id of AT Protocol"))
}

/// An unsigned number of seven bits a byte; `None` at the end of the file.
fn varint(file: &mut impl BufRead) -> io::Result<Option<u64>> {
    let mut number = 0;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        if file.read(&mut byte)? == 0 {
            return if shift == 0 { Ok(None) } else { Err(broken("cut off inside the length of a block")) };
        }
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(Some(number));
        }
    }
    Err(broken("a length of more than 63 bits"))
}

#[cfg(test)]
mod tests;
