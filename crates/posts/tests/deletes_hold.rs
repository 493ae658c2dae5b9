//! What was deleted leaves the corpus and stays away: posts, accounts, locations, in this import and in every later one.
//! All posts here are synthetic.
#![expect(clippy::unwrap_used, reason = "helpers of a test may panic like the test itself")]

use std::path::{Path, PathBuf};

use quintet_posts::corpus::Corpus;
use quintet_posts::progress::Silent;
use quintet_posts::{ImportOptions, ImportReport, Part, import};

/// A v1.1 tweet with a place.
fn tweet(id: u32, author: u32) -> String {
    format!(
        r#"{{"id_str":"{id}","text":"tweet {id}","user":{{"id_str":"{author}"}},"place":{{"id":"p"}},"coordinates":{{"type":"Point","coordinates":[1,2]}}}}"#
    )
}

const DELETE: &str = r#"{"delete":{"status":{"id":1,"id_str":"1","user_id_str":"7"}}}"#;
const WITHHELD: &str = r#"{"user_withheld":{"id":8,"withheld_in_countries":["XX"]}}"#;
const SCRUB: &str = r#"{"scrub_geo":{"user_id":9,"user_id_str":"9","up_to_status_id_str":"5"}}"#;

/// A folder with a corpus that dumps are imported into.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Place(tempfile::tempdir().unwrap())
    }

    fn corpus(&self) -> PathBuf {
        self.0.path().join("corpus")
    }

    fn import(&self, lines: &[String], options: &ImportOptions) -> ImportReport {
        let dump = self.0.path().join("dump.jsonl");
        std::fs::write(&dump, lines.join("\n")).unwrap();
        import(&[dump], options, &self.corpus(), &Silent::default()).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        Corpus::open(&self.corpus()).unwrap().posts().unwrap().into_iter().map(|p| p.id).collect()
    }

    fn forgotten(&self) -> String {
        std::fs::read_to_string(self.corpus().join("forgotten.csv")).unwrap()
    }
}

fn add() -> ImportOptions {
    ImportOptions { add: true, ..ImportOptions::default() }
}

fn lines(tweets: &[(u32, u32)], messages: &[&str]) -> Vec<String> {
    tweets.iter().map(|(id, author)| tweet(*id, *author)).chain(messages.iter().map(|m| (*m).to_owned())).collect()
}

#[test]
fn orders_take_out_what_came_before_and_after_them() {
    let place = Place::new();
    let mut dump = lines(&[(1, 7), (2, 7), (3, 8), (4, 9)], &[DELETE, WITHHELD, SCRUB]);
    dump.extend(lines(&[(1, 7), (6, 8), (5, 9), (10, 9)], &[]));
    let report = place.import(&dump, &ImportOptions::default());
    assert_eq!(place.ids(), ["2", "4", "5", "10"]);
    assert_eq!((report.rows.deleted, report.forgotten, report.messages["account gone"]), (3, 3, 1), "{report}");
    assert_eq!(place.forgotten(), "kind,id,up_to\npost,1,\nauthor,8,\ngeo,9,5\n");
    let posts = Corpus::open(&place.corpus()).unwrap().posts().unwrap();
    let located: Vec<&str> =
        posts.iter().filter(|p| p.geo.is_some() && p.place.is_some()).map(|p| p.id.as_str()).collect();
    assert_eq!(located, ["2", "10"]);
}

#[test]
fn a_later_import_obeys_what_an_earlier_one_met() {
    for options in [add(), ImportOptions { replace: true, ..ImportOptions::default() }] {
        let place = Place::new();
        place.import(&lines(&[(2, 7)], &[DELETE, WITHHELD, SCRUB]), &ImportOptions::default());
        let report = place.import(&lines(&[(1, 7), (3, 8), (4, 9), (11, 7)], &[]), &options);
        assert_eq!(place.ids(), if options.add { vec!["2", "4", "11"] } else { vec!["4", "11"] });
        assert_eq!((report.rows.deleted, report.forgotten), (2, 3), "{report}");
        let posts = Corpus::open(&place.corpus()).unwrap().posts().unwrap();
        assert!(posts.iter().all(|p| p.id != "4" || p.geo.is_none()), "scrubbed by the earlier import");
        assert_eq!(place.forgotten().lines().count(), 4, "carried on once more");
    }
}

