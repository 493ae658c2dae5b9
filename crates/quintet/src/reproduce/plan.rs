//! What is run: corpora, trainings, evaluations. One [`Run`] a trained setting, repeated for every seed.

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::config::Config;
use crate::error::Result;
use crate::tasks::{self, Unit, retrieval};

/// The configurations of the repository.
const FLICKR8K: &str = include_str!("../../../../configs/flickr8k.toml");
const UNION: &str = include_str!("../../../../configs/union.toml");
const TINY: &str = include_str!("../../../../configs/tiny.toml");

/// Posts of the synthetic town.
pub const TOWN_POSTS: usize = 3000;

/// A corpus to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Name of its folder.
    pub name: &'static str,
    /// Folders of the data directory that it unites; none: the synthetic town.
    pub sets: &'static [&'static str],
}

/// Every corpus.
pub const DATA: [Data; 8] = [
    Data { name: "town", sets: &[] },
    Data { name: "flickr8k", sets: &["flickr8k"] },
    Data { name: "union", sets: &["mvsa", "vmu", "pan19", "rumoureval", "btc", "geotext3"] },
    Data { name: "mvsa", sets: &["mvsa"] },
    Data { name: "pan19", sets: &["pan19"] },
    Data { name: "tweepfake", sets: &["tweepfake"] },
    Data { name: "geotext3", sets: &["geotext3"] },
    Data { name: "btc_country", sets: &["btc_country"] },
];

/// Which part of the report a run belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section {
    /// Tables 2 and 3.
    Retrieval,
    /// The leakage ablation of Table 3.
    Leakage,
    /// Figure 5.
    Hashtags,
    /// Figure 7.
    Bots,
    /// Table 4.
    Location,
    /// What each choice is worth.
    Ablations,
}

/// One evaluation of a trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What is asked, in words; names the table it stands in.
    pub name: &'static str,
    /// Corpus whose posts are asked about: the one the model was trained on, or another.
    pub corpus: &'static str,
    /// How.
    pub ask: Ask,
}

/// What is asked of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// `quintet eval retrieval`.
    Retrieval(retrieval::Options),
    /// `quintet eval TASK`.
    Task(&'static str, tasks::Options),
}

/// A setting that is trained for every seed, and what is asked of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// `corpus/setting`; unique in its section.
    pub name: String,
    /// Part of the report.
    pub section: Section,
    /// Corpus.
    pub data: Data,
    /// Complete configuration, the seed excepted.
    pub config: Config,
    /// What was changed in the committed configuration, `key=value`.
    pub changed: Vec<String>,
    /// File of the committed configuration.
    pub file: &'static str,
    /// What is asked.
    pub evaluations: Vec<Evaluation>,
}

impl Run {
    /// Name of the file of its results and unique among all: `retrieval-union-joint`.
    pub fn slug(&self) -> String {
        let name: String = format!("{:?}-{}", self.section, self.name).to_lowercase();
        let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        words.join("-")
    }

    /// The last part of the name: the setting.
    pub fn setting(&self) -> &str {
        self.name.split_once('/').map_or(self.name.as_str(), |(_, setting)| setting)
    }
}

/// The corpus called `name`.
pub fn data(name: &str) -> Data {
    DATA.into_iter().find(|data| data.name == name).unwrap_or(DATA[0])
}

struct Base {
    corpus: &'static str,
    file: &'static str,
    text: &'static str,
}

const ON_TOWN: Base = Base { corpus: "town", file: "configs/tiny.toml", text: TINY };
const ON_UNION: Base = Base { corpus: "union", file: "configs/union.toml", text: UNION };
const ON_FLICKR: Base = Base { corpus: "flickr8k", file: "configs/flickr8k.toml", text: FLICKR8K };

impl Base {
    fn run(&self, section: Section, setting: &str, changes: &[&str], evaluations: &[Evaluation]) -> Result<Run> {
        let mut config = Config::parse(self.text)?;
        for change in changes {
            let (key, value) = change.split_once('=').unwrap_or((change, ""));
            config.set(key, value)?;
        }
        config.check()?;
        Ok(Run {
            name: format!("{}/{setting}", self.corpus),
            section,
            data: data(self.corpus),
            config,
            changed: changes.iter().map(|change| (*change).to_string()).collect(),
            file: self.file,
            evaluations: evaluations.to_vec(),
        })
    }
}

