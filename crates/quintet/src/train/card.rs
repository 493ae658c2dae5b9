//! The model card: what a model is, what it was trained on, how good it was, and what it is not for.

use std::fmt::Write;

use super::model_folder::ModelInfo;
use crate::config::{Average, Config, LossKind};

/// The card as Markdown.
pub fn card(info: &ModelInfo, config: &Config) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = write_card(&mut out, info, config);
    out
}

fn write_card(out: &mut String, info: &ModelInfo, config: &Config) -> std::fmt::Result {
    let about = &info.about;
    let names: Vec<&str> = config.components.iter().map(|c| c.name()).collect();
    writeln!(out, "# A joint embedding of {}\n", names.join(", "))?;
    if about.synthetic {
        writeln!(
            out,
            "**SYNTHETIC**: trained on posts made up by a generator. Its figures say nothing about real posts.\n"
        )?;
    }
    writeln!(
        out,
        "Written by quintet {}. Each component of a post becomes a unit vector in one space of {} dimensions; vectors \
         are compared by cosine.\nOpen it with `quintet embed CORPUS --model FOLDER --into FILE.parquet`.\n",
        info.quintet, config.model.dim
    )?;
    data(out, info)?;
    training(out, info, config)?;
    figures(out, info)?;
    writeln!(out, "## Limits\n")?;
    writeln!(
        out,
        "- Learned from the posts above only: other languages, platforms, times and topics are untested.\n\
         - Users and places unknown in training have no vector of their own; the status column of the embeddings says so.\n\
         - Associations between words, images, places and people in the training posts, unfair ones included, are in the \
         vectors.\n- Not for decisions about single people.\n"
    )?;
    writeln!(out, "## Licence\n")?;
    writeln!(
        out,
        "The folder holds words, places and account ids of the training posts. The terms of those posts decide whether \
         it may be passed on; check them first."
    )
}

fn data(out: &mut String, info: &ModelInfo) -> std::fmt::Result {
    let about = &info.about;
    writeln!(out, "## Data\n")?;
    writeln!(out, "Corpus \"{}\"{}.", about.corpus, if about.synthetic { " (synthetic)" } else { "" })?;
    if !about.sources.is_empty() {
        let sources: Vec<String> = about.sources.iter().map(|(name, n)| format!("{name} ({n} posts)")).collect();
        writeln!(out, "Imported from {}.", sources.join(", "))?;
    }
    writeln!(out, "Parts: {}.", about.split.as_deref().unwrap_or("not recorded"))?;
    writeln!(
        out,
        "{} posts in the training part, {} of them used; {} in the dev part.\n",
        about.train_posts, info.posts, about.dev_posts
    )?;
    writeln!(out, "| component | training posts that have it |\n|---|---|")?;
    for (component, n) in &about.train_components {
        writeln!(out, "| {component} | {n} |")?;
    }
    writeln!(out)
}

fn training(out: &mut String, info: &ModelInfo, config: &Config) -> std::fmt::Result {
    let kind = match config.loss.kind {
        LossKind::MaxOfHinges => "hinges over the hardest negative",
        LossKind::SumOfHinges => "hinges over all negatives",
        LossKind::InfoNce => "symmetric cross-entropy (InfoNCE)",
        LossKind::SigLip => "sigmoid per pair (SigLIP)",
    };
    let average = match config.loss.average {
        Average::IncludeSelf => "the mean of all components of the post, itself included",
        Average::LeaveOneOut => "the mean of the other components of the post",
        Average::Pairwise => "every other component of the post by itself",
    };
    writeln!(out, "## Training\n")?;
    writeln!(
        out,
        "Loss: {kind}, each component against {average}. {} steps of at most {} epochs with {} posts, seed {}. Images \
         through `{}`. Every setting: `config.toml`.\n",
        info.weights.step,
        config.train.epochs,
        config.train.batch,
        info.seed,
        file_name(&config.image.encoder)
    )
}

/// The last part of a path: cards are passed on, the folders of the machine are nobody's business.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn figures(out: &mut String, info: &ModelInfo) -> std::fmt::Result {
    writeln!(out, "## Figures on the dev part{}\n", if info.about.synthetic { " (synthetic)" } else { "" })?;
    if info.weights.directions.is_empty() {
        return writeln!(
            out,
            "None: the dev part has too few posts with two components. The last weights were kept.\n"
        );
    }
    writeln!(
        out,
        "The weights were chosen by these figures, so they are a little too good; figures to report come from \
         `quintet eval`. One run.\n\n\
         | query | candidates | queries | candidates | R@1 | R@5 | R@10 | median rank |\n|---|---|---|---|---|---|---|---|"
    )?;
    for d in &info.weights.directions {
        let [r1, r5, r10] = d.recall;
        writeln!(
            out,
            "| {} | {} | {} | {} | {r1:.1} % | {r5:.1} % | {r10:.1} % | {} |",
            d.from, d.to, d.queries, d.candidates, d.median_rank
        )?;
    }
    writeln!(out)
}
