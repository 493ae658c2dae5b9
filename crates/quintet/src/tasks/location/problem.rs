//! Reads what is to be located: posts, their classes and parts, coordinates; and embeds what methods start from.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use quintet_kernels::rng::{Rng, label};

use super::items::{Item, Profiles, View, group, profile};
use crate::component::Component;
use crate::error::{Error, Result};
use crate::metrics::geo;
use crate::posts::{Corpus, Part, Place, Point, Post};
use crate::progress::Progress;
use crate::tasks::{Inputs, Labels, Options, Unit, inputs};
use crate::train::ModelFolder;

/// Everything a fit or an evaluation needs.
pub struct Problem {
    inputs: Inputs,
    /// Posts as they are without their authors.
    anonymous: Vec<Post>,
    components: Vec<Component>,
    profiles: Profiles,
    /// What an item is.
    pub unit: Unit,
    /// Names of the classes of training; after them those of measured items that training does not have.
    pub class_names: Vec<String>,
    /// How many of them training has.
    pub classes: usize,
    /// Items to learn from.
    pub train: Vec<Item>,
    /// Items on which epochs and grids are chosen.
    pub held: Vec<Item>,
    /// Items to measure.
    pub measured: Vec<Item>,
    /// Training authors without a class: the mention graph sees them.
    pub others: Vec<Item>,
    /// The middle of each class, where training has coordinates.
    pub centres: Vec<Option<Point>>,
    /// Counts that a reader needs.
    pub facts: Vec<(String, String)>,
}

impl Problem {
    /// Reads, labels and embeds: the training part, the dev part for choosing and, to be `measured`, another part.
    ///
    /// # Errors
    /// If there are no posts, no classes, only one class, nothing in a part, or the model has no text branch.
    pub fn read(
        corpus: &Corpus,
        model: &ModelFolder,
        options: &Options,
        measured: Option<Part>,
        progress: &dyn Progress,
    ) -> Result<Problem> {
        let components = components(model, options)?;
        let (mut posts, mut parts) = inputs::read(corpus, options.source.as_deref())?;
        let classes = Classes::read(corpus, &posts, &parts, options)?;
        let unit = options.unit.unwrap_or(classes.unit);
        let wanted =
            |part: Option<Part>| part.is_some_and(|p| p == Part::Train || p == Part::Dev || Some(p) == measured);
        let has_author = |post: &Post| unit == Unit::Post || post.author.is_some();
        let keep: Vec<bool> = posts
            .iter()
            .zip(&parts)
            .map(|(post, part)| {
                wanted(*part) && has_author(post) && (classes.of(post).is_some() || *part == Some(Part::Train))
            })
            .collect();
        retain(&mut posts, &keep);
        retain(&mut parts, &keep);
        let of_part = |part: Part| -> Vec<Item> {
            let mut items = group(&posts, unit);
            items.iter_mut().for_each(|item| item.posts.retain(|&post| parts[post] == Some(part)));
            items.retain(|item| !item.posts.is_empty());
            items
        };
        let (train, others) = classes.labelled(of_part(Part::Train), &posts);
        let (held, _) = classes.labelled(of_part(Part::Dev), &posts);
        let (measured_items, _) =
            measured.map_or_else(Default::default, |part| classes.labelled(of_part(part), &posts));
        let mut problem = Problem {
            inputs: Inputs::default(),
            anonymous: Vec::new(),
            components,
            profiles: Profiles { embeddings: Default::default(), of: Vec::new() },
            unit,
            class_names: Vec::new(),
            classes: 0,
            train,
            held,
            measured: measured_items,
            others,
            centres: Vec::new(),
            facts: classes.facts.clone(),
        };
        problem.number_classes(&classes.names);
        problem.check(corpus, options, measured)?;
        problem.hold_some_back(options.seed);
        problem.describe(&posts);
        problem.centres = problem.middles(&posts);
        problem.embed(corpus, model, posts, parts, progress)?;
        Ok(problem)
    }

