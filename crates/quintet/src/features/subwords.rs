//! The pieces of a word that share its vector (fastText's hashed character n-grams, `fasttext_node2vec.md` A2).

/// Which pieces a word has and how many buckets they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subwords {
    /// Shortest piece in characters.
    pub shortest: usize,
    /// Longest piece in characters; 0: no pieces.
    pub longest: usize,
    /// Number of buckets; 0: no pieces.
    pub buckets: usize,
}

impl Subwords {
    /// Bucket of each piece of `word`, in order; a piece that occurs twice is there twice.
    pub fn buckets(&self, word: &str) -> Vec<u32> {
        if self.buckets == 0 {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.pieces(word, |piece| found.push(hash(piece.as_bytes()) % self.buckets as u32));
        found
    }

    /// Calls `found` with each piece of `<word>`: every run of `shortest..=longest` characters but `<` and `>` alone.
    fn pieces(&self, word: &str, mut found: impl FnMut(&str)) {
        let framed = format!("<{word}>");
        let starts: Vec<usize> = framed.char_indices().map(|(at, _)| at).chain([framed.len()]).collect();
        let chars = starts.len() - 1;
        for from in 0..chars {
            for length in self.shortest.max(1)..=self.longest.min(chars - from) {
                if length > 1 || (from > 0 && from + 1 < chars) {
                    found(&framed[starts[from]..starts[from + length]]);
                }
            }
        }
    }
}

/// fastText's hash: FNV-1a with each byte extended by its sign, which differs from FNV-1a from 0x80 on.
pub fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(2_166_136_261, |h: u32, &b| (h ^ (b as i8) as u32).wrapping_mul(16_777_619))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_the_specification() {
        assert_eq!(hash(b"a"), 3_826_002_220);
        assert_eq!(hash(b"<wh"), 1_048_167_652);
        assert_eq!(hash(b"where>"), 4_012_121_234);
        assert_eq!(hash("é".as_bytes()), 1_023_043_777);
        assert_eq!(hash("<日本".as_bytes()), 3_018_758_587);
    }

    #[test]
    fn pieces_of_where() {
        let subwords = Subwords { shortest: 3, longest: 6, buckets: 2_000_000 };
        let mut found = Vec::new();
        subwords.pieces("where", |p| found.push(p.to_string()));
        let expected = "<wh <whe <wher <where whe wher where where> her here here> ere ere> re>";
        assert_eq!(found.join(" "), expected);
        assert_eq!(subwords.buckets("where")[0], 167_652);
        assert_eq!(subwords.buckets("日本").len(), 3);
    }

    #[test]
    fn single_characters_inside_only() {
        let mut found = Vec::new();
        Subwords { shortest: 1, longest: 2, buckets: 10 }.pieces("ab", |p| found.push(p.to_string()));
        assert_eq!(found, ["<a", "a", "ab", "b", "b>"]);
        assert!(Subwords { shortest: 3, longest: 6, buckets: 0 }.buckets("word").is_empty());
    }
}
