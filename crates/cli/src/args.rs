//! The command line as typed. Parsing touches nothing; each verb turns its arguments into what the library wants.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Learn one space for the text, image, hashtags, location and author of posts, and ask it questions.
///
/// The way of the data: collect -> import -> check -> split -> features -> train -> embed -> search, eval.
/// `quintet demo` shows all of it on a synthetic town in about a minute.
#[derive(Debug, Parser)]
#[command(name = "quintet", version, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done; 1 the input is at fault or a check failed; 2 usage or configuration; 130 interrupted, state saved.
Nothing leaves this machine: only `collect` and `import --fetch-images` use the network, and they send no posts."
)]
pub struct Arguments {
    /// What every verb understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What every verb understands.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// Print the result as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no notes on standard error; errors still show.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Threads to use [default: all cores]. The result has the same bits with any number.
    #[arg(long, global = true, value_name = "N")]
    pub threads: Option<usize>,
}

/// One variant a verb; one file a verb in `verbs/`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Catch posts from a stream - X, Bluesky, Mastodon - into raw files for import. Uses the network.
    #[cfg(feature = "collect")]
    Collect(crate::collect_args::Collect),
    /// Read dumps of posts into a corpus folder.
    Import(Import),
    /// Say what is in a corpus and whether results from it would hold.
    Check(Check),
    /// Divide a corpus into train, dev and test.
    Split(Split),
    /// Write posts for other programs: JSON Lines, a Parquet table, a folder for the Python package datasets.
    Export(Export),
    /// Generate the synthetic town: posts with all five components and known ground truth.
    Town(Town),
    /// Fit word, user and place features on the training part and compute image features.
    Features(Features),
    /// Train a joint model.
    Train(Train),
    /// Turn posts into vectors (Parquet or NumPy).
    Embed(Embed),
    /// Find the posts nearest to a post, or to each post of a file.
    Search(Search),
    /// Measure a model.
    Eval(Eval),
    /// Learn a task (hashtags, bots, location) on top of a model, from the training part.
    Fit(Fit),
    /// Apply what `fit` learned to posts it has never seen.
    Predict(Predict),
    /// Everything on the synthetic town, from raw posts to a report, in about a minute.
    Demo(Demo),
    /// Every table and figure of the paper, ours beside every baseline, from raw data (hours).
    Reproduce(Reproduce),
    /// Print shell completions.
    Completions(Completions),
}

/// `quintet import`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quintet import dump.jsonl.gz --into corpus
  zstdcat stream.zst | quintet import - --into corpus
  quintet import data/mvsa data/vmu --into union     (folders with posts, images/, splits.csv, labels.csv)
  quintet import stream/raw --into corpus --fetch-images
  quintet import --into corpus --fetch-images        (go on fetching; imports nothing)
  quintet import today.jsonl --into corpus --add     (what was deleted since leaves the corpus)
  quintet import table.csv --fields map.toml --into corpus

A field map says which column of a CSV or Parquet table is which field of a post; a field that is not named is taken from
the column of its name:
  id = \"tweet_id\"        # or \"(row)\": rows are numbered
  text = \"body\"
  created_at = \"date\"    # also lang, hashtags, mentions, images, reply_to, quote_of
  author.id = \"user\"     # also author.handle, name, description, location, created_at, followers, following, posts,
                         # listed, verified; place.id, name, type, country; geo.lat, geo.lon
  time_format = \"%d.%m.%Y %H:%M\"   # where times are written in an unusual way
  csv.delimiter = \";\"              # where it is not found out")]
