//! `lines FILE read|check`: what the machine allows an import of JSON Lines: reading the file, or also finding out that
//! every line is JSON (with all threads, keeping nothing).

use std::fs::File;
use std::io::Read;

use rayon::prelude::*;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::{Failure, Work, argument};

/// Bytes looked at together.
const BLOCK: usize = 16 << 20;

/// Prepares the row.
pub fn prepare(arguments: &[String]) -> Result<Work, Failure> {
    let path: String = argument(arguments, 0, "a file of JSON Lines")?;
    let checks = match argument::<String>(arguments, 1, "read or check")?.as_str() {
        "read" => false,
        "check" => true,
        other => return Err(format!("`{other}` is neither read nor check").into()),
    };
    Ok(Box::new(move || {
        let mut file = File::open(&path)?;
        let (mut block, mut lines) = (Vec::with_capacity(BLOCK), 0);
        loop {
            let held = block.len();
            let read = file.by_ref().take((BLOCK - held) as u64).read_to_end(&mut block)?;
            if read == 0 {
                break;
            }
            // The start of a line that the next block ends is kept.
            let end = block.iter().rposition(|b| *b == b'\n').ok_or("a line is longer than a block")? + 1;
            if checks {
                let is_json = |line: &&[u8]| serde_json::from_slice::<IgnoredAny>(line).is_ok();
                lines += block[..end - 1].par_split(|b| *b == b'\n').filter(is_json).count();
            }
            block.drain(..end);
        }
        Ok(json!({ "lines": lines }))
    }))
}