fn retrieval(corpus: &'static str, name: &'static str, options: retrieval::Options) -> Evaluation {
    Evaluation { name, corpus, ask: Ask::Retrieval(options) }
}

/// The joint model as its committed configuration has it.
pub const JOINT: &str = "joint";
/// Retrieval among all posts of the dev part.
pub const WHOLE: &str = "dev part";
/// Retrieval among the dev posts of mvsa.
pub const MVSA: &str = "mvsa dev";
/// Posts of vmu's unseen event ask among the dev posts of the whole union.
pub const VMU: &str = "vmu dev asks among all dev posts";

fn whole(corpus: &'static str) -> Evaluation {
    retrieval(corpus, WHOLE, retrieval::Options { min_queries: 5, ..Default::default() })
}

fn on_union() -> Vec<Evaluation> {
    vec![
        retrieval("union", MVSA, retrieval::Options { source: Some("mvsa".into()), ..Default::default() }),
        retrieval(
            "union",
            VMU,
            retrieval::Options { queries_from: Some("vmu".into()), min_queries: 5, ..Default::default() },
        ),
    ]
}

fn task(corpus: &'static str, name: &'static str, task: &'static str, options: tasks::Options) -> Evaluation {
    Evaluation { name, corpus, ask: Ask::Task(task, options) }
}

/// VSE++ on few posts: the rates and warm-up that tuning on dev found best (`docs/results.md`).
const VSEPP_UNION: [&str; 7] = [
    "components=[\"text\",\"image\"]",
    "model.bag_of_words=false",
    "loss.kind=max-of-hinges",
    "loss.warmup_epochs=8",
    "train.learning_rate=5e-4",
    "train.epochs=60",
    "train.drop_after=45",
];
const VSEPP_TOWN: [&str; 5] = [
    "components=[\"text\",\"image\"]",
    "loss.kind=max-of-hinges",
    "loss.warmup_epochs=8",
    "train.epochs=60",
    "train.drop_after=45",
];
const TWO_NCE_UNION: [&str; 4] =
    ["components=[\"text\",\"image\"]", "train.learning_rate=1e-3", "train.epochs=60", "train.drop_after=45"];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

/// Everything that is run, in the order of the report.
///
/// # Errors
/// Never for the committed configurations; a failure is a bug.
pub fn plan() -> Result<Vec<Run>> {
    let mut runs = retrieval_runs()?;
    runs.extend(task_runs()?);
    runs.extend(ablations()?);
    Ok(runs)
}

fn retrieval_runs() -> Result<Vec<Run>> {
    let tags = "text.hashtags_as_text=true";
    let section = Section::Retrieval;
    Ok(vec![
        ON_FLICKR.run(section, "VSE++", &[], &[whole("flickr8k")])?,
        ON_UNION.run(section, JOINT, &[], &on_union())?,
        ON_UNION.run(section, "VSE++", &VSEPP_UNION, &on_union())?,
        ON_UNION.run(section, "VSE++, hashtags as text", &with(&VSEPP_UNION, &[tags]), &on_union())?,
        ON_UNION.run(section, "text and image, InfoNCE", &TWO_NCE_UNION, &on_union())?,
        ON_TOWN.run(section, JOINT, &[], &[whole("town")])?,
        ON_TOWN.run(section, "VSE++", &VSEPP_TOWN, &[whole("town")])?,
        ON_TOWN.run(section, "VSE++, hashtags as text", &with(&VSEPP_TOWN, &[tags]), &[whole("town")])?,
        ON_TOWN.run(Section::Leakage, "neighbours without the post itself", &[], &[whole("town")])?,
        ON_TOWN.run(
            Section::Leakage,
            "neighbours with the post itself and its copies",
            &["location.exclude_self=false"],
            &[whole("town")],
        )?,
    ])
}

