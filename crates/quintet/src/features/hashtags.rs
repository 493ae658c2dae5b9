//! `[hashtags]`: a post's tags -> the mean of their word vectors.

use super::words::WordVectors;

/// Mean word vector `[dim]` of the tags (lower case, without `#`, each once); a tag never seen in training counts by its
/// subwords. Not scaled to unit length: the fully connected layer that follows is. Nothing if no tag has a vector.
pub fn mean_vector(tags: &[String], words: &WordVectors) -> Option<Vec<f32>> {
    let vectors: Vec<Vec<f32>> = tags.iter().filter_map(|t| words.vector(t)).collect();
    let mut mean = vec![0.0; words.dim()];
    for vector in &vectors {
        mean.iter_mut().zip(vector).for_each(|(m, v)| *m += v / vectors.len() as f32);
    }
    (!vectors.is_empty()).then_some(mean)
}
