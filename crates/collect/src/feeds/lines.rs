//! Puts lines together from pieces that are cut anywhere, within a character too.

/// Longest message in bytes; `quintet import` reads records up to the same length.
pub const MAX_MESSAGE: usize = quintet_posts::input::MAX_RECORD;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Its bytes.
    Text(&'a [u8]),
    /// It had so many bytes that they were not kept.
    TooLong(u64),
}

/// Takes bytes as they come and gives lines.
#[derive(Debug)]
pub struct Lines {
    begun: Vec<u8>,
    limit: usize,
    /// Bytes of a line past the limit, which are not kept.
    passed: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_limit(MAX_MESSAGE)
    }
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub fn with_limit(limit: usize) -> Self {
        Lines { begun: Vec::new(), limit, passed: 0 }
    }

    /// Takes bytes and gives each line they complete; a line ends with `\n` or `\r\n`.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Line)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let part = &rest[..end];
            rest = &rest[end + 1..];
            if self.begun.is_empty() && self.passed == 0 && part.len() <= self.limit {
                each(Line::Text(part.strip_suffix(b"\r").unwrap_or(part)));
                continue;
            }
            self.keep(part);
            if self.passed > 0 {
                each(Line::TooLong(self.passed));
            } else {
                each(Line::Text(self.begun.strip_suffix(b"\r").unwrap_or(&self.begun)));
            }
            self.begun.clear();
            self.passed = 0;
        }
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        if self.passed > 0 {
            self.passed += part.len() as u64;
        } else if self.begun.len() + part.len() > self.limit {
            self.passed = (self.begun.len() + part.len()) as u64;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    /// Bytes of the line that is not complete yet.
    pub fn pending(&self) -> usize {
        self.begun.len() + usize::try_from(self.passed).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8], step: usize, limit: usize) -> Vec<Result<Vec<u8>, u64>> {
        let (mut lines, mut found) = (Lines::with_limit(limit), Vec::new());
        for piece in text.chunks(step) {
            lines.push(piece, |line| {
                found.push(match line {
                    Line::Text(text) => Ok(text.to_vec()),
                    Line::TooLong(bytes) => Err(bytes),
                });
            });
        }
        found
    }

    #[test]
    fn any_cut_gives_the_same_lines() {
        let text = "{\"a\":\"gr\u{fc}n \u{1f600}\"}\r\n\r\n{\"b\":1}\n\nunfinished".as_bytes();
        let whole = lines_of(text, text.len(), 100);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[0], Ok("{\"a\":\"gr\u{fc}n \u{1f600}\"}".as_bytes().to_vec()));
        for step in 1..text.len() {
            assert_eq!(lines_of(text, step, 100), whole, "step {step}");
        }
    }

    #[test]
    fn a_line_past_the_limit_is_counted_and_the_next_one_is_whole() {
        let text = [b"x".repeat(50), b"\n".to_vec(), b"ok\n".to_vec()].concat();
        for step in [1, 7, 10, 11, 49, 50, 51, 54] {
            assert_eq!(lines_of(&text, step, 10), [Err(50), Ok(b"ok".to_vec())], "step {step}");
        }
    }
}
