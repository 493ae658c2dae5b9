//! Promise: nothing fitted sees validation or test posts, a post's own text is never its neighbour, and a post's numbers
//! depend on nothing but the post and what is fitted.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use quintet::features::dataset::NONE;
use quintet::features::{Dataset, Fitted, Ragged, Status};
use quintet::posts::writer::CorpusWriter;
use quintet::posts::{Author, Corpus, Mention, Part, Place, Post};
use quintet::progress::Silent;
use quintet::{Component, Config, ErrorKind};

const TOWNS: [&str; 2] = ["north", "south"];
const WORDS: [&str; 12] =
    ["harbour", "boat", "sail", "wave", "pier", "gull", "oven", "bread", "flour", "baker", "crust", "yeast"];

/// Post `i`: twelve words of its town's half of the words, a tag, a mention, a place.
fn post(i: usize) -> Post {
    let town = i % 2;
    let words: Vec<&str> = (0..12).map(|k| WORDS[6 * town + (i * 7 + k * k * (i % 5 + 1)) % 6]).collect();
    Post {
        id: format!("post-{i}"),
        text: format!("@user{} {} number{i} #{}", i % 4, words.join(" "), WORDS[i % 12]),
        hashtags: vec![WORDS[i % 12].to_string()],
        mentions: vec![Mention { id: None, handle: Some(format!("user{}", i % 4)) }],
        author: Some(Author { id: format!("{}", i % 9), handle: Some(format!("User{}", i % 9)), ..Author::default() }),
        place: Some(Place { id: TOWNS[town].into(), name: Some("boat harbour".into()), ..Place::default() }),
        ..Post::default()
    }
}

fn part(i: usize) -> Option<Part> {
    [Some(Part::Dev), Some(Part::Test), None].get(i % 20).copied().unwrap_or(Some(Part::Train))
}

fn posts() -> Vec<Post> {
    (0..120).map(post).collect()
}

fn corpus(folder: &Path, posts: &[Post]) -> Corpus {
    let mut writer = CorpusWriter::create(folder, false, false).unwrap();
    posts.iter().enumerate().for_each(|(i, post)| writer.push(post.clone(), part(i)).unwrap());
    writer.finish().unwrap()
}

fn config() -> Config {
    Config::parse(
        "components = ['text', 'hashtags', 'location', 'user']\n\
         words = { dim = 8, epochs = 1, min_count = 2, buckets = 64 }\n\
         user = { dim = 8, walks = 2, walk_length = 8 }\n",
    )
    .unwrap()
}

/// The files that a model folder gets, by name.
fn saved(fitted: &Fitted, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fitted.save(folder).unwrap();
    let files = fs::read_dir(folder).unwrap().flatten();
    files.map(|f| (f.file_name().into_string().unwrap(), fs::read(f.path()).unwrap())).collect()
}

#[test]
fn other_parts_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let fit = |name: &str, posts: &[Post]| {
        let corpus = corpus(&folder.path().join(name), posts);
        let fitted = Fitted::fit(&corpus, &config(), &Silent::default()).unwrap();
        saved(&fitted, &folder.path().join(format!("{name}-model")))
    };
    let plain = fit("plain", &posts());
    assert_eq!(plain.len(), 5, "{:?}", plain.keys());

    let mut changed = posts();
    for (i, post) in changed.iter_mut().enumerate().filter(|(i, _)| part(*i) != Some(Part::Train)) {
        post.text = format!("entirely different words here {i} {i} {i}");
        post.hashtags = vec!["other".into()];
        post.mentions = vec![Mention { id: Some("3".into()), handle: Some("stranger".into()) }];
        post.author = Some(Author { id: "stranger".into(), ..Author::default() });
        post.place = Some(Place { id: "elsewhere".into(), ..Place::default() });
    }
    assert!(fit("changed", &changed) == plain, "a change outside the training part shows");

    let mut changed = posts();
    changed[5].text = "one training post changed".into();
    changed[5].mentions[0].handle = Some("somebody".into());
    let other = fit("train-changed", &changed);
    let differ: Vec<_> = plain.keys().filter(|name| plain[*name] != other[*name]).collect();
    assert_eq!(differ, ["places.safetensors", "users.safetensors", "vocabulary.tsv", "words.bin"]);
}

/// What a dataset says about post `i`, whatever the order of its rows.
fn about(dataset: &Dataset, i: usize) -> impl PartialEq + std::fmt::Debug + use<> {
    let row = |row: u32, rows: &quintet::features::Dense| (row != NONE).then(|| rows.row(row as usize).to_vec());
    (
        dataset.status[i],
        dataset.keys[i],
        dataset.text.get(i).to_vec(),
        row(dataset.hashtags[i], &dataset.tags),
        row(dataset.user[i], &dataset.users),
        neighbours(dataset, i),
    )
}

/// Token ids of the neighbours that post `i` may see.
fn neighbours(dataset: &Dataset, i: usize) -> Vec<Vec<u32>> {
    let place = dataset.location[i];
    let all = if place == NONE { &[][..] } else { dataset.places.get(place as usize) };
    let allowed = all.iter().filter(|n| !dataset.excluded.get(i).contains(n));
    allowed.map(|&n| dataset.neighbours.get(n as usize).to_vec()).collect()
}

