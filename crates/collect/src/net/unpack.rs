//! Unpacks gzip as it comes: everything the sender has flushed is there at once.

use std::io::Write;

use flate2::write::MultiGzDecoder;

/// Takes packed bytes and gives plain ones.
pub struct Unpack {
    decoder: MultiGzDecoder<Vec<u8>>,
}

impl Default for Unpack {
    fn default() -> Self {
        Unpack { decoder: MultiGzDecoder::new(Vec::new()) }
    }
}

impl Unpack {
    /// Takes `input` and appends what it unpacks to, so far, to `out`.
    ///
    /// # Errors
    /// If the bytes are not gzip.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let taken = self.decoder.write_all(input).and_then(|()| self.decoder.flush());
        out.append(self.decoder.get_mut());
        taken.map_err(|e| format!("broken gzip: {e}"))
    }

    /// Checks that what was taken is whole.
    ///
    /// # Errors
    /// If more bytes were to come.
    pub fn finish(&mut self) -> Result<(), String> {
        self.decoder.try_finish().map_err(|e| format!("broken gzip: {e}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_flushed_is_there_at_once_and_any_cut_is_fine() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"first line\n").unwrap();
        encoder.flush().unwrap();
        let first = encoder.get_ref().len();
        encoder.write_all("second: gr\u{fc}n\n".as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        for step in 1..packed.len() {
            let (mut unpack, mut out) = (Unpack::default(), Vec::new());
            packed[..first].chunks(step).for_each(|piece| unpack.push(piece, &mut out).unwrap());
            assert_eq!(out, b"first line\n", "step {step}");
            packed[first..].chunks(step).for_each(|piece| unpack.push(piece, &mut out).unwrap());
            assert_eq!(out, "first line\nsecond: gr\u{fc}n\n".as_bytes());
            assert_eq!(unpack.finish(), Ok(()));
            let mut cut = Unpack::default();
            assert!(
                step > packed.len() || cut.push(&packed[..step], &mut Vec::new()).is_err() || cut.finish().is_err()
            );
        }
    }

    #[test]
    fn other_bytes_are_an_error() {
        assert!(Unpack::default().push(b"<html>not gzip at all</html>", &mut Vec::new()).is_err());
    }
}