pub struct Import {
    /// Files, folders, or - for standard input; plain or packed (gzip, bzip2, zstd, ZIP, tar), found out from the content.
    #[arg(value_name = "FILES|FOLDERS")]
    #[cfg_attr(feature = "collect", arg(required_unless_present = "fetch_images"))]
    #[cfg_attr(not(feature = "collect"), arg(required = true))]
    pub inputs: Vec<PathBuf>,
    /// The corpus folder to write.
    #[arg(long, value_name = "CORPUS")]
    pub into: PathBuf,
    /// For CSV and Parquet tables: a TOML file that says which column is which field (see below).
    #[arg(long, value_name = "MAP.toml")]
    pub fields: Option<PathBuf>,
    /// Format of the posts: auto, native (JSON Lines of ours), x-v1, x-v2, x-archive
    /// (X/Twitter API v1.1, v2, personal archive), bluesky, mastodon.
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub format: String,
    /// What to do with image files beside the posts: copy them into the corpus, or link (keep their path).
    #[arg(long, default_value = "copy", value_name = "copy|link")]
    pub images: String,
    /// The first bad line ends the import.
    #[arg(long)]
    pub strict: bool,
    /// Put posts without a part into this one.
    #[arg(long, value_name = "train|dev|test")]
    pub rest: Option<String>,
    /// Replace the corpus that is there. What its forgotten.csv names (deleted posts, accounts that left) stays out.
    #[arg(long, conflicts_with = "add")]
    pub replace: bool,
    /// Add to the corpus that is there, if there is one: its posts, parts, labels and images stay, features are made
    /// anew. Deletes and account removals met now take out posts that came earlier, and keep later ones out.
    #[arg(long)]
    pub add: bool,
    /// Images by address.
    #[cfg(feature = "collect")]
    #[command(flatten)]
    pub fetch: crate::collect_args::Fetch,
}

/// `quintet check`
#[derive(Debug, Args)]
#[command(after_help = "Exit status 1 when something would void a result, such as a post that is in two parts.

Examples:
  quintet check corpus
  quintet check corpus --html corpus.html            (the same as one page with plots, for a browser or a phone)")]
