//! Undoes HTTP's chunked transfer coding, however the bytes are cut.

/// Longest line of a chunk's size or of a trailer.
const MAX_LINE: usize = 8192;

/// Takes bytes as they come and gives those of the chunks.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the line with a chunk's size.
    #[default]
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// At the end of line after a chunk.
    After,
    /// In the lines after the last chunk.
    Trailer,
    /// All is read.
    Done,
}

impl Chunks {
    /// Takes `input` and appends what it carries to `out`.
    ///
    /// # Errors
    /// If the bytes are no chunks.
    pub fn push(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        while !input.is_empty() && self.state != State::Done {
            if let State::Data(left) = self.state {
                let n = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                out.extend_from_slice(&input[..n]);
                input = &input[n..];
                let left = left - n as u64;
                self.state = if left == 0 { State::After } else { State::Data(left) };
                continue;
            }
            let end = memchr::memchr(b'\n', input);
            let part = &input[..end.unwrap_or(input.len())];
            if self.line.len() + part.len() > MAX_LINE {
                return Err("a chunk begins with an endless line".to_owned());
            }
            self.line.extend_from_slice(part);
            input = &input[part.len() + usize::from(end.is_some())..];
            if end.is_some() {
                self.state = self.line_over()?;
                self.line.clear();
            }
        }
        Ok(())
    }

    fn line_over(&self) -> Result<State, String> {
        let line = self.line.trim_ascii();
        match self.state {
            State::Size => {
                let digits = line.split(|b| *b == b';').next().unwrap_or_default().trim_ascii();
                let size = std::str::from_utf8(digits).ok().filter(|d| !d.starts_with('+'));
                match size.and_then(|d| u64::from_str_radix(d, 16).ok()) {
                    Some(0) => Ok(State::Trailer),
                    Some(size) => Ok(State::Data(size)),
                    None => Err(format!("`{}` is no size of a chunk", String::from_utf8_lossy(digits))),
                }
            }
            State::After if line.is_empty() => Ok(State::Size),
            State::After => Err("a chunk is longer than its size".to_owned()),
            State::Trailer if line.is_empty() => Ok(State::Done),
            state => Ok(state),
        }
    }

    /// Whether the last chunk and what follows it have come.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_bytes() {
        let coded = b"4\r\nWiki\r\n6;x=y\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\nDate: x\r\n\r\n";
        for step in 1..coded.len() {
            let (mut chunks, mut out) = (Chunks::default(), Vec::new());
            for piece in coded.chunks(step) {
                chunks.push(piece, &mut out).unwrap();
            }
            assert_eq!(out, b"Wikipedia in \r\n\r\nchunks.", "step {step}");
            assert!(chunks.is_done());
        }
    }

    #[test]
    fn what_is_no_chunk_is_an_error() {
        for bad in ["x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n", "1\r\nab\r\n", "fffffffffffffffff\r\n", &"1".repeat(9000)]
        {
            assert!(Chunks::default().push(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad:.10}");
        }
    }
}