    /// Reads and embeds every post, for predicting.
    ///
    /// # Errors
    /// If there are no posts, or the model has no text branch.
    pub fn unlabelled(
        corpus: &Corpus,
        model: &ModelFolder,
        options: &Options,
        components: &[Component],
        unit: Unit,
        progress: &dyn Progress,
    ) -> Result<Problem> {
        let (posts, parts) = inputs::read(corpus, options.source.as_deref())?;
        let mut problem = Problem {
            inputs: Inputs::default(),
            anonymous: Vec::new(),
            components: components.to_vec(),
            profiles: Profiles { embeddings: Default::default(), of: Vec::new() },
            unit,
            class_names: Vec::new(),
            classes: 0,
            train: Vec::new(),
            held: Vec::new(),
            measured: group(&posts, unit),
            others: Vec::new(),
            centres: Vec::new(),
            facts: Vec::new(),
        };
        problem.embed(corpus, model, posts, parts, progress)?;
        Ok(problem)
    }

    /// What methods may see: with the author, or the text alone.
    pub fn view(&self, author: bool) -> View<'_> {
        let seen = |c: &Component| *c != Component::User || author;
        View {
            posts: Cow::Borrowed(if author { &self.inputs.posts } else { &self.anonymous }),
            embeddings: &self.inputs.embeddings,
            components: self.components.iter().copied().filter(seen).collect(),
            profiles: author.then_some(&self.profiles),
        }
    }

    /// The posts, with their authors.
    pub fn posts(&self) -> &[Post] {
        &self.inputs.posts
    }

    /// The components in use.
    pub fn components(&self) -> &[Component] {
        &self.components
    }

    /// Whether a post has words or a vector: where neither, nothing is known of it.
    pub fn usable(&self, item: &Item) -> bool {
        item.posts.iter().any(|&post| {
            let has = |c: &Component| self.inputs.embeddings.vector(*c, post).is_some();
            !self.inputs.posts[post].text.trim().is_empty() || self.components.iter().any(has)
        })
    }

    /// Where an item was: the middle of its posts' coordinates.
    pub fn point(&self, item: &Item) -> Option<Point> {
        let points: Vec<Point> = item.posts.iter().filter_map(|&post| point(&self.inputs.posts[post])).collect();
        geo::middle(&points)
    }

    /// Numbers the classes of training from 0 and those that only others have after them.
    fn number_classes(&mut self, names: &[String]) {
        let mut number: Vec<Option<usize>> = vec![None; names.len()];
        let mut in_training: Vec<usize> = self.train.iter().map(|item| item.class).collect();
        let mut elsewhere: Vec<usize> = self.held.iter().chain(&self.measured).map(|item| item.class).collect();
        for list in [&mut in_training, &mut elsewhere] {
            list.sort_unstable();
            list.dedup();
            for &class in list.iter() {
                if number[class].is_none() {
                    number[class] = Some(self.class_names.len());
                    self.class_names.push(names[class].clone());
                }
            }
        }
        self.classes = in_training.len();
        for item in self.train.iter_mut().chain(&mut self.held).chain(&mut self.measured) {
            item.class = number[item.class].unwrap_or(0);
        }
        // Nothing can be chosen on a class that nothing was learned of.
        let classes = self.classes;
        self.held.retain(|item| item.class < classes);
    }

    fn check(&self, corpus: &Corpus, options: &Options, measured: Option<Part>) -> Result<()> {
        let unit = self.unit;
        if self.train.is_empty() {
            return Err(Error::input(format!("no {unit} of the train part has a label or place"))
                .at(corpus.root())
                .help("divide the corpus with `quintet split`"));
        }
        if self.classes < 2 {
            let what = format!("all {} training {unit}s are of one class, {}", self.train.len(), self.class_names[0]);
            return Err(Error::input(what)
                .at(corpus.root())
                .help("there is nothing to tell apart; two classes are needed"));
        }
        if measured.is_some() && self.measured.is_empty() {
            return Err(Error::input(format!("no {unit} of the {} part has a label or place", options.part))
                .at(corpus.root())
                .help("make parts with `quintet split`, or measure another with --part"));
        }
        Ok(())
    }

    /// Without a dev part a tenth of the training authors is for choosing.
    fn hold_some_back(&mut self, seed: u64) {
        if !self.held.is_empty() {
            return;
        }
        let chosen = |item: &Item| {
            let group = item.group.as_deref().unwrap_or(&item.id);
            Rng::new(seed, &[label("location held"), label(group)]).index(10) == 0
        };
        let (held, train): (Vec<Item>, Vec<Item>) = self.train.drain(..).partition(chosen);
        (self.held, self.train) = (held, train);
        let mut left: Vec<usize> = self.train.iter().map(|item| item.class).collect();
        left.sort_unstable();
        left.dedup();
        if left.len() < self.classes || self.held.is_empty() {
            // Too few to spare any: what is chosen, is chosen on what is learned.
            self.train.append(&mut self.held);
            self.held.clone_from(&self.train);
        }
    }

    fn describe(&mut self, posts: &[Post]) {
        let unit = self.unit;
        let count = |items: &[Item]| {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            items.iter().for_each(|item| *counts.entry(&self.class_names[item.class]).or_default() += 1);
            let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
            counts.sort_by_key(|&(_, n)| std::cmp::Reverse(n));
            let most: Vec<String> = counts.iter().take(8).map(|(name, n)| format!("{n} {name}")).collect();
            let more = if counts.len() > 8 { format!(", {} more classes", counts.len() - 8) } else { String::new() };
            let of_posts: usize = items.iter().map(|item| item.posts.len()).sum();
            let of_posts = if unit == Unit::Author { format!(", {of_posts} posts") } else { String::new() };
            format!("{}{of_posts} ({}{more})", items.len(), most.join(", "))
        };
        let with_profile = |items: &[Item]| {
            let all = items.iter().flat_map(|item| &item.posts);
            all.filter(|&&post| profile(&posts[post]).is_some()).count()
        };
        let mut facts = vec![(format!("training {unit}s"), count(&self.train))];
        if !self.measured.is_empty() {
            facts.push((format!("measured {unit}s"), count(&self.measured)));
            let unseen = self.measured.iter().filter(|item| item.class >= self.classes).count();
            if unseen > 0 {
                facts.push(("measured, of a class that training lacks, counted as wrong".into(), unseen.to_string()));
            }
        }
        let profiles = format!("{} training, {} measured", with_profile(&self.train), with_profile(&self.measured));
        facts.push(("posts with a profile location".into(), profiles));
        if !self.others.is_empty() {
            facts.push((
                format!("training {unit}s without a class, seen by the mention graph"),
                self.others.len().to_string(),
            ));
        }
        facts.append(&mut self.facts);
        self.facts = facts;
    }

    fn middles(&self, posts: &[Post]) -> Vec<Option<Point>> {
        let mut points = vec![Vec::new(); self.class_names.len()];
        for item in &self.train {
            points[item.class].extend(item.posts.iter().filter_map(|&post| point(&posts[post])));
        }
        points.iter().map(|points| geo::middle(points)).collect()
    }

    fn embed(
        &mut self,
        corpus: &Corpus,
        model: &ModelFolder,
        posts: Vec<Post>,
        parts: Vec<Option<Part>>,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.anonymous = posts.iter().map(|post| Post { author: None, ..post.clone() }).collect();
        self.profiles = profiles(corpus, model, &posts, progress)?;
        self.inputs = Inputs::embed(corpus, model, posts, parts, &self.components, progress)?;
        let without = (0..self.inputs.len())
            .filter(|&post| self.components.iter().all(|&c| self.inputs.embeddings.vector(c, post).is_none()))
            .count();
        if without == self.inputs.len() {
            let names: Vec<&str> = self.components.iter().map(|c| c.name()).collect();
            return Err(Error::input(format!("none of {without} posts has any of {}", names.join(", ")))
                .at(corpus.root())
                .help("check with `quintet check` what the posts have, or use a model with other components"));
        }
        if without > 0 {
            self.facts.push(("posts without any vector".into(), without.to_string()));
        }
        Ok(())
    }
}