pub struct Check {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// Write the report as one self-contained page too; FILE ends in .html, or in .md or .json for these forms.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// `quintet export`
#[derive(Debug, Args)]
#[command(
    after_help = "Filters hold together: a post must pass all that are given. Values of one filter are alternatives,
but a post must have every component of --with.

Examples:
  quintet export corpus --into copy                        (a folder that imports again as the same corpus)
  quintet export corpus --into posts.jsonl.zst             (one file; also .jsonl, .jsonl.gz)
  quintet export corpus --into - --lang en | head          (lines on standard output)
  quintet export corpus --into train.parquet --part train --columns id,text,lang,label_author_bot
  quintet export corpus --into few --with text,image --sample 1000 --seed 7
  quintet export corpus --into hub --format huggingface    (then: load_dataset(\"hub\"))

Nothing is changed in the corpus. What is there is replaced only with --replace, and only by a whole export."
)]
pub struct Export {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// The file or folder to write, or - for JSON Lines on standard output.
    #[arg(long, value_name = "FILE|FOLDER|-")]
    pub into: PathBuf,
    /// What to write: jsonl, parquet, huggingface [default: parquet for FILE.parquet, else jsonl].
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Only posts of these parts; none stands for posts in no part.
    #[arg(long, value_name = "train|dev|test|none", value_delimiter = ',')]
    pub part: Vec<String>,
    /// Only posts that have all of these components: text, image, hashtags, location, user.
    #[arg(long, value_name = "COMPONENTS", value_delimiter = ',')]
    pub with: Vec<String>,
    /// Only posts by these accounts: ids or handles.
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    pub author: Vec<String>,
    /// Only posts in these languages, as the source names them; en stands for en-GB too.
    #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
    pub lang: Vec<String>,
    /// Only posts from this time on: a day (2020-03-04) or a time (2020-03-04T19:00:00Z); days begin in UTC.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only posts before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Of what passes: so many posts (1000), or a share (10% or 0.1). A smaller sample is part of a larger one.
    #[arg(long, value_name = "N|SHARE")]
    pub sample: Option<String>,
    /// Seed of the sample.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only these columns of a table [default: all].
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// What becomes of image files: copy (into the folder), link (name their absolute paths), embed (pack them into the
    /// table), none [default: copy for a folder of lines, embed for huggingface, link for a single file].
    #[arg(long, value_name = "copy|link|embed|none")]
    pub images: Option<String>,
    /// Replace the file or the earlier export that is there.
    #[arg(long)]
    pub replace: bool,
}

/// `quintet split`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quintet split corpus --by-time 7d,1d,1d            (the published protocol: a week, a day, a day)
  quintet split corpus --by-author 0.8,0.1,0.1
  quintet split corpus --from splits.csv --rest train")]
pub struct Split {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// Durations of train, dev and test from the first post on, in days (d) or hours (h).
    #[arg(long, value_name = "7d,1d,1d", group = "rule")]
    pub by_time: Option<String>,
    /// Shares of train, dev and test; every author is in one part only.
    #[arg(long, value_name = "0.8,0.1,0.1", group = "rule")]
    pub by_author: Option<String>,
    /// A CSV file with a header: post_id or author_id, then the part.
    #[arg(long, value_name = "FILE", group = "rule")]
    pub from: Option<PathBuf>,
    /// Put posts without a part into this one.
    #[arg(long, value_name = "train|dev|test")]
    pub rest: Option<String>,
    /// Seed of the split by author.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `quintet town`
#[derive(Debug, Args)]
pub struct Town {
    /// Number of posts.
    #[arg(long, default_value_t = 3000)]
    pub posts: usize,
    /// Same seed, same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The corpus folder to write.
    #[arg(long, value_name = "CORPUS")]
    pub into: PathBuf,
    /// Replace the corpus that is there.
    #[arg(long)]
    pub replace: bool,
}

/// `quintet features`
#[derive(Debug, Args)]
pub struct Features {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// How.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// TOML file (configs/*.toml are complete examples) [default: the built-in defaults].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Change one key: --set train.epochs=10. May be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Where the model computes.
#[derive(Clone, Debug, Args)]
pub struct DeviceArgs {
    /// Where the model computes: cpu, gpu (a card, by Vulkan, Metal or DirectX 12), cuda. Cards need a build of quintet
    /// with the feature wgpu or cuda.
    #[arg(long, default_value = "cpu", value_name = "cpu|gpu|cuda")]
    pub device: String,
}

/// `quintet train`
#[derive(Debug, Args)]
#[command(
    after_help = "A run that was stopped, by whatever means, goes on with --resume and ends with the same bits\n(on a card: as nearly as the card repeats itself)."
)]
pub struct Train {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// How.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// The run folder: log, checkpoints, and the model in RUN/model.
    #[arg(long, value_name = "RUN")]
    pub into: PathBuf,
    /// Go on with a run that was stopped.
    #[arg(long)]
    pub resume: bool,
    /// Where.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `quintet embed`
#[derive(Debug, Args)]
pub struct Embed {
    /// The corpus folder; it may be one the model has never seen.
    pub corpus: PathBuf,
    /// Model or run folder.
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// FILE.parquet (every component, average, status) or FILE.npy (one matrix).
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,
    /// Store half-precision numbers.
    #[arg(long)]
    pub f16: bool,
    /// Only this component; may be given several times. A .npy file holds the average of those given [default: all].
    #[arg(long, value_name = "COMPONENT")]
    pub component: Vec<String>,
    /// Only posts of this part.
    #[arg(long, value_name = "train|dev|test")]
    pub part: Option<String>,
    /// Where.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `quintet search`
#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("who").required(true),
    after_help = "Examples:
  quintet search vectors.parquet --for 1234                          (ten posts like post 1234)
  quintet search vectors.parquet --for 1234 --from text --to image   (images for its text)
  quintet search vectors.parquet --queries new.parquet --into nearest.parquet
  quintet search vectors.parquet --queries vectors.parquet --approximate --recall 0.9 --into nearest.jsonl

A post never finds itself. Equal cosines keep the order of VECTORS.
Rows of OUT: query_id, rank (1 is nearest), post_id, cosine.
The index of --approximate is built anew each time, which costs as much as an exact search for some thousands of
posts: it pays when many more than that ask."
)]
pub struct Search {
    /// FILE.parquet that `quintet embed` wrote: the posts to be found.
    pub vectors: PathBuf,
    /// Id of the post that asks, one of VECTORS; may be given several times.
    #[arg(long = "for", value_name = "POST_ID", group = "who")]
    pub posts: Vec<String>,
    /// All posts of this file ask; it must have been embedded with the same model.
    #[arg(long, value_name = "VECTORS", group = "who")]
    pub queries: Option<PathBuf>,
    /// What asks: text, image, hashtags, location, user, or the average of what the post has.
    #[arg(long, default_value = "average", value_name = "COMPONENT")]
    pub from: String,
    /// What is found: a component, or the average.
    #[arg(long, default_value = "average", value_name = "COMPONENT")]
    pub to: String,
    /// Posts to find for each.
    #[arg(short, default_value = "10", value_name = "K")]
    pub k: NonZeroUsize,
    /// Look through a part of VECTORS only, by an index (k-means and inverted lists); says what share it finds.
    #[arg(long)]
    pub approximate: bool,
    /// Share of the true K nearest that --approximate should find [default: 0.95].
    #[arg(long, value_name = "SHARE", requires = "approximate")]
    pub recall: Option<f64>,
    /// Write the result to OUT.parquet or OUT.jsonl instead of printing it.
    #[arg(long, value_name = "OUT")]
    pub into: Option<PathBuf>,
    /// Seed of the index.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `quintet eval`
#[derive(Debug, Args)]
pub struct Eval {
    /// What to measure.
    #[command(subcommand)]
    pub task: EvalTask,
}

/// The tasks.
#[derive(Debug, Subcommand)]
pub enum EvalTask {
    /// Recall@k and median rank between components, and by the published protocol.
    Retrieval(Retrieval),
    /// Hashtag recommendation: precision, recall, F1 at 1 to 5.
    Hashtags(EvalFitted),
    /// Bot detection: F1, AUC, balanced accuracy, MCC.
    Bots(EvalFitted),
    /// Location prediction: accuracy, macro-F1, and distances where there are coordinates.
    Location(EvalFitted),
}

/// `quintet eval hashtags|bots|location`
#[derive(Debug, Args)]
#[command(
    after_help = "Every method of the task is fitted on the training part and measured on the part given: ours, the paper's,
the published baseline, and the trivial ones. With several models of different seeds, figures are means with standard
deviations, and fitting takes the seeds 1, 2, ... in turn."
)]
pub struct EvalFitted {
    /// The corpus folder, with a labels.csv where the task needs labels.
    pub corpus: PathBuf,
    /// Model or run folder, or NAME=MODEL; several of one name are seeds of one setting, several names stand side by side.
    #[arg(long, required = true, value_name = "[NAME=]MODEL")]
    pub model: Vec<String>,
    /// Which part to measure on.
    #[arg(long, default_value = "dev", value_name = "train|dev|test")]
    pub part: String,
    /// Only this method; may be given several times [default: all].
    #[arg(long, value_name = "METHOD")]
    pub method: Vec<String>,
    /// What is said alike of evaluating, fitting and predicting.
    #[command(flatten)]
    pub task: TaskArgs,
}

