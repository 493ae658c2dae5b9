//! Co-Attention hashtag recommendation (Zhang et al., IJCAI 2017): [`network`], how it is [`training`], its [`settings`], the
//! image [`regions`] it reads.
//!
//! What differs from the paper: the regions are those of the model's image encoder (49 of length 1280 with the shipped one,
//! in place of VGG's 49 of 512); words start from the model's word vectors unless told otherwise; a post without an image,
//! or without words, lacks that sum instead of being left out.

pub mod network;
pub mod regions;
pub mod settings;
pub mod training;

#[cfg(test)]
mod tests;

use burn::tensor::Device;
use quintet_kernels::rng::{Rng, label};
use serde::{Deserialize, Serialize};

use super::cases::{Candidates, Case};
use super::trivial::Lists;
use crate::component::Component;
use crate::error::Result;
use crate::features::text::plain_tokens;
use crate::features::{Dense, Ragged};
use crate::model::network::NamedTensor;
use crate::model::params;
use crate::posts::Corpus;
use crate::progress::Progress;
use crate::train::ModelFolder;

use network::CoAttention;
use regions::Regions;
pub use settings::Settings;
use training::{Examples, History};

/// A trained network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Learned {
    settings: Settings,
    /// Whether it reads images.
    images: bool,
    /// Rows and length of the word table.
    words: [usize; 2],
    /// Length of a region, if it reads images.
    region: Option<usize>,
    /// Name, shape, values.
    weights: Vec<(String, Vec<usize>, Vec<f32>)>,
}

/// Where posts, words and images come from.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Where the images are.
    pub corpus: &'a Corpus,
    /// Its vocabulary, word vectors and image encoder are used, not its network.
    pub model: &'a ModelFolder,
    /// What may be read.
    pub components: &'a [Component],
    /// Whether image regions are kept beside the corpus' features, 125 KB an image.
    pub kept: bool,
}

impl Source<'_> {
    fn examples(&self, cases: &[Case], candidates: &Candidates, progress: &dyn Progress) -> Result<Examples> {
        let text = &self.model.config.text;
        let mut tokens = Ragged::default();
        for case in cases {
            let words = match self.components.contains(&Component::Text) {
                true => plain_tokens(&case.post.text, text.keep_mentions),
                false => Vec::new(),
            };
            tokens.push(self.model.fitted.vocabulary().ids(&words, text.max_tokens));
        }
        let regions = match self.model.fitted.encoder().filter(|_| self.components.contains(&Component::Image)) {
            Some(encoder) => Regions::of(self.corpus, encoder, cases, self.kept, progress)?,
            None => Regions::none(cases.len()),
        };
        let all_tags = cases.iter().map(|case| case.tags.len()).collect();
        Ok(Examples { tokens, regions, tags: candidates.of_cases(cases), all_tags })
    }
}

/// Trains on `train`, stopping by `held_out` (a tenth of `train` if that is empty).
///
/// # Errors
/// If the loss is no number any more, or the person stops the work.
pub fn fit(
    source: Source,
    train: &[Case],
    held_out: &[Case],
    candidates: &Candidates,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<(Learned, History)> {
    let (mut kept, mut apart) = (train.to_vec(), held_out.to_vec());
    if apart.is_empty() {
        Rng::new(settings.seed, &[label("co-attention/held out")]).shuffle(&mut kept);
        apart = kept.split_off(kept.len() - kept.len() / 10);
    }
    let (train, held_out) =
        (source.examples(&kept, candidates, progress)?, source.examples(&apart, candidates, progress)?);
    let mut rows = source.model.fitted.word_rows();
    if !settings.word_vectors {
        let mut rng = Rng::new(settings.seed, &[label("co-attention/words")]);
        rows.values.iter_mut().for_each(|v| *v = rng.uniform(-0.1, 0.1));
    }
    let device = Device::flex();
    let region = train.regions.length();
    let network = CoAttention::new(&rows, region, candidates.len(), settings, &device);
    let (network, mut history) = training::train(network, &train, &held_out, settings, &device, progress)?;
    let with = train.regions.posts_with();
    history.remark = format!("{} training posts, {with} of them with an image; {}", train.len(), history.remark);
    let tensors = params::named(&network).into_iter().map(|t| (t.name, t.shape, t.values)).collect();
    let words = [rows.len(), rows.dim];
    let images = region.is_some();
    Ok((Learned { settings: settings.clone(), images, words, region, weights: tensors }, history))
}

impl Learned {
    /// The best tags of each case with their logits, best first; nothing for a case without words and image.
    ///
    /// # Errors
    /// If the weights are damaged, or the person stops the work.
    pub fn recommend(
        &self,
        source: Source,
        cases: &[Case],
        candidates: &Candidates,
        progress: &dyn Progress,
    ) -> Result<Lists> {
        let mut examples = source.examples(cases, candidates, progress)?;
        if !self.images {
            examples.regions = Regions::none(cases.len());
        }
        let [rows, dim] = self.words;
        let rows = Dense { dim, values: vec![0.0; rows * dim] };
        let device = Device::flex();
        let network = CoAttention::new(&rows, self.region, candidates.len(), &self.settings, &device);
        let tensor = |(name, shape, values): &(String, Vec<usize>, Vec<f32>)| NamedTensor {
            name: name.clone(),
            shape: shape.clone(),
            values: values.clone(),
        };
        let network = training::load(network, &self.weights.iter().map(tensor).collect::<Vec<_>>())?;
        let mut lists = training::recommend(&network, &examples, &device);
        for (post, list) in lists.iter_mut().enumerate() {
            if examples.tokens.get(post).is_empty() && !examples.regions.has(post) {
                list.clear();
            }
        }
        Ok(lists)
    }
}
