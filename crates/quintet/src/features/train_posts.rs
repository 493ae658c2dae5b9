//! The only thing that can be fitted on: posts of the training part.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::posts::{Part, Post};

/// Posts of the training part, in corpus order. Nothing else makes one, so whatever is fitted on this has seen no
/// validation or test post.
#[derive(Clone, Debug)]
pub struct TrainPosts<'a>(Vec<&'a Post>);

impl<'a> TrainPosts<'a> {
    /// The training posts among `posts`.
    ///
    /// # Errors
    /// If there is none.
    pub fn of(posts: &'a [Post], parts: &HashMap<String, Part>) -> Result<TrainPosts<'a>> {
        let train: Vec<&Post> = posts.iter().filter(|p| parts.get(&p.id) == Some(&Part::Train)).collect();
        if train.is_empty() {
            return Err(Error::input("the corpus has no training part").help(
                "`quintet split` makes parts by time or by author; a `splits.csv` (post_id,part) beside the posts is imported",
            ));
        }
        Ok(TrainPosts(train))
    }

    /// The posts.
    pub fn posts(&self) -> &[&'a Post] {
        &self.0
    }
}