/// What is said alike of evaluating, fitting and predicting.
#[derive(Debug, Args)]
pub struct TaskArgs {
    /// Only posts imported from this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// The label to predict [default: the one there is].
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Predict for posts or for authors [default: what the label is about].
    #[arg(long, value_name = "post|author")]
    pub by: Option<String>,
    /// Use only this component of the model; may be given several times [default: all that give nothing away].
    #[arg(long, value_name = "COMPONENT")]
    pub component: Vec<String>,
    /// Change a setting of the methods: --set NAME=VALUE. May be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Seed of everything random in fitting.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `quintet fit`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  quintet fit bots corpus --model run --into bots.task
  quintet fit location corpus --model run --label country --method deepgeo --into country.task
  quintet predict bots new-posts --model run --using bots.task --into bots.parquet")]
pub struct Fit {
    /// hashtags, bots, location.
    pub task_name: String,
    /// The corpus folder; its training part is learned from.
    pub corpus: PathBuf,
    /// Model or run folder.
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub into: PathBuf,
    /// Which method [default: ours].
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,
    /// What is said alike of evaluating, fitting and predicting.
    #[command(flatten)]
    pub task: TaskArgs,
}

/// `quintet predict`
#[derive(Debug, Args)]
#[command(
    after_help = "Rows of OUT, one per post or author in the order of POSTS: id, status (predicted, fallback, none),
prediction, score, alternatives (best first)."
)]
pub struct Predict {
    /// hashtags, bots, location.
    pub task_name: String,
    /// A corpus folder, or a dump of posts in any format that `quintet import` reads.
    pub posts: PathBuf,
    /// The model that FILE was fitted with.
    #[arg(long, value_name = "MODEL")]
    pub model: PathBuf,
    /// What `quintet fit` wrote.
    #[arg(long, value_name = "FILE")]
    pub using: PathBuf,
    /// OUT.parquet or OUT.jsonl.
    #[arg(long, value_name = "OUT")]
    pub into: PathBuf,
    /// What is said alike of evaluating, fitting and predicting.
    #[command(flatten)]
    pub task: TaskArgs,
}