#[test]
fn a_later_import_takes_out_what_an_earlier_one_brought() {
    let place = Place::new();
    place.import(&lines(&[(1, 7), (2, 7), (3, 8), (4, 9)], &[]), &ImportOptions::default());
    let report = place.import(&lines(&[], &[DELETE, WITHHELD, SCRUB, DELETE]), &add());
    let r = report.rows;
    assert_eq!((r.existing, r.imported, r.deleted, r.messages, report.summary.posts), (4, 0, 2, 4, 2), "{report}");
    assert_eq!(place.ids(), ["2", "4"]);
    assert!(Corpus::open(&place.corpus()).unwrap().posts().unwrap()[1].place.is_none());
}

#[test]
fn a_damaged_list_stops_the_import_before_it_can_bring_posts_back() {
    let place = Place::new();
    place.import(&lines(&[(2, 7)], &[DELETE]), &ImportOptions::default());
    std::fs::write(place.corpus().join("forgotten.csv"), "kind,id,up_to\nwho,1,\n").unwrap();
    let dump = place.0.path().join("dump.jsonl");
    let error = import(&[dump], &add(), &place.corpus(), &Silent::default()).unwrap_err();
    assert!(error.place().is_some_and(|p| p.ends_with("forgotten.csv:2")), "{error}");
    assert_eq!(place.ids(), ["2"]);
}

/// A folder in our own format with an image, a part and a label for each post.
fn set(root: &Path, ids: &[u32], part: &str, byte: u8) -> PathBuf {
    let folder = root.join("set");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("images")).unwrap();
    let each = |line: &dyn Fn(u32) -> String| ids.iter().map(|id| line(*id)).collect::<String>();
    let post = |id| {
        format!(
            "{{\"id\":\"{id}\",\"text\":\"post {id}\",\"images\":[\"images/{}.jpg\"],\"author\":{{\"id\":\"u{id}\"}}}}\n",
            id % 2
        )
    };
    std::fs::write(folder.join("posts.jsonl"), each(&post)).unwrap();
    for name in ["0", "1"] {
        std::fs::write(folder.join(format!("images/{name}.jpg")), [0xff, 0xd8, 0xff, byte]).unwrap();
    }
    std::fs::write(folder.join("splits.csv"), format!("post_id,split\n{}", each(&|id| format!("{id},{part}\n"))))
        .unwrap();
    std::fs::write(folder.join("labels.csv"), format!("post_id,l\n{}", each(&|id| format!("{id},{byte}\n")))).unwrap();
    folder
}

#[test]
fn adding_keeps_parts_labels_and_images_and_a_deleted_post_takes_its_image_along() {
    let place = Place::new();
    let first = set(place.0.path(), &[1, 2, 3], "train", 1);
    import(&[first], &add(), &place.corpus(), &Silent::default()).unwrap();
    let second = set(place.0.path(), &[3, 4], "dev", 2);
    let report = import(&[second], &add(), &place.corpus(), &Silent::default()).unwrap();
    let r = report.rows;
    assert_eq!((r.existing, r.imported, r.merged, report.summary.posts), (3, 1, 1, 4), "{report}");
    assert!(report.problems.iter().any(|p| p.contains("1 labels differ")), "{report}");
    let corpus = Corpus::open(&place.corpus()).unwrap();
    let parts = corpus.parts().unwrap();
    assert_eq!((parts["1"], parts["3"], parts["4"]), (Part::Train, Part::Train, Part::Dev));
    let labels: Vec<(String, String)> = corpus.labels().unwrap().into_iter().map(|l| (l.id, l.value)).collect();
    assert_eq!(labels.len(), 4, "{labels:?}");
    assert!(labels.contains(&("3".into(), "1".into())) && labels.contains(&("4".into(), "2".into())));
    let pixels = |id: &str| {
        let posts = corpus.posts().unwrap();
        let post = posts.iter().find(|p| p.id == id).unwrap();
        std::fs::read(corpus.image_path(&post.images[0]).unwrap()).unwrap()[3]
    };
    assert_eq!((pixels("2"), pixels("4")), (1, 2), "another image of the same name does not overwrite the first");

    // Posts 1 and 3 share an image: it stays until both are gone.
    let images = || std::fs::read_dir(corpus.root().join("images/set")).unwrap().count();
    let before = images();
    place.import(&[r#"{"delete":{"status":{"id_str":"1"}}}"#.to_owned()], &add());
    assert_eq!(images(), before);
    place.import(&[r#"{"delete":{"status":{"id_str":"3"}}}"#.to_owned()], &add());
    assert_eq!((images(), place.ids()), (before - 1, vec!["2".to_owned(), "4".to_owned()]));
}
