//! What a later copy of a post adds to the first one.

use super::post::Post;

/// Fills what no edit changes from another version: an edited text without tags or images has none.
pub(super) fn fill_around(post: &mut Post, mut other: Post) {
    if post.created_at.is_none() || other.created_at.is_some_and(|t| post.created_at > Some(t)) {
        post.created_at = other.created_at;
    }
    let kept = (other.author.take(), other.reply_to.take(), other.quote_of.take());
    let (author, reply_to, quote_of) = kept;
    fill_in(post, Post { author, reply_to, quote_of, ..Post::default() }, false);
}

/// Fills unknown fields of `post` from a copy of it; `whole`: its text is cut and that of the copy is not.
pub(super) fn fill_in(post: &mut Post, mut copy: Post, whole: bool) {
    if whole {
        // What is in the part that was cut off is missing from the lists too.
        post.text = std::mem::take(&mut copy.text);
        if copy.hashtags.len() >= post.hashtags.len() {
            std::mem::swap(&mut post.hashtags, &mut copy.hashtags);
        }
        if copy.mentions.len() >= post.mentions.len() {
            std::mem::swap(&mut post.mentions, &mut copy.mentions);
        }
    }

    fn fill<T>(field: &mut Option<T>, other: Option<T>) {
        if field.is_none() {
            *field = other;
        }
    }
    fn fill_list<T>(field: &mut Vec<T>, other: Vec<T>) {
        if field.is_empty() {
            *field = other;
        }
    }
    fill(&mut post.created_at, copy.created_at);
    fill(&mut post.lang, copy.lang);
    if post.text.is_empty() {
        post.text = copy.text;
    }
    fill_list(&mut post.hashtags, copy.hashtags);
    fill_list(&mut post.mentions, copy.mentions);
    // Pixels at hand are worth more than an address.
    if !post.images.iter().any(|i| i.path.is_some()) && copy.images.iter().any(|i| i.path.is_some()) {
        post.images = copy.images;
    } else {
        fill_list(&mut post.images, copy.images);
    }
    match (&mut post.place, copy.place) {
        (Some(place), Some(other)) if place.id == other.id => {
            fill(&mut place.name, other.name);
            fill(&mut place.kind, other.kind);
            fill(&mut place.country, other.country);
            fill(&mut place.bounds, other.bounds);
        }
        (place, other) => fill(place, other),
    }
    fill(&mut post.geo, copy.geo);
    fill(&mut post.reply_to, copy.reply_to);
    fill(&mut post.quote_of, copy.quote_of);
    match (&mut post.author, copy.author) {
        (Some(author), Some(other)) if author.id == other.id => {
            fill(&mut author.handle, other.handle);
            fill(&mut author.name, other.name);
            fill(&mut author.description, other.description);
            fill(&mut author.location, other.location);
            fill(&mut author.created_at, other.created_at);
            fill(&mut author.followers, other.followers);
            fill(&mut author.following, other.following);
            fill(&mut author.posts, other.posts);
            fill(&mut author.listed, other.listed);
            fill(&mut author.verified, other.verified);
        }
        (author, other) => fill(author, other),
    }
}