/// `quintet eval retrieval`
#[derive(Debug, Args)]
#[command(after_help = "With several models of different seeds, figures are means with standard deviations.
Ties count against the model; posts that share an image are one image candidate.")]
pub struct Retrieval {
    /// The corpus folder.
    pub corpus: PathBuf,
    /// Model or run folder, or NAME=MODEL; several of one name are seeds of one setting, several names stand side by side.
    #[arg(long, required = true, value_name = "[NAME=]MODEL")]
    pub model: Vec<String>,
    /// Which part to measure on.
    #[arg(long, default_value = "dev", value_name = "train|dev|test")]
    pub part: String,
    /// Only posts imported from this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Only posts from this source ask; the candidates are those of the whole part.
    #[arg(long, value_name = "NAME")]
    pub queries_from: Option<String>,
    /// Directions with fewer queries are left out.
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub min_queries: usize,
    /// Where.
    #[command(flatten)]
    pub device: DeviceArgs,
}

/// `quintet demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Where the corpus, the runs and the report go.
    #[arg(long, default_value = "quintet-demo", value_name = "FOLDER")]
    pub into: PathBuf,
    /// Number of synthetic posts.
    #[arg(long, default_value_t = 3000)]
    pub posts: usize,
    /// Same seed, same figures.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `quintet reproduce`
#[derive(Debug, Args)]
#[command(
    after_help = "Needs hours on a laptop; what is finished is kept, and the same command goes on where it was stopped.
Without --data, only what runs on the synthetic town. Writes report.html, its tables as report.md,
results.json, and a file a run in results/.

Examples:
  quintet reproduce --data DATA --into paper
  quintet reproduce --data DATA --into paper --only bots,location --seeds 1
  quintet reproduce --into paper --report-only       (draw the report anew)"
)]
pub struct Reproduce {
    /// Folder of the public data sets, one folder each (mvsa, vmu, pan19, ...).
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where corpora, runs, results and the report go.
    #[arg(long, value_name = "OUT")]
    pub into: PathBuf,
    /// Seeds 1 to N for every run.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub seeds: u64,
    /// Only runs with one of these in their name, such as retrieval-union,hashtags,ablations-town.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Run nothing; draw the report from what is there.
    #[arg(long)]
    pub report_only: bool,
}

/// `quintet completions`
#[derive(Debug, Args)]
pub struct Completions {
    /// bash, zsh, fish, elvish, powershell.
    pub shell: clap_complete::Shell,
}
