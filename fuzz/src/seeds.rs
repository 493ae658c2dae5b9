//! What a target begins with: the invented fixtures of `crates/posts`, whole or line by line, plain or packed.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::targets::Target;

/// Where the fixtures are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/posts/tests/fixtures")
}

/// A file packed in every way that is read.
fn pack(bytes: &[u8]) -> std::io::Result<[Vec<u8>; 2]> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes)?;
    Ok([gzip.finish()?, zstd::encode_all(bytes, 1)?])
}

/// The seeds of a target.
///
/// # Errors
/// If the fixtures cannot be read.
pub fn of(target: &Target) -> std::io::Result<Vec<Vec<u8>>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder())?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    paths.sort();
    let mut seeds = Vec::new();
    for path in paths {
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        if !target.fixtures.iter().any(|f| name.starts_with(f)) {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        if target.name == "packed" {
            seeds.extend(pack(&bytes)?);
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
