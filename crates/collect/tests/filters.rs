//! The paper's filter - all components present, a box, kinds of places - on streams of X: v1.1 and v2.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Server, begin, chunk, collect_with, collected, hold, quick, x};
use quintet_collect::{CollectOptions, CollectReport, Filter};
use quintet_posts::Component;
use serde_json::{Value, json};

/// Sends lines to a collector with the paper's filter until so many are kept: what it reports and kept.
fn filtered(sent: Vec<String>, kept: u64) -> (CollectReport, Vec<String>) {
    let server = Server::start(move |_, _, stream| {
        begin(stream, "");
        chunk(stream, sent.concat().as_bytes());
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let filter = Filter {
        components: Component::ALL.to_vec(),
        within: Some("-170,15,-50,72".parse().unwrap()),
        place_kinds: vec!["city".into(), "poi".into()],
    };
    let report = collect_with(&x(&server), kept, folder.path(), &CollectOptions { filter, ..quick() });
    (report, collected(folder.path()))
}

/// A post of v1.1 in a place of a kind, with an image and a tag or without.
fn full_post(id: u64, kind: &str, lon: f64, image: bool) -> String {
    let media = "\"media\":[{\"id_str\":\"1\",\"type\":\"photo\",\"media_url_https\":\"https://i.example/a.jpg\",\"indices\":[9,12]}],";
    let media = if image { media } else { "" };
    let box_ = format!("[[[{lon},40.0],[{lon},40.2],[{0},40.2],[{0},40.0]]]", lon + 0.2);
    format!(
        "{{\"created_at\":\"Wed Mar 04 19:00:08 +0000 2020\",\"id\":{id},\"id_str\":\"{id}\",\"text\":\"words #tag url\",\
         \"truncated\":false,\"entities\":{{{media}\"hashtags\":[{{\"text\":\"tag\",\"indices\":[6,10]}}]}},\
         \"extended_entities\":{{{media}\"x\":0}},\"user\":{{\"id\":7,\"id_str\":\"7\",\"screen_name\":\"a\"}},\
         \"place\":{{\"id\":\"p\",\"place_type\":\"{kind}\",\"full_name\":\"P\",\"country_code\":\"US\",\
         \"bounding_box\":{{\"type\":\"Polygon\",\"coordinates\":{box_}}}}}}}\n"
    )
}

#[test]
fn lines_of_v1_are_kept_if_they_have_all_components_inside_the_box() {
    let sent = [
        full_post(1, "city", -74.0, true),
        full_post(2, "city", -74.0, false),
        full_post(3, "city", 13.0, true),
        full_post(4, "country", -74.0, true),
        "{\"delete\":{\"status\":{\"id_str\":\"9\"}}}\n".to_owned(),
        full_post(5, "poi", -100.0, true),
    ];
    let (report, found) = filtered(sent.to_vec(), 3);
    assert_eq!((report.run.posts, report.run.kept, report.run.all, report.run.deletes), (5, 2, 4, 1));
    assert_eq!(report.run.components[Component::Image], 4);
    let ids = ["\"id\":1,", "\"delete\"", "\"id\":5,"];
    assert!(found.len() == 3 && found.iter().zip(ids).all(|(line, id)| line.contains(id)), "{found:?}");
}

/// A line of v2 with all five components, from the middle of a place of a kind.
fn line(id: u32, kind: &str, lon: f64) -> Value {
    json!({
        "data": {
            "id": id.to_string(), "text": "words #tag https://t.co/p", "author_id": "7", "created_at": "2022-03-10T16:47:48.000Z",
            "attachments": {"media_keys": ["3_1"]}, "entities": {"hashtags": [{"start": 6, "end": 10, "tag": "tag"}]},
            "geo": {"place_id": "p"}
        },
        "includes": {
            "users": [{"id": "7", "username": "a", "name": "A"}],
            "media": [{"media_key": "3_1", "type": "photo", "url": "https://i.example/a.jpg"}],
            "places": [{"id": "p", "place_type": kind, "full_name": "P", "country_code": "US",
                        "geo": {"type": "Feature", "bbox": [lon - 0.2, 40.0, lon + 0.2, 40.2]}}]
        },
        "matching_rules": [{"id": "1", "tag": "t"}]
    })
}

/// The line with a field of its post replaced.
fn with(mut line: Value, field: &str, value: Value) -> Value {
    line["data"][field] = value;
    line
}

#[test]
fn lines_of_v2_are_kept_if_they_have_all_components_inside_the_box() {
    let point =
        |lon: f64, lat: f64| json!({"place_id": "p", "coordinates": {"type": "Point", "coordinates": [lon, lat]}});
    let mut without_places = line(6, "city", -74.0);
    without_places["includes"]["places"] = json!([]);
    // Stands for the post inside, which has everything; itself it has nothing.
    let mut repost = line(8, "poi", -80.0);
    let inner = repost["data"].take();
    repost["includes"]["tweets"] = json!([inner]);
    repost["data"] = json!({"id": "80", "text": "RT @a: words\u{2026}", "author_id": "9", "referenced_tweets": [{"type": "retweeted", "id": "8"}]});
    let sent: Vec<Value> = vec![
        line(1, "city", -74.0),
        with(line(2, "city", -74.0), "attachments", json!({})),
        with(line(3, "city", -74.0), "entities", json!({})),
        line(4, "city", 13.0),
        line(5, "country", -74.0),
        without_places,
        // Coordinates decide before the place.
        with(line(7, "poi", -74.0), "geo", point(13.4, 52.5)),
        repost,
        with(line(9, "poi", 13.0), "geo", point(-74.0, 40.1)),
        json!({"data": {"delete": {"tweet": {"id": "5", "author_id": "7"}}}}),
        json!({"errors": [{"title": "Forbidden", "type": "https://api.twitter.com/2/problems/not-authorized-for-resource"}]}),
    ];
    // Keep-alives stand between.
    let (report, found) = filtered(sent.iter().map(|line| format!("{line}\r\n\r\n")).collect(), 5);
    assert_eq!((report.run.posts, report.run.kept, report.run.deletes), (9, 3, 1), "{report:?}");
    let components = report.run.components;
    assert_eq!((components[Component::Image], components[Component::Hashtags]), (8, 8));
    let kept: Vec<Value> = found.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(kept, [0, 7, 8, 9, 10].map(|at| sent[at].clone()), "as they came");
}
