//! Posts as columns: those of `posts.parquet`, the part, a column a label, and images packed in.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use rayon::prelude::*;

use super::Picked;
use super::images::inside;
use crate::Corpus;
use crate::corpus::Label;
use crate::error::{Error, Result};
use crate::parquet::schema;
use crate::parquet_writer::column;
use crate::{Part, Post};

/// The first image of a post with its bytes.
pub(super) const IMAGE: &str = "image";
/// The other images.
pub(super) const MORE_IMAGES: &str = "more_images";
/// The part.
const PART: &str = "part";

/// Where a column comes from.
#[derive(Clone, Debug, PartialEq)]
enum Origin {
    /// A column of `posts.parquet`, by its position.
    Own(usize),
    Part,
    /// A label: index into [`Columns::labels`].
    Label(usize),
    Image,
    MoreImages,
}

/// The columns of a table, and what they need to know.
pub(super) struct Columns {
    origins: Vec<Origin>,
    schema: SchemaRef,
    /// Values of each label by id; author labels are keyed by author.
    labels: Vec<LabelTable>,
    /// Values of a label beyond the first of an item: a column has room for one.
    pub surplus_labels: u64,
    root: PathBuf,
    packs_images: bool,
}

/// Kind (`post` or `author`) and name of a label.
type LabelKey = (String, String);

/// A label with its value for each id.
type LabelTable = (LabelKey, HashMap<String, String>);

/// The Arrow type of an image: its bytes and its path, as `datasets` reads images.
pub(super) fn image_type() -> DataType {
    DataType::Struct(image_fields())
}

fn image_fields() -> Fields {
    vec![Field::new("bytes", DataType::Binary, true), Field::new("path", DataType::Utf8, true)].into()
}

impl Columns {
    /// All columns, or those named in `wanted`, in the order of the table.
    ///
    /// # Errors
    /// If a name is unknown; the message lists those there are.
    pub fn new(corpus: &Corpus, wanted: Option<&[String]>, with_part: bool, with_images: bool) -> Result<Columns> {
        let (labels, surplus_labels) = by_name(corpus.labels()?);
        let own = schema();
        let mut all: Vec<(Origin, Field)> =
            own.fields().iter().enumerate().map(|(i, f)| (Origin::Own(i), f.as_ref().clone())).collect();
        if with_part {
            all.push((Origin::Part, Field::new(PART, DataType::Utf8, true)));
        }
        if with_images {
            all.push((Origin::Image, Field::new(IMAGE, image_type(), true)));
            let item = Arc::new(Field::new("item", image_type(), true));
            all.push((Origin::MoreImages, Field::new(MORE_IMAGES, DataType::List(item), true)));
        }
        for (i, ((kind, name), _)) in labels.iter().enumerate() {
            all.push((Origin::Label(i), Field::new(format!("label_{kind}_{name}"), DataType::Utf8, true)));
        }
        if let Some(wanted) = wanted {
            let names: Vec<&str> = all.iter().map(|(_, f)| f.name().as_str()).collect();
            if let Some(unknown) = wanted.iter().find(|w| !names.contains(&w.as_str())) {
                let what = format!("there is no column `{unknown}`");
                return Err(Error::config(what).help(format!("columns are {}", names.join(", "))));
            }
            all.retain(|(_, f)| wanted.iter().any(|w| w == f.name()));
        }
        let (origins, fields): (Vec<Origin>, Vec<Field>) = all.into_iter().unzip();
        let packs_images = origins.iter().any(|o| matches!(o, Origin::Image | Origin::MoreImages));
        let schema = Arc::new(Schema::new_with_metadata(fields, pictures(&origins)));
        Ok(Columns { origins, schema, labels, surplus_labels, root: corpus.root().to_owned(), packs_images })
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether the table can be read as a table of posts.
    pub fn are_posts(&self) -> bool {
        let own = schema();
        let needed = own.fields().iter().filter(|f| !f.is_nullable() && !matches!(f.data_type(), DataType::List(_)));
        needed.into_iter().all(|f| self.schema.field_with_name(f.name()).is_ok())
    }

    /// Whether images are packed in.
    pub fn packs_images(&self) -> bool {
        self.packs_images
    }

    /// Where the file of an image is.
    pub fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Posts as a batch, with the numbers of images packed in and of those whose files are missing.
    ///
    /// # Errors
    /// A bug of ours: the columns do not make a batch.
    pub fn batch(&self, picked: Vec<Picked>) -> Result<(RecordBatch, u64, u64)> {
        let (mut posts, parts): (Vec<Post>, Vec<Option<Part>>) = picked.into_iter().unzip();
        let packed = if self.packs_images { Packed::read(&posts, &self.root) } else { Packed::default() };
        if self.packs_images {
            // Where the files stand here is nobody's business elsewhere.
            for path in posts.iter_mut().flat_map(|p| &mut p.images).filter_map(|i| i.path.as_mut()) {
                *path = inside(Path::new(path)).to_string_lossy().into_owned();
            }
        }
        let columns: Vec<ArrayRef> = self
            .origins
            .iter()
            .map(|origin| match origin {
                Origin::Own(i) => column(*i, &posts),
                Origin::Part => Arc::new(parts.iter().map(|p| p.map(Part::name)).collect::<StringArray>()) as ArrayRef,
                Origin::Label(i) => self.label(*i, &posts),
                Origin::Image => packed.first(),
                Origin::MoreImages => packed.more(),
            })
            .collect();
        let batch = RecordBatch::try_new(self.schema.clone(), columns)
            .map_err(|e| Error::internal(format!("the columns do not make a table: {e}")))?;
        Ok((batch, packed.taken(), packed.missing))
    }

    fn label(&self, index: usize, posts: &[Post]) -> ArrayRef {
        let ((kind, _), values) = &self.labels[index];
        let value = |post: &Post| {
            let id = if kind == "author" { &post.author.as_ref()?.id } else { &post.id };
            values.get(id).map(String::as_str)
        };
        Arc::new(posts.iter().map(value).collect::<StringArray>())
    }
}

/// What tells `datasets` which columns are pictures.
fn pictures(origins: &[Origin]) -> HashMap<String, String> {
    let mut features = serde_json::Map::new();
    let picture = serde_json::json!({ "_type": "Image" });
    if origins.contains(&Origin::Image) {
        features.insert(IMAGE.to_owned(), picture.clone());
    }
    if origins.contains(&Origin::MoreImages) {
        features.insert(MORE_IMAGES.to_owned(), serde_json::json!([picture]));
    }
    if features.is_empty() {
        return HashMap::new();
    }
    let info = serde_json::json!({ "info": { "features": features } });
    HashMap::from([("huggingface".to_owned(), info.to_string())])
}

/// Labels by kind and name; an item's first value counts, and the others are counted.
fn by_name(labels: Vec<Label>) -> (Vec<LabelTable>, u64) {
    let keys: BTreeSet<LabelKey> = labels.iter().map(|l| (l.kind.clone(), l.name.clone())).collect();
    let mut tables: Vec<LabelTable> = keys.into_iter().map(|key| (key, HashMap::new())).collect();
    let mut surplus = 0;
    for label in labels {
        let key = (label.kind, label.name);
        if let Ok(at) = tables.binary_search_by(|(k, _)| k.cmp(&key)) {
            let mut value = Some(label.value);
            let kept = tables[at].1.entry(label.id).or_insert_with(|| value.take().unwrap_or_default());
            surplus += u64::from(value.is_some_and(|v| v != *kept));
        }
    }
    (tables, surplus)
}

/// Images of posts with their bytes.
#[derive(Default)]
struct Packed {
    /// Of each post, its images that have a file: path and bytes; no bytes if the file cannot be read.
    of_post: Vec<Vec<(String, Option<Vec<u8>>)>>,
    missing: u64,
}

impl Packed {
    fn read(posts: &[Post], root: &Path) -> Packed {
        let name = |path: &String| inside(Path::new(path)).to_string_lossy().into_owned();
        let read = |path: &String| (name(path), std::fs::read(root.join(path)).ok());
        let of_post: Vec<Vec<(String, Option<Vec<u8>>)>> =
            posts.par_iter().map(|p| p.images.iter().filter_map(|i| i.path.as_ref()).map(read).collect()).collect();
        let missing = of_post.iter().flatten().filter(|(_, bytes)| bytes.is_none()).count() as u64;
        Packed { of_post, missing }
    }

