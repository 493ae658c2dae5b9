//! Word vectors on disk: fastText's `.bin` (read and written) and `.vec` (read), `fasttext_node2vec.md` A4.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;

use super::subwords::Subwords;
use super::words::WordVectors;
use crate::atomic;
use crate::config;
use crate::error::{AtPath, Error, Result};

const MAGIC: i32 = 793_712_314;
const VERSION: i32 = 12;
const HELP: &str = "give a .bin file that `fasttext skipgram` or `fasttext cbow` wrote (not .ftz), or a .vec file";

impl WordVectors {
    /// Reads `.bin`, or `.vec` if the name says so; vectors of a `.vec` have no subwords, so unseen words have no vector.
    ///
    /// # Errors
    /// If the file is damaged, quantised, or of an unknown version.
    pub fn read(path: &Path) -> Result<WordVectors> {
        if path.extension().is_some_and(|e| e == "vec") { read_vec(path) } else { read_bin(path) }
    }

    /// Writes `.bin`, readable by fastText. The output matrix, which only further training needs, is left empty.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, settings: &config::Words) -> Result<()> {
        atomic::write(path, |out| self.write_bin(out, settings).at(path))
    }

    fn write_bin(&self, out: &mut impl Write, settings: &config::Words) -> std::io::Result<()> {
        // As in fastText: losses hs 1, ns 2; models cbow 1, skip-gram 2. The 1 and 100 are wordNgrams and lrUpdateRate.
        let (loss, model) = (2, 2);
        let [dim, window, epochs] = [self.dim, settings.window, settings.epochs].map(|n| n as i32);
        let [min_count, negatives, buckets] =
            [settings.min_count, settings.negatives, self.subwords.buckets].map(|n| n as i32);
        let [shortest, longest] = [self.subwords.shortest, self.subwords.longest].map(|n| n as i32);
        let numbers = [MAGIC, VERSION, dim, window, epochs, min_count, negatives, 1, loss, model, buckets];
        for number in numbers.into_iter().chain([shortest, longest, 100]) {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(&settings.sample.to_le_bytes())?;
        let words = self.words.len() as i32;
        for number in [words, words, 0] {
            out.write_all(&number.to_le_bytes())?;
        }
        for number in [self.tokens as i64, -1] {
            out.write_all(&number.to_le_bytes())?;
        }
        for (word, count) in &self.words {
            out.write_all(word.as_bytes())?;
            out.write_all(&[0])?;
            out.write_all(&(*count as i64).to_le_bytes())?;
            out.write_all(&[0])?;
        }
        write_matrix(out, &self.rows, self.dim)?;
        write_matrix(out, &[], self.dim)
    }
}

/// One flag (not quantised), rows, columns, values.
fn write_matrix(out: &mut impl Write, values: &[f32], dim: usize) -> std::io::Result<()> {
    out.write_all(&[0])?;
    out.write_all(&((values.len() / dim.max(1)) as i64).to_le_bytes())?;
    out.write_all(&(dim as i64).to_le_bytes())?;
    let mut bytes = Vec::with_capacity(4 << 14);
    for block in values.chunks(1 << 14) {
        bytes.clear();
        block.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// A `.bin` file being read, which knows how much of it is left: a damaged length must not become an allocation.
struct Bin<'a> {
    path: &'a Path,
    file: BufReader<File>,
    left: u64,
}

impl Bin<'_> {
    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::input(format!("cannot be used as word vectors: {what}")).at(self.path).help(HELP)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| self.wrong("the file ends too early"))?;
        self.file.read_exact(bytes).at(self.path)
    }

    fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.bytes()?))
    }

    /// A count or size.
    fn size(&mut self, what: &str) -> Result<usize> {
        let n = self.i32()?;
        usize::try_from(n).map_err(|_| self.wrong(format!("{what} is {n}")))
    }

    fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_le_bytes(self.bytes()?))
    }

    fn word(&mut self) -> Result<String> {
        let mut bytes = Vec::new();
        (&mut self.file).take(self.left).read_until(0, &mut bytes).at(self.path)?;
        self.left -= bytes.len() as u64;
        if bytes.pop() != Some(0) {
            return Err(self.wrong("the file ends inside a word"));
        }
        // fastText cuts lines by bytes, so a real file may hold half a character.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>> {
        if (count as u64).checked_mul(4).is_none_or(|bytes| bytes > self.left) {
            return Err(self.wrong("the file ends too early"));
        }
        let mut values = Vec::with_capacity(count);
        let mut block = vec![0; 4 << 14];
        while values.len() < count {
            let bytes = &mut block[..(4 * (count - values.len())).min(4 << 14)];
            self.fill(bytes)?;
            values.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)));
        }
        Ok(values)
    }
}

