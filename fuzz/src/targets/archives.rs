//! Archives: any bytes as one, and the personal archive of X built from a JSON object of its files.

use std::hash::{DefaultHasher, Hasher};
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

use quintet_posts::dump::Dump;
use serde_json::{Map, Value};

use super::{import, members};

/// Makes the checksums of tar headers right: else a changed header would only end the archive.
fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for header in out.chunks_exact_mut(512).filter(|h| &h[257..262] == b"ustar") {
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        let digits = format!("{sum:06o}\0 ");
        header[148..156].copy_from_slice(digits.as_bytes());
    }
    out
}

/// As a stream, where ZIP is put aside first, and as a file, where it is read by its list of members.
pub(super) fn unpack(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let bytes = mend(bytes);
    if let Ok(mut file) = tempfile::NamedTempFile::new()
        && file.write_all(&bytes).is_ok()
        && let Ok(dump) = Dump::open(file.path(), &Arc::default(), Arc::default())
    {
        members(dump, &mut hasher);
    }
    if let Ok(dump) = Dump::from_reader(Cursor::new(bytes), Path::new("fuzz"), &Arc::default()) {
        members(dump, &mut hasher);
    }
    hasher.finish()
}

/// Where the bytes are no object, they are the file of tweets themselves.
pub(super) fn personal(bytes: &[u8]) -> u64 {
    let files = match serde_json::from_slice::<Map<String, Value>>(bytes) {
        Ok(files) => files.into_iter().map(|(name, value)| (name, content(value))).collect(),
        Err(_) => vec![("data/tweets.js".to_owned(), bytes.to_vec())],
    };
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        // Names that no ZIP file takes are left out.
        if zip.start_file(name, zip::write::SimpleFileOptions::default()).is_ok() && zip.write_all(&bytes).is_err() {
            return 0;
        }
    }
    zip.finish().map_or(0, |bytes| import(&bytes.into_inner()))
}

/// The content of a file: text as it stands, anything else as the value that is assigned.
fn content(value: Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.into_bytes(),
        value => format!("window.YTD.tweets.part0 = {value}").into_bytes(),
    }
}
