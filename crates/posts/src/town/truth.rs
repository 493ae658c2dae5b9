//! The hidden side on disk: `truth.csv` (a row a post) and `truth.json` (the distributions everything was drawn from).

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TownOptions;
use super::compose::{NOTHING, Truth};
use super::states::{
    AT_HOME, CAMPAIGNS, COLOUR_NAMES, ENTITIES, IMAGE_NOISE, Noise, PLACES, State, TAG_NOISE, TEXT_NOISE, TOPIC_NAMES,
    TOPICS, place_of_state, topic_of,
};
use super::words::TAG_FORMS;
use super::world::{Kind, World};
use crate::atomic;
use crate::error::{AtPath, Error, Result};

/// Version of both files and of the town's distributions: a town of another version has another ceiling.
const FORMAT: u32 = 1;

/// The part of `truth.json` that is read back.
#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    options: TownOptions,
}

/// A row of `truth.csv`. Columns `shown_*` are state indices, empty where the post lacks the component.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// Post.
    pub post_id: String,
    /// Name of the hidden topic, or `campaign`.
    pub topic: String,
    /// Name of the hidden entity, or `campaign-N`.
    pub entity: String,
    /// Hidden colour; empty for campaigns.
    pub colour: String,
    /// State the words show.
    pub shown_text: Option<usize>,
    /// State the image shows.
    pub shown_image: Option<usize>,
    /// State the tags show.
    pub shown_hashtags: Option<usize>,
    /// Post this one copies; empty for originals.
    pub copy_of: String,
}

/// Writes `truth.csv` post by post.
pub struct TruthWriter<'w> {
    world: &'w World,
    path: PathBuf,
    table: csv::Writer<BufWriter<File>>,
}

fn table_error(path: &Path) -> impl Fn(csv::Error) -> Error + '_ {
    |e| Error::io(path, std::io::Error::other(e))
}

impl<'w> TruthWriter<'w> {
    /// Starts the file in `root`, the unfinished corpus.
    pub fn create(world: &'w World, root: &Path) -> Result<TruthWriter<'w>> {
        let path = root.join("truth.csv");
        let table = csv::Writer::from_writer(BufWriter::new(File::create(&path).at(&path)?));
        Ok(TruthWriter { world, path, table })
    }

    /// Appends post `i`.
    pub fn push(&mut self, i: usize, id: &str, truth: &Truth) -> Result<()> {
        let (topic, entity, colour) = match truth.state {
            State::Scene { entity, colour } => (
                TOPIC_NAMES[topic_of(entity)].to_owned(),
                self.world.vocabulary.entity(entity).to_owned(),
                COLOUR_NAMES[colour].to_owned(),
            ),
            State::Campaign(c) => ("campaign".to_owned(), format!("campaign-{c}"), String::new()),
        };
        let row = Row {
            post_id: id.to_owned(),
            topic,
            entity,
            colour,
            shown_text: truth.text,
            shown_image: truth.image,
            shown_hashtags: truth.hashtags,
            copy_of: truth.copy_of.map(World::post_id).unwrap_or_default(),
        };
        debug_assert_eq!(row.post_id, World::post_id(i));
        self.table.serialize(row).map_err(table_error(&self.path))
    }

    /// Puts the file on disk.
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        let mut out = self.table.into_inner().map_err(|e| Error::io(&path, std::io::Error::other(e.to_string())))?;
        out.flush().at(&path)?;
        out.get_ref().sync_all().at(&path)
    }
}

/// Writes `truth.json`: the options and every distribution in plain words, for tasks that compute a ceiling of their own.
pub fn write_world(world: &World, root: &Path) -> Result<()> {
    let path = root.join("truth.json");
    let head = Head { format: FORMAT, options: world.options.clone() };
    let entities: Vec<Value> = (0..ENTITIES)
        .map(|e| {
            let tags: Vec<String> = (0..TAG_FORMS).map(|form| world.vocabulary.entity_tag(e, form)).collect();
            json!({"name": world.vocabulary.entity(e), "topic": TOPIC_NAMES[topic_of(e)], "tags": tags})
        })
        .collect();
    let topic_tags: Vec<&str> = (0..TOPICS).map(|t| world.vocabulary.topic_tag(t)).collect();
    let places: Vec<Value> = (0..PLACES)
        .map(|l| {
            let by_entity: Vec<f64> =
                (0..ENTITIES).map(|entity| place_of_state(State::Scene { entity, colour: 0 }, l)).collect();
            json!({"id": world.places[l].id, "hosts": TOPIC_NAMES[l % TOPICS], "probability_by_entity": by_entity})
        })
        .collect();
    let noise = |n: &Noise| json!({"entity": n.entity, "topic": n.topic, "colour": n.colour});
    let value = json!({
        "synthetic": true,
        "format": head.format,
        "options": head.options,
        "state_index": "entity * 6 + colour; then campaigns; nothing = last",
        "topics": TOPIC_NAMES,
        "colours": COLOUR_NAMES,
        "campaigns": CAMPAIGNS,
        "nothing": NOTHING,
        "entities": entities,
        "topic_tags": topic_tags,
        "topic_tag_probability": super::compose::TOPIC_TAG,
        "trend_tags": world.vocabulary.trends(),
        "trend_tag_probability": super::compose::TREND_TAG,
        "noise": {"text": noise(&TEXT_NOISE), "image": noise(&IMAGE_NOISE), "hashtags": noise(&TAG_NOISE)},
        "at_home_probability": AT_HOME,
        "places": places,
        "bot_kinds": Kind::ALL.map(Kind::name),
    });
    let mut text = serde_json::to_vec_pretty(&value)
        .map_err(|e| Error::internal("the town's truth cannot be written as JSON").caused_by(e))?;
    text.push(b'\n');
    atomic::write_bytes(&path, &text)
}

/// The options a town was made with.
///
/// # Errors
/// If the corpus at `root` is no town, or one of another version.
pub fn read_options(root: &Path) -> Result<TownOptions> {
    let path = root.join("truth.json");
    if !path.is_file() {
        return Err(Error::input("this corpus is no town: it has no truth.json")
            .at(root)
            .help("only corpora made by `quintet town` have a known ceiling"));
    }
    let bytes = std::fs::read(&path).at(&path)?;
    let head: Head =
        serde_json::from_slice(&bytes).map_err(|e| Error::input("not the truth of a town").at(&path).caused_by(e))?;
    if head.format != FORMAT {
        return Err(Error::input(format!("a town of version {}; this program knows version {FORMAT}", head.format))
            .at(&path)
            .help("make the town anew with `quintet town`"));
    }
    Ok(head.options)
}

/// The rows of `truth.csv`, in the order of the posts.
///
/// # Errors
/// If the file cannot be read.
pub fn read_rows(root: &Path) -> Result<Vec<Row>> {
    let path = root.join("truth.csv");
    let bad = |e: csv::Error| Error::input(format!("not the truth of a town: {e}")).at(&path);
    csv::Reader::from_path(&path).map_err(bad)?.deserialize().map(|row| row.map_err(bad)).collect()
}
