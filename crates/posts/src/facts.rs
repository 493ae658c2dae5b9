//! What is costly to find out about a post: all threads do it before posts are taken in in their order.

use super::extract;
use super::post::Post;

/// Facts about a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Hash of the id.
    pub id: u128,
    /// Hash of the author's id; `None` if the author is unknown.
    pub author: Option<u64>,
    /// Hash of the letters and digits of the text; 0 where nothing asks for it.
    pub text: u32,
    /// Words remain without tags, mentions and links.
    pub words: bool,
}

impl Facts {
    /// Facts about `post`; `with_text`: posts of several sources will be compared.
    pub fn of(post: &Post, with_text: bool) -> Facts {
        Facts {
            id: hash128(&post.id),
            author: post.author.as_ref().map(|a| author_hash(&a.id)),
            text: if with_text { text_hash(&post.text) } else { 0 },
            words: extract::has_words(&post.text),
        }
    }
}

/// 128 bits of a hash that nobody can aim at: equal hashes are taken for equal ids.
pub(super) fn hash128(text: &str) -> u128 {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(bytes)
}

/// Hash of an author's id.
pub(super) fn author_hash(id: &str) -> u64 {
    hash128(id) as u64
}

fn text_hash(text: &str) -> u32 {
    let letters: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    hash128(&letters) as u32
}