/// The components that methods start from. Text is needed: profile locations go through its branch.
fn components(model: &ModelFolder, options: &Options) -> Result<Vec<Component>> {
    let components = inputs::components(model, &options.components, &[Component::Location])?;
    if !model.config.components.contains(&Component::Text) {
        return Err(Error::input("the model has no text branch, through which profile locations go")
            .help("train a model with text among its components"));
    }
    Ok(components)
}

/// Distinct profile locations through the text branch.
fn profiles(corpus: &Corpus, model: &ModelFolder, posts: &[Post], progress: &dyn Progress) -> Result<Profiles> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let mut texts: Vec<Post> = Vec::new();
    let of = posts.iter().map(|post| {
        let location = profile(post)?;
        Some(*known.entry(location).or_insert_with(|| {
            texts.push(Post { id: format!("profile {}", texts.len()), text: location.to_owned(), ..Post::default() });
            texts.len() - 1
        }))
    });
    let of = of.collect();
    let parts = vec![None; texts.len()];
    let embeddings = if texts.is_empty() {
        crate::embed::Embeddings::empty(model.network.dim(), 0)
    } else {
        Inputs::embed(corpus, model, texts, parts, &[Component::Text], progress)?.embeddings
    };
    Ok(Profiles { embeddings, of })
}

