//! Our model's retrieval figures on a corpus: posts -> numbers -> vectors -> [`super::evaluate`].

use std::collections::HashMap;

use quintet_kernels::rng::{Rng, label};

use super::evaluation::{Options, evaluate_where};
use super::report::RetrievalReport;
use crate::embed;
use crate::error::{Error, Result};
use crate::posts::{Corpus, Part, Post};
use crate::progress::Progress;
use crate::train::ModelFolder;

/// Posts read at a time while choosing.
const CHUNK: usize = 4096;

/// Retrieval figures of `model` on the chosen posts of `corpus`. What the corpus lacks (image features of new images,
/// authors and places never seen in training) is computed with what the model folder holds.
///
/// Holds the vectors of all chosen posts: about 4 bytes x dimension x components a post.
///
/// # Errors
/// If no post is left by the options, a file cannot be read, or the person stops the work.
pub fn run(
    corpus: &Corpus,
    model: &ModelFolder,
    options: &Options,
    progress: &dyn Progress,
) -> Result<RetrievalReport> {
    let parts = corpus.parts()?;
    let mut posts = choose(corpus, &parts, options)?;
    if options.max_posts > 0 && posts.len() > options.max_posts {
        posts = draw(posts, options.max_posts, options.bootstrap.seed);
    }
    let dataset = model.fitted.numbers(corpus, &posts, &parts, progress)?;
    drop(posts);
    let indices: Vec<usize> = (0..dataset.len()).collect();
    let embeddings = embed::embed_posts(model, &dataset, &indices, &model.config.components, progress)?;
    if progress.interrupted() {
        return Err(Error::interrupted("stopped before ranking; nothing to resume"));
    }
    let asks = |post: usize| {
        let source = &dataset.source_names[dataset.sources[post] as usize];
        options.queries_from.as_ref().is_none_or(|from| from == source)
    };
    let mut report = evaluate_where(&embeddings, &dataset.keys, &asks, options);
    report.corpus.clone_from(&corpus.manifest().name);
    report.synthetic = corpus.manifest().synthetic;
    report.model = embed::model_id(model);
    Ok(report)
}

/// The posts of the asked part and source, in corpus order.
fn choose(corpus: &Corpus, parts: &HashMap<String, Part>, options: &Options) -> Result<Vec<Post>> {
    let mut chosen = Vec::new();
    for chunk in corpus.chunks(CHUNK)? {
        chosen.extend(chunk?.into_iter().filter(|post| {
            options.part.is_none_or(|part| parts.get(&post.id) == Some(&part))
                && options.source.as_ref().is_none_or(|source| post.source == *source)
        }));
    }
    if chosen.is_empty() {
        return Err(nothing_left(corpus, options));
    }
    Ok(chosen)
}

fn nothing_left(corpus: &Corpus, options: &Options) -> Error {
    let names: Vec<&str> = corpus.manifest().sources.keys().map(String::as_str).collect();
    let what = match (options.part, &options.source) {
        (Some(part), Some(source)) => format!("no post from source `{source}` is in the {} part", part.name()),
        (Some(part), None) => format!("no post is in the {} part", part.name()),
        (None, Some(source)) => format!("no post is from source `{source}`"),
        (None, None) => "the corpus has no posts".into(),
    };
    let help = format!("sources are {}; make parts with `quintet split`, or evaluate every post", names.join(", "));
    Error::input(what).at(corpus.root()).help(help)
}

/// `n` posts drawn without replacement, in their old order.
fn draw(posts: Vec<Post>, n: usize, seed: u64) -> Vec<Post> {
    let mut order: Vec<usize> = (0..posts.len()).collect();
    Rng::new(seed, &[label("retrieval posts")]).shuffle(&mut order);
    let mut keep = vec![false; posts.len()];
    for &i in &order[..n] {
        keep[i] = true;
    }
    posts.into_iter().zip(keep).filter_map(|(post, keep)| keep.then_some(post)).collect()
}
