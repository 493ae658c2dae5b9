//! What is located: posts, or authors through their posts, with the class each belongs to; and what methods may see of them.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::component::Component;
use crate::embed::Embeddings;
use crate::posts::Post;
use crate::tasks::Unit;

/// A post, or an author with their posts.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Id of the post or author.
    pub id: String,
    /// Id of the author, if it is known.
    pub group: Option<String>,
    /// Positions of the posts.
    pub posts: Vec<usize>,
    /// The class; 0 where it is not known.
    pub class: usize,
}

/// What methods start from: all posts of a task, and what may be seen of them.
pub struct View<'a> {
    /// The posts; without authors where the author may not be seen.
    pub posts: Cow<'a, [Post]>,
    /// Joint vectors of the posts.
    pub embeddings: &'a Embeddings,
    /// Those of its components that may be seen.
    pub components: Vec<Component>,
    /// The text branch's vector of each post's profile location, where it may be seen and there is one.
    pub profiles: Option<&'a Profiles>,
}

/// Vectors of profile locations through the text branch.
pub struct Profiles {
    /// Vectors of the distinct strings.
    pub embeddings: Embeddings,
    /// For each post the string's position.
    pub of: Vec<Option<usize>>,
}

impl View<'_> {
    /// Whether methods may see the author.
    pub fn author(&self) -> bool {
        self.profiles.is_some()
    }

    /// The vector of `component` of a post, if it has it.
    pub fn vector(&self, post: usize, component: Component) -> Option<&[f32]> {
        self.embeddings.vector(component, post)
    }

    /// The vector of a post's profile location, if it may be seen and there is one.
    pub fn profile(&self, post: usize) -> Option<&[f32]> {
        let profiles = self.profiles?;
        profiles.embeddings.vector(Component::Text, profiles.of[post]?)
    }

    /// Length of a vector.
    pub fn dim(&self) -> usize {
        self.embeddings.dim
    }
}

/// The profile location of a post's author, where it says anything.
pub fn profile(post: &Post) -> Option<&str> {
    post.author.as_ref()?.location.as_deref().map(str::trim).filter(|location| !location.is_empty())
}

/// Every post, or every author with their posts, in corpus order; without classes. A post without an author is one of its own.
pub fn group(posts: &[Post], unit: Unit) -> Vec<Item> {
    let group = |post: usize| posts[post].author.as_ref().map(|author| author.id.clone());
    let item = |id: &str, post: usize| Item { id: id.to_owned(), group: group(post), posts: vec![post], class: 0 };
    if unit == Unit::Post {
        return posts.iter().enumerate().map(|(i, post)| item(&post.id, i)).collect();
    }
    let (mut items, mut known): (Vec<Item>, HashMap<&str, usize>) = (Vec::new(), HashMap::new());
    for (i, post) in posts.iter().enumerate() {
        match &post.author {
            None => items.push(item(&post.id, i)),
            Some(author) => {
                let at = *known.entry(&author.id).or_insert_with(|| {
                    items.push(Item { posts: Vec::new(), ..item(&author.id, i) });
                    items.len() - 1
                });
                items[at].posts.push(i);
            }
        }
    }
    items
}

/// Posts of `items`, all of them, with the class of their item.
pub fn posts_of(items: &[Item]) -> (Vec<usize>, Vec<u32>) {
    items.iter().flat_map(|item| item.posts.iter().map(|&post| (post, item.class as u32))).unzip()
}

/// Words of a text in lower case, between spaces: words, `@names`, `#tags`, runs of signs; an address is one word.
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_whitespace() {
        if piece.starts_with("http://") || piece.starts_with("https://") {
            push(&mut out, "http");
            continue;
        }
        let (mut word, mut kind) = (String::new(), false);
        for c in piece.chars() {
            let letter = c.is_alphanumeric() || c == '_';
            // `@` and `#` begin a word.
            if !word.is_empty() && (letter != kind && !(letter && (word == "@" || word == "#"))) {
                push(&mut out, &word);
                word.clear();
            }
            kind = letter;
            word.extend(c.to_lowercase());
        }
        push(&mut out, &word);
    }
    out
}

fn push(out: &mut String, word: &str) {
    if !word.is_empty() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// What is written in the posts of an item, as [`words`]; with the profile location's words marked where it may be seen.
pub fn document(view: &View, item: &Item) -> String {
    let mut out = String::new();
    let mut profiles: Vec<&str> = Vec::new();
    for &post in &item.posts {
        push(&mut out, &words(&view.posts[post].text));
        if let Some(profile) = profile(&view.posts[post]).filter(|p| view.author() && !profiles.contains(p)) {
            profiles.push(profile);
        }
    }
    for profile in profiles {
        words(profile).split(' ').for_each(|word| push(&mut out, &format!("location:{word}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Author;

    #[test]
    fn words_names_tags_and_signs() {
        assert_eq!(words("Hi @Bob_1!! it's #NYC... http://x.y/z :)"), "hi @bob_1 !! it ' s #nyc ... http :)");
        assert_eq!(words("  "), "");
    }

    #[test]
    fn authors_gather_their_posts() {
        let post = |id: &str, author: Option<&str>| Post {
            id: id.into(),
            author: author.map(|a| Author { id: a.into(), ..Author::default() }),
            ..Post::default()
        };
        let posts = [post("1", Some("a")), post("2", None), post("3", Some("a"))];
        let items = group(&posts, Unit::Author);
        assert_eq!(items.iter().map(|i| i.posts.clone()).collect::<Vec<_>>(), [vec![0, 2], vec![1]]);
        assert_eq!(group(&posts, Unit::Post).len(), 3);
    }
}