/// Exact coordinates, or the middle of the place's box.
fn point(post: &Post) -> Option<Point> {
    let [west, south, east, north] = match (post.geo, post.place.as_ref().and_then(|place| place.bounds)) {
        (Some(point), _) => return Some(point),
        (None, bounds) => bounds?,
    };
    geo::middle(&[
        Point { lat: south, lon: west },
        Point { lat: south, lon: east },
        Point { lat: north, lon: west },
        Point { lat: north, lon: east },
    ])
}

/// The classes: a label, or the place of each post.
struct Classes {
    names: Vec<String>,
    unit: Unit,
    labels: Option<Labels>,
    /// Id of a place -> class.
    places: HashMap<String, usize>,
    facts: Vec<(String, String)>,
}

impl Classes {
    /// The label named in `options`; without a name the posts' places, and where they have none, their only label.
    fn read(corpus: &Corpus, posts: &[Post], parts: &[Option<Part>], options: &Options) -> Result<Classes> {
        let kind: String = options.setting("place_kind", String::new())?;
        let trained = |i: &usize| parts[*i] == Some(Part::Train);
        let places: Vec<&Place> = (0..posts.len()).filter(trained).filter_map(|i| posts[i].place.as_ref()).collect();
        if options.label.is_none() && !places.is_empty() {
            // The paper's classes are cities; a corpus whose places have other kinds keeps them all.
            let city = places.iter().any(|place| place.kind.as_deref() == Some("city"));
            let kind = if kind.is_empty() && city { "city".to_owned() } else { kind };
            return Ok(Classes::of_places(posts, &kind));
        }
        let labels = Labels::read(corpus, posts, options.label.as_deref())?;
        let mut facts = Vec::new();
        if labels.unknown > 0 {
            facts.push(("labels of ids that are not here".into(), labels.unknown.to_string()));
        }
        let (names, unit) = (labels.values.clone(), labels.unit);
        Ok(Classes { names, unit, labels: Some(labels), places: HashMap::new(), facts })
    }

    fn of_places(posts: &[Post], kind: &str) -> Classes {
        let mut found: BTreeMap<&str, &Place> = BTreeMap::new();
        for place in posts.iter().filter_map(|post| post.place.as_ref()) {
            if kind.is_empty() || place.kind.as_deref() == Some(kind) {
                found.entry(&place.id).or_insert(place);
            }
        }
        let names = found.values().map(|place| place.name.clone().unwrap_or_else(|| place.id.clone())).collect();
        let places = found.keys().enumerate().map(|(class, id)| ((*id).to_owned(), class)).collect();
        let kinds = if kind.is_empty() { "of any kind".to_owned() } else { format!("of kind {kind}") };
        let facts = vec![("classes".into(), format!("places {kinds}"))];
        Classes { names, unit: Unit::Post, labels: None, places, facts }
    }

    fn of(&self, post: &Post) -> Option<usize> {
        match &self.labels {
            Some(labels) => labels.of(post),
            None => self.places.get(&post.place.as_ref()?.id).copied(),
        }
    }

    /// Items with a class (of an author, the one that most of their posts have) and those without.
    fn labelled(&self, items: Vec<Item>, posts: &[Post]) -> (Vec<Item>, Vec<Item>) {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for mut item in items {
            let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
            item.posts
                .iter()
                .filter_map(|&post| self.of(&posts[post]))
                .for_each(|c| *counts.entry(c).or_default() += 1);
            match counts.iter().max_by_key(|&(class, n)| (*n, std::cmp::Reverse(*class))) {
                Some((&class, _)) => {
                    item.class = class;
                    with.push(item);
                }
                None => without.push(item),
            }
        }
        (with, without)
    }
}

/// Keeps the values at positions where `keep` says so.
fn retain<T>(values: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    values.retain(|_| keep.next().copied().unwrap_or(false));
}