    fn taken(&self) -> u64 {
        self.of_post.iter().flatten().filter(|(_, bytes)| bytes.is_some()).count() as u64
    }

    /// What can be read of a post's images.
    fn readable(of: &[(String, Option<Vec<u8>>)]) -> impl Iterator<Item = (&str, &[u8])> {
        of.iter().filter_map(|(path, bytes)| Some((path.as_str(), bytes.as_deref()?)))
    }

    fn first(&self) -> ArrayRef {
        let first: Vec<Option<(&str, &[u8])>> = self.of_post.iter().map(|of| Packed::readable(of).next()).collect();
        images(&first)
    }

    fn more(&self) -> ArrayRef {
        let more: Vec<Vec<_>> =
            self.of_post.iter().map(|of| Packed::readable(of).skip(1).map(Some).collect()).collect();
        let lengths = OffsetBuffer::from_lengths(more.iter().map(Vec::len));
        let item = Arc::new(Field::new("item", image_type(), true));
        Arc::new(ListArray::new(item, lengths, images(&more.concat()), None))
    }
}

/// Images as a column of structs.
fn images(images: &[Option<(&str, &[u8])>]) -> ArrayRef {
    let bytes: BinaryArray = images.iter().map(|i| i.map(|i| i.1)).collect();
    let paths: StringArray = images.iter().map(|i| i.map(|i| i.0)).collect();
    let there: NullBuffer = images.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    Arc::new(StructArray::new(image_fields(), vec![Arc::new(bytes), Arc::new(paths)], Some(there)))
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    #[test]
    fn the_first_value_of_a_label_counts_and_others_are_counted() {
        let label = |id: &str, value: &str| Label {
            kind: "post".into(),
            id: id.into(),
            name: "mood".into(),
            value: value.into(),
        };
        let (tables, surplus) =
            by_name(vec![label("1", "glad"), label("1", "glad"), label("1", "sad"), label("2", "sad")]);
        assert_eq!((tables.len(), surplus), (1, 1));
        assert_eq!(tables[0].1["1"], "glad");
    }

    #[test]
    fn images_that_cannot_be_read_are_null() {
        let column = images(&[Some(("a.png", &b"x"[..])), None]);
        assert_eq!((column.len(), column.null_count()), (2, 1));
    }
}
