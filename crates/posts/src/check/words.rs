//! Texts made comparable: what is left when case, punctuation, tags, mentions and links are gone.

use crate::extract::strip;

/// Texts of fewer words say the same by chance ("good morning"); they don't count as duplicates.
pub const SHORTEST: usize = 4;

/// The words of a text in lower case, without hashtags, mentions, links and the mark of a retweet.
pub fn words(text: &str) -> Vec<String> {
    // Scripts without spaces come out as one long word per run, which still compares well.
    let text = strip(text);
    let parts = text.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty() && *part != "RT");
    parts.map(str::to_lowercase).collect()
}

/// 64 bits of a hash of `bytes`, never 0.
pub fn hash(bytes: &[u8]) -> u64 {
    let digest = blake3::hash(bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(first).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dress_does_not_matter() {
        let plain = words("a dog in the snow");
        assert_eq!(words("RT @you: A dog, in the SNOW! #dog https://t.example/1"), plain);
        assert!(words("#tag @who https://t.example/2").is_empty());
    }
}