/// The tasks ask the one joint model of the union, as the paper's do: it is trained once and knows no task.
fn task_runs() -> Result<Vec<Run>> {
    let label = |name: &str| tasks::Options { label: Some(name.into()), ..Default::default() };
    let humans = tasks::Options { settings: vec![("authors".into(), "human".into())], ..Default::default() };
    let per_author = tasks::Options { unit: Some(Unit::Author), ..label("label") };
    let hashtags = [
        task("mvsa", "hashtags of tweets with an image", "hashtags", Default::default()),
        task("pan19", "hashtags of human authors", "hashtags", humans),
    ];
    let bots = [
        task("pan19", "bots, per author", "bots", label("label")),
        task("tweepfake", "bots, per post, text alone", "bots", label("label")),
    ];
    let location = [
        task("geotext3", "state of a user", "location", per_author),
        task("btc_country", "country of a post", "location", label("country")),
    ];
    let of_town = |name, of| [task("town", name, of, Default::default())];
    Ok(vec![
        ON_UNION.run(Section::Hashtags, JOINT, &[], &hashtags)?,
        ON_TOWN.run(Section::Hashtags, JOINT, &[], &of_town("hashtags of all posts", "hashtags"))?,
        ON_UNION.run(Section::Bots, JOINT, &[], &bots)?,
        ON_TOWN.run(Section::Bots, JOINT, &[], &of_town("bots, per author", "bots"))?,
        ON_UNION.run(Section::Location, JOINT, &[], &location)?,
        ON_TOWN.run(Section::Location, JOINT, &[], &of_town("district of a post", "location"))?,
    ])
}

fn ablations() -> Result<Vec<Run>> {
    let section = Section::Ablations;
    let mut runs = Vec::new();
    for base in [&ON_UNION, &ON_TOWN] {
        let ask = if base.corpus == "union" { on_union() } else { vec![whole("town")] };
        let joint = base.run(section, JOINT, &[], &ask)?;
        for left_out in Component::ALL {
            let names: Vec<String> =
                Component::ALL.into_iter().filter(|&c| c != left_out).map(|c| format!("\"{c}\"")).collect();
            let components = format!("components=[{}]", names.join(","));
            runs.push(base.run(section, &format!("without {left_out}"), &[&components], &ask)?);
        }
        for average in ["include-self", "leave-one-out", "pairwise"] {
            for (name, loss) in losses(base.corpus) {
                let average_key = format!("loss.average={average}");
                runs.push(base.run(section, &format!("{average}, {name}"), &with(&loss, &[&average_key]), &ask)?);
            }
        }
        for (name, bag) in [("with a bag of words", "true"), ("without a bag of words", "false")] {
            runs.push(base.run(section, name, &[&format!("model.bag_of_words={bag}")], &ask)?);
        }
        for dropout in ["0", "0.2", "0.6"] {
            let key = format!("model.component_dropout={dropout}");
            runs.push(base.run(section, &format!("component dropout {dropout}"), &[&key], &ask)?);
        }
        // A variant that is the setting itself needs no run of its own.
        let variants = runs.split_off(runs.iter().position(|run| run.data == joint.data).unwrap_or(runs.len()));
        let others = variants.into_iter().filter(|run| run.config != joint.config).collect::<Vec<_>>();
        runs.push(joint);
        runs.extend(others);
    }
    for neighbours in ["1", "4", "8"] {
        let key = format!("location.neighbours={neighbours}");
        runs.push(ON_TOWN.run(section, &format!("{neighbours} neighbours"), &[&key], &[whole("town")])?);
    }
    Ok(runs)
}

/// The losses with the schedules that each needs (tuned on dev, `docs/results.md`).
fn losses(corpus: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    let hinges = match corpus {
        "union" => vec!["loss.kind=max-of-hinges", "loss.warmup_epochs=8", "train.epochs=24", "train.drop_after=18"],
        _ => vec!["loss.kind=max-of-hinges", "loss.warmup_epochs=8"],
    };
    vec![("InfoNCE", vec!["loss.kind=info-nce"]), ("SigLIP", vec!["loss.kind=sig-lip"]), ("max-of-hinges", hinges)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_run_is_valid_and_named_once() {
        let runs = plan().unwrap();
        let names: HashSet<(Section, &str)> = runs.iter().map(|run| (run.section, run.name.as_str())).collect();
        let of_section = |section| runs.iter().filter(|run| run.section == section).count();
        assert_eq!(names.len(), runs.len());
        for section in [Section::Retrieval, Section::Hashtags, Section::Bots, Section::Location, Section::Ablations] {
            assert!(of_section(section) > 0);
        }
        for run in &runs {
            assert!(!run.evaluations.is_empty(), "{}", run.name);
            assert!(run.evaluations.iter().all(|e| data(e.corpus).name == e.corpus), "{}", run.name);
            assert!(run.name.starts_with(run.data.name), "{}", run.name);
        }
    }
}