fn read_bin(path: &Path) -> Result<WordVectors> {
    let file = File::open(path).at(path)?;
    let left = file.metadata().at(path)?.len();
    let mut bin = Bin { path, file: BufReader::with_capacity(1 << 20, file), left };
    if bin.i32()? != MAGIC {
        return Err(bin.wrong("it is no fastText model"));
    }
    let version = bin.i32()?;
    if !(11..=VERSION).contains(&version) {
        return Err(bin.wrong(format!("version {version} of the format is not known")));
    }
    let dim = bin.size("the dimension")?;
    for _ in 0..6 {
        bin.i32()?; // window, epochs, least count, negatives, word n-grams, loss
    }
    let supervised = bin.i32()? == 3;
    let buckets = bin.size("the number of buckets")?;
    let [shortest, mut longest] = [bin.size("minn")?, bin.size("maxn")?];
    if version == 11 && supervised {
        longest = 0;
    }
    bin.i32()?; // rate of learning-rate updates
    bin.bytes::<8>()?; // sub-sampling threshold
    let (size, words, _labels) = (bin.size("the dictionary")?, bin.size("words")?, bin.i32()?);
    let (tokens, pruned) = (bin.i64()?, bin.i64()?);
    if pruned >= 0 {
        return Err(bin.wrong("its subwords are pruned"));
    }
    let mut entries = Vec::new();
    for i in 0..size {
        let word = bin.word()?;
        let count = bin.i64()?;
        bin.bytes::<1>()?;
        if i < words {
            entries.push((word, count.max(0) as u64)); // labels of a supervised model follow the words
        }
    }
    if entries.len() != words {
        return Err(bin.wrong(format!("{words} words in a dictionary of {size}")));
    }
    if bin.bytes::<1>()? != [0] {
        return Err(bin.wrong("it is quantised"));
    }
    let (rows, columns) = (bin.i64()?, bin.i64()?);
    if rows != (words + buckets) as i64 || columns != dim as i64 || dim == 0 {
        return Err(
            bin.wrong(format!("{rows} x {columns} values for {words} words, {buckets} buckets, {dim} dimensions"))
        );
    }
    let mut rows = bin.floats((words + buckets) * dim)?;
    let subwords = Subwords { shortest, longest, buckets: if longest == 0 { 0 } else { buckets } };
    rows.truncate((words + subwords.buckets) * dim);
    Ok(WordVectors::new(entries, tokens.max(0) as u64, subwords, dim, rows))
}

fn read_vec(path: &Path) -> Result<WordVectors> {
    let mut lines = BufReader::new(File::open(path).at(path)?).lines().enumerate();
    let wrong = |line: usize, what: &str| Error::input(what).at_line(path, line as u64 + 1).help(HELP);
    let header = match lines.next() {
        Some((_, line)) => line.at(path)?,
        None => return Err(wrong(0, "the file is empty")),
    };
    let numbers: Vec<usize> = header.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let &[count, dim] = numbers.as_slice() else {
        return Err(wrong(0, "expected `words dimension` in the first line"));
    };
    let (mut words, mut rows) = (Vec::new(), Vec::new());
    for (i, line) in lines {
        let line = line.at(path)?;
        let mut fields = line.trim_end().split(' ');
        words.push((fields.next().unwrap_or_default().to_string(), 0));
        let before = rows.len();
        for field in fields {
            rows.push(field.parse::<f32>().map_err(|_| wrong(i, &format!("`{field}` is no number")))?);
        }
        if rows.len() - before != dim {
            return Err(wrong(i, &format!("{} numbers where the first line says {dim}", rows.len() - before)));
        }
    }
    if words.len() != count || dim == 0 {
        return Err(wrong(0, &format!("the first line says {count} words, the file has {}", words.len())));
    }
    Ok(WordVectors::new(words, 0, Subwords { shortest: 0, longest: 0, buckets: 0 }, dim, rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    fn trained() -> Result<(WordVectors, config::Words)> {
        let settings = config::Words { dim: 8, epochs: 1, min_count: 1, buckets: 50, ..config::Words::default() };
        let lines = vec![["über", "naïve", "日本", "cat", "cat"].map(String::from).to_vec(); 20];
        Ok((WordVectors::train(&lines, &settings, &Silent::default())?, settings))
    }

    #[test]
    fn written_and_read_is_the_same_also_for_the_fasttext_crate() -> Result<()> {
        let folder = tempfile::tempdir().at("temporary folder")?;
        let path = folder.path().join("words.bin");
        let (vectors, settings) = trained()?;
        vectors.save(&path, &settings)?;
        assert_eq!(WordVectors::read(&path)?, vectors);
        let theirs = fasttext::FastText::load_model(&path).map_err(|e| Error::input(e.to_string()))?;
        for word in ["cat", "über", "catalogue", "日本語"] {
            let ours = vectors.vector(word).unwrap_or_default();
            let worst = theirs.get_word_vector(word).iter().zip(&ours).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-7, "{word}: largest difference {worst}");
        }
        Ok(())
    }

    #[test]
    fn damaged_files_are_errors_with_a_way_out() -> Result<()> {
        let folder = tempfile::tempdir().at("temporary folder")?;
        let path = folder.path().join("words.bin");
        let (vectors, settings) = trained()?;
        vectors.save(&path, &settings)?;
        let whole = std::fs::read(&path).at(&path)?;
        for cut in [0, 3, 40, 90, 100, 300, whole.len() - 30] {
            atomic::write_bytes(&path, &whole[..cut])?;
            let error = WordVectors::read(&path).err();
            assert!(error.is_some_and(|e| e.way_out().is_some()), "cut after {cut} bytes");
        }
        let mut huge = whole.clone();
        huge[8..12].copy_from_slice(&i32::MAX.to_le_bytes());
        atomic::write_bytes(&path, &huge)?;
        assert!(WordVectors::read(&path).is_err());
        Ok(())
    }

    #[test]
    fn text_vectors() -> Result<()> {
        let folder = tempfile::tempdir().at("temporary folder")?;
        let path = folder.path().join("words.vec");
        atomic::write_bytes(&path, b"2 3\ncat 1 2 3 \ndog -1 .5 1e-3\n")?;
        let vectors = WordVectors::read(&path)?;
        assert_eq!(vectors.vector("dog"), Some(vec![-1.0, 0.5, 0.001]));
        assert_eq!(vectors.vector("bird"), None);
        atomic::write_bytes(&path, b"2 3\ncat 1 2 3\ndog -1 x 1\n")?;
        assert!(WordVectors::read(&path).is_err_and(|e| e.to_string().contains("words.vec:3")));
        Ok(())
    }
}