#[test]
fn a_post_has_the_same_numbers_alone_in_company_and_after_saving() {
    let folder = tempfile::tempdir().unwrap();
    let mut posts = posts();
    posts.push(Post { id: "nothing but an id".into(), ..Post::default() });
    let stranger = Some(Author { id: "new".into(), ..Author::default() });
    posts.push(Post { id: "stranger".into(), author: stranger.clone(), ..post(7) });
    posts.push(Post { id: "stranger too".into(), author: stranger, mentions: Vec::new(), ..post(8) });
    let corpus = corpus(&folder.path().join("corpus"), &posts);
    let progress = Silent::default();
    let fitted = Fitted::fit(&corpus, &config(), &progress).unwrap();
    let parts = corpus.parts().unwrap();
    let all = fitted.numbers(&corpus, &posts, &parts, &progress).unwrap();
    assert_eq!(all.len(), posts.len());
    assert_eq!(all.status[120].map(|s| s == Status::Missing).0, [true; 5]);
    assert_eq!([121, 122].map(|i| all.status[i][Component::User]), [Status::Inferred; 2]);

    fitted.save(&folder.path().join("model")).unwrap();
    let opened = Fitted::open(&folder.path().join("model")).unwrap();
    for (i, post) in posts.iter().enumerate() {
        let alone = opened.numbers(&corpus, std::slice::from_ref(post), &HashMap::new(), &progress).unwrap();
        assert_eq!(about(&alone, 0), about(&all, i), "post {i}");
    }
}

#[test]
fn neighbours_are_other_training_texts() {
    let folder = tempfile::tempdir().unwrap();
    let mut posts = posts();
    posts[33].text = posts[35].text.clone();
    posts[37].text = format!("{} tail", posts[35].text);
    posts[10].place = Some(Place { id: "only here".into(), name: Some("Boat Club".into()), ..Place::default() });
    posts[20].place = Some(Place { id: "unheard of".into(), name: Some("Zzz".into()), ..Place::default() });
    let corpus = corpus(&folder.path().join("corpus"), &posts);
    let progress = Silent::default();
    let fitted = Fitted::fit(&corpus, &config(), &progress).unwrap();
    let dataset = fitted.numbers(&corpus, &posts, &corpus.parts().unwrap(), &progress).unwrap();

    let distinct = |ragged: &Ragged<u32>, i: usize| ragged.get(i).to_vec();
    for i in 0..posts.len() {
        let near = neighbours(&dataset, i);
        if part(i) == Some(Part::Train) && i != 10 {
            assert!(near.len() > 30, "post {i} has {} neighbours", near.len());
        }
        // Texts that share the row of unknown words may look alike as ids, so own words tell the texts apart here.
        let own = dataset.excluded.get(i).iter().map(|&n| distinct(&dataset.neighbours, n as usize));
        if part(i) == Some(Part::Train) && i != 10 {
            assert!(own.clone().any(|text| text == dataset.text.get(i)), "the text of post {i} is not excluded");
        }
    }
    // Three near-equal texts, two of them equal: two candidates, both hidden from all three.
    assert_eq!([33, 35, 37].map(|i| dataset.excluded.get(i).len()), [2, 2, 2]);
    // Alone in its place, a post falls back on the place's name; without a known word there is nothing to fall back on.
    assert_eq!(dataset.status[10][Component::Location], Status::Inferred);
    assert_eq!(neighbours(&dataset, 10).len(), 1);
    assert_eq!(dataset.status[20][Component::Location], Status::Unseen);
}

#[test]
fn fitting_again_reuses_and_damage_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(&folder.path().join("corpus"), &posts());
    let progress = Silent::default();
    let first = saved(&Fitted::fit(&corpus, &config(), &progress).unwrap(), &folder.path().join("1"));
    let cached: Vec<_> = fs::read_dir(corpus.root().join("features")).unwrap().flatten().map(|f| f.path()).collect();
    assert_eq!(cached.len(), 2, "{cached:?}");
    // A stop that would end training is not noticed where nothing is trained.
    let stopped = Silent::default();
    stopped.stop();
    let seed = Config { seed: 2, ..config() };
    assert!(first == saved(&Fitted::fit(&corpus, &seed, &stopped).unwrap(), &folder.path().join("2")));
    let mut words = config();
    words.words.seed = 2;
    let stop = Fitted::fit(&corpus, &words, &stopped).err().unwrap();
    assert_eq!(stop.kind(), ErrorKind::Interrupted);

    for file in cached {
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() / 2]).unwrap();
        let error = Fitted::fit(&corpus, &config(), &progress).err().unwrap();
        assert!(
            error.place().unwrap().contains(file.to_str().unwrap()) && error.way_out().unwrap().contains("delete it")
        );
        fs::write(&file, whole).unwrap();
    }
}

#[test]
fn a_corpus_without_training_posts_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CorpusWriter::create(&folder.path().join("corpus"), false, false).unwrap();
    writer.push(post(1), Some(Part::Dev)).unwrap();
    let error = Fitted::fit(&writer.finish().unwrap(), &config(), &Silent::default()).err().unwrap();
    assert!(error.to_string().contains("training part"), "{error}");
}
