//! What a target begins with: the invented files of `seeds/` and of the tests of `crates/posts`, whole or line by line,
//! plain or packed.

use std::io::{self, Cursor, Write};
use std::path::{Path, PathBuf};

use crate::targets::Target;

/// Where the files are.
pub fn folders() -> [PathBuf; 2] {
    ["seeds", "../crates/posts/tests/fixtures"].map(|f| Path::new(env!("CARGO_MANIFEST_DIR")).join(f))
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

fn bzip2(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

fn zip(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> io::Result<Vec<u8>> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        out.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method))?;
        out.write_all(bytes)?;
    }
    Ok(out.finish()?.into_inner())
}

/// With a name that is too long for its header, and a link.
fn tar(members: &[(&str, &[u8])]) -> io::Result<Vec<u8>> {
    let mut out = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, name, *bytes)?;
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    out.append_data(&mut header, format!("{}.json", "long/".repeat(40)), &b"{}"[..])?;
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    out.append_link(&mut header, "link.json", "/a.json")?;
    out.into_inner()
}

/// A file in archives of every kind that is read, and in one inside another.
fn archives(bytes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    use zip::CompressionMethod as Method;
    let short = &bytes[..bytes.len().min(300)];
    let members: [(&str, &[u8]); 4] =
        [("a.json", bytes), ("b/c.jsonl", short), ("photo.jpg", b"\xff\xd8\xff"), (".hidden.json", b"{}")];
    let stored = zip(&members, Method::Stored)?;
    let plain = tar(&members)?;
    let nested: [(&str, &[u8]); 2] = [("inner.zip", &stored), ("inner.tar", &plain)];
    Ok(vec![
        zip(&members, Method::Deflated)?,
        zip(&members, Method::Bzip2)?,
        zip(&members, Method::Zstd)?,
        bzip2(bytes)?,
        gzip(&plain)?,
        bzip2(&plain)?,
        zip(&nested, Method::Stored)?,
        tar(&nested)?,
        stored,
        plain,
    ])
}

/// The seeds of a target.
///
/// # Errors
/// If the files cannot be read.
pub fn of(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    let mut paths = Vec::new();
    for folder in folders() {
        for entry in std::fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
    }
    paths.sort();
    let mut seeds = Vec::new();
    for path in paths {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if !target.fixtures.iter().any(|f| name.starts_with(f)) {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        if target.name == "packed" {
            seeds.extend([gzip(&bytes)?, zstd::encode_all(&bytes[..], 1)?]);
        } else if target.name == "archives" {
            seeds.extend(archives(&bytes)?);
        } else if !target.by_line {
            seeds.push(bytes);
        } else if name.ends_with(".jsonl") {
            seeds.extend(bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec));
        } else if let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes) {
            let items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            seeds.extend(items.iter().map(|item| item.to_string().into_bytes()));
        }
    }
    Ok(seeds)
}
