//! The shapes that objects of v2 come in. Every object here is synthetic.

use serde_json::{Value, json};

use super::super::x_v2_notices::{AUTHOR_GOES, POST_GOES};
use super::*;
use crate::formats;
use crate::post::Point;

fn read(value: &Value) -> (Vec<Record>, Notes) {
    let text = value.to_string();
    assert!(XV2.recognises(&formats::parse(text.as_bytes()).unwrap()), "not recognised: {text}");
    let (mut notes, mut records) = (Notes::default(), Vec::new());
    formats::read(&XV2, text.as_bytes(), &mut notes, &mut records);
    (records, notes)
}

fn founds(value: &Value) -> (Vec<Found>, Notes) {
    let (records, notes) = read(value);
    let found = |record| match record {
        Record::Post(found) => *found,
        other => panic!("not a post: {other:?}"),
    };
    (records.into_iter().map(found).collect(), notes)
}

fn found(value: &Value) -> Found {
    let (mut all, _) = founds(value);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// A page with one post of every kind.
fn page() -> Value {
    json!({
        "data": [
            {"id": "11", "text": "R&amp;D #Sun @ann https://t.co/p", "author_id": "1", "created_at": "2022-03-10T16:47:48.000Z",
             "lang": "en", "attachments": {"media_keys": ["3_1", "7_2", "3_9"], "poll_ids": ["5"]},
             "entities": {"hashtags": [{"start": 8, "end": 12, "tag": "Sun"}],
                          "mentions": [{"start": 13, "end": 17, "username": "ann", "id": "2"}],
                          "urls": [{"url": "https://t.co/p", "expanded_url": "https://x.example/a/status/11/photo/1", "media_key": "3_1"}],
                          "annotations": [{"type": "Place", "normalized_text": "Berlin"}]},
             "context_annotations": [{"domain": {}}], "public_metrics": {"like_count": 3},
             "geo": {"place_id": "aa", "coordinates": {"type": "Point", "coordinates": [13.4, 52.5]}}},
            {"id": "12", "text": "RT @ann: a long te\u{2026}", "author_id": "1", "referenced_tweets": [{"type": "retweeted", "id": "21"}]},
            {"id": "13", "text": "so true https://t.co/q", "author_id": "3",
             "entities": {"urls": [{"url": "https://t.co/q", "expanded_url": "https://x.example/ann/status/21"}]},
             "referenced_tweets": [{"type": "quoted", "id": "21"}, {"type": "replied_to", "id": "22"}]},
            {"id": "14", "text": "RT @gone: not he\u{2026}", "author_id": "1", "referenced_tweets": [{"type": "retweeted", "id": "99"}]},
            {"author_id": "1", "text": "no id"}
        ],
        "includes": {
            "users": [{"id": "1", "username": "bob", "name": "Bob &amp; Co", "description": "", "location": "Köln", "verified": false,
                       "created_at": "2014-02-14T22:26:08.000Z",
                       "public_metrics": {"followers_count": 4, "following_count": 5, "tweet_count": 6, "listed_count": 7}},
                      {"id": "2", "username": "ann", "name": "Ann", "pinned_tweet_id": "23"}],
            "tweets": [{"id": "21", "text": "a long text, whole", "author_id": "2"}, {"id": "22", "text": "first", "author_id": "1"},
                       {"id": "23", "text": "pinned", "author_id": "2"}],
            "media": [{"media_key": "3_1", "type": "photo", "url": "https://img.example/1.jpg", "alt_text": "a dog"},
                      {"media_key": "7_2", "type": "video", "preview_image_url": "https://img.example/2.jpg"}],
            "places": [{"id": "aa", "full_name": "Berlin, Germany", "place_type": "city", "country_code": "DE", "country": "Germany",
                        "geo": {"type": "Feature", "bbox": [13.0, 52.3, 13.7, 52.6]}}],
            "polls": [{"id": "5", "options": []}]
        },
        "errors": [{"title": "Not Found Error", "resource_type": "tweet", "value": "99", "type": "https://api.twitter.com/2/problems/resource-not-found"}],
        "meta": {"result_count": 5}, "__twarc": {"version": "2.0"}
    })
}

#[test]
fn the_known_fields_are_sorted() {
    assert!(FIELDS.is_sorted());
}

#[test]
fn a_page_resolves_what_its_posts_refer_to() {
    let (mut records, notes) = read(&page());
    assert_eq!(notes, Notes::default());
    assert_eq!(records.len(), 6);
    assert_eq!(records.pop(), Some(Record::Message("error: Not Found Error".into())));
    assert_eq!(records.pop(), Some(Record::Rejected("no `id`".into())));
    let mut founds = records.into_iter().map(|r| match r {
        Record::Post(found) => *found,
        other => panic!("{other:?}"),
    });
    let first = founds.next().unwrap();
    let post = &first.post;
    assert_eq!((post.text.as_str(), post.hashtags[0].as_str(), post.images.len()), ("R&D #Sun @ann", "Sun", 1));
    assert_eq!(post.images[0].alt.as_deref(), Some("a dog"));
    assert_eq!(post.mentions, [Mention { id: Some("2".into()), handle: Some("ann".into()) }]);
    assert_eq!(
        (post.geo, post.created_at),
        (Some(Point { lat: 52.5, lon: 13.4 }), "2022-03-10T16:47:48Z".parse().ok())
    );
    let place = post.place.as_ref().unwrap();
    assert_eq!((place.name.as_deref(), place.bounds), (Some("Berlin, Germany"), Some([13.0, 52.3, 13.7, 52.6])));
    let author = post.author.as_ref().unwrap();
    assert_eq!(
        (author.name.as_deref(), author.posts, author.description.as_deref()),
        (Some("Bob & Co"), Some(6), None)
    );
    assert_eq!(
        first.quoted.iter().map(|p| p.id.as_str()).collect::<Vec<_>>(),
        ["23"],
        "what no post names is not lost"
    );

    let repost = founds.next().unwrap();
    assert_eq!((repost.repost, repost.post.id.as_str(), repost.post.text.as_str()), (true, "21", "a long text, whole"));
    assert_eq!(repost.post.author.unwrap().handle.as_deref(), Some("ann"));
    let quote = founds.next().unwrap();
    assert_eq!((quote.post.text.as_str(), quote.post.quote_of.as_deref()), ("so true", Some("21")));
    assert_eq!(quote.post.reply_to.as_deref(), Some("22"));
    assert_eq!(quote.post.author.as_ref().map(|a| (a.id.as_str(), a.handle.is_none())), Some(("3", true)));
    assert_eq!(quote.quoted.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["a long text, whole", "first"]);
    let alone = founds.next().unwrap();
    assert_eq!((alone.repost, alone.post.id.as_str(), alone.cut), (false, "14", vec!["14".to_owned()]));
}

#[test]
fn a_stream_line_and_a_flattened_post_read_the_same() {
    let whole = page();
    let line =
        json!({"data": whole["data"][0], "includes": whole["includes"], "matching_rules": [{"id": "1", "tag": "t"}]});
    let mut flat = whole["data"][0].clone();
    flat["author"] = whole["includes"]["users"][0].clone();
    flat["attachments"]["media"] = whole["includes"]["media"].clone();
    let place = whole["includes"]["places"][0].as_object().unwrap().clone();
    flat["geo"].as_object_mut().unwrap().extend(place);
    flat["__twarc"] = json!({});
    let from_line = found(&line);
    assert_eq!(found(&flat).post, from_line.post);
    assert_eq!(from_line.quoted.len(), 3);
    let repost = json!({"id": "12", "text": "RT @ann: a lo\u{2026}", "author_id": "1", "author": {"id": "1"}, "referenced_tweets": [
        {"type": "retweeted", "id": "21", "text": "a long text, whole", "author_id": "2", "author": {"id": "2", "username": "ann"}}]});
    let repost = found(&repost);
    assert_eq!((repost.repost, repost.post.text.as_str()), (true, "a long text, whole"));
    assert_eq!(repost.post.author.unwrap().handle.as_deref(), Some("ann"));
}

#[test]
fn a_later_version_replaces_the_earlier_ones() {
    let version = |id: &str| json!({"id": id, "text": format!("v{id}"), "author_id": "1", "edit_history_tweet_ids": ["1", "2", "3"]});
    let page = json!({"data": version("2"), "includes": {"tweets": [version("1"), version("2")]}});
    let found = found(&page);
    assert_eq!((found.post.id.as_str(), found.replaces), ("2", vec!["1".to_owned()]));
    assert_eq!(found.quoted[0].id, "1");
}

#[test]
fn a_long_post_is_read_whole() {
    let long = json!({"id": "1", "text": "cut\u{2026}", "author_id": "1", "entities": {"hashtags": [{"tag": "a"}]},
        "note_tweet": {"text": "all of it #a #b", "entities": {"hashtags": [{"tag": "a"}, {"tag": "b"}]}}});
    let post = found(&long).post;
    assert_eq!((post.text.as_str(), post.hashtags.len()), ("all of it #a #b", 2));
}

#[test]
fn what_is_withheld_everywhere_goes() {
    let with = |withheld: Value| json!({"data": [{"id": "1", "text": "x", "author_id": "9", "withheld": withheld}], "meta": {}});
    let one = |value: &Value| read(value).0.remove(0);
    assert_eq!(one(&with(json!({"copyright": true, "country_codes": ["US"]}))), Record::Delete("1".into()));
    assert_eq!(one(&with(json!({"scope": "user", "country_codes": ["XX"]}))), Record::ForgetAuthor("9".into()));
    assert!(matches!(one(&with(json!({"copyright": false, "country_codes": ["TR"]}))), Record::Post(_)));
}

#[test]
fn compliance_notices_are_obeyed() {
    let one = |data: Value| read(&json!({"data": data})).0.remove(0);
    let post = json!({"tweet": {"id": "5", "author_id": "9"}, "event_at": "2022-12-23T12:34:56.789Z"});
    let user = json!({"user": {"id": "9"}, "up_to_tweet_id": "7"});
    for kind in POST_GOES {
        assert_eq!(one(json!({kind: post})), Record::Delete("5".into()));
    }
    for kind in AUTHOR_GOES {
        assert_eq!(one(json!({kind: user})), Record::ForgetAuthor("9".into()));
    }
    assert_eq!(one(json!({"scrub_geo": user})), Record::ScrubGeo { author: "9".into(), up_to: "7".into() });
    assert_eq!(one(json!({"user_undelete": user})), Record::Message("user_undelete".into()));
    assert!(matches!(one(json!({"delete": {}})), Record::Rejected(reason) if reason.contains("without an id")));
}

#[test]
fn pages_without_posts_are_accounted_for() {
    let kinds = |value: Value| -> Vec<String> {
        let kind = |record| match record {
            Record::Message(kind) => kind,
            other => panic!("{other:?}"),
        };
        read(&value).0.into_iter().map(kind).collect()
    };
    assert_eq!(kinds(json!({"data": [{"start": "a", "end": "b", "tweet_count": 5}], "meta": {}})), ["tweet count"]);
    assert_eq!(kinds(json!({"data": [{"id": "1", "username": "u", "name": "n"}]})), ["user"]);
    assert_eq!(kinds(json!({"data": [], "meta": {"result_count": 0}})), ["page (empty)"]);
    let problem =
        json!({"title": "ConnectionException", "type": "https://api.twitter.com/2/problems/streaming-connection"});
    assert_eq!(kinds(problem.clone()), ["error: ConnectionException"]);
    assert_eq!(kinds(json!({"errors": [problem]})), ["error: ConnectionException"]);
    // Where the format was named: no line goes without an account.
    let (mut notes, mut records) = (Notes::default(), Vec::new());
    formats::read(&XV2, br#"{"errors": []}"#, &mut notes, &mut records);
    assert_eq!(records, [Record::Rejected("no `id`".into())]);
}

#[test]
fn wrong_types_cost_the_field_and_what_is_unknown_is_counted() {
    let odd = json!({"id": "1", "text": "x", "author_id": 1.1e18, "entities": {"mentions": [5, {}], "hashtags": [{}]}, "novelty": 1,
        "geo": {"place_id": "p", "geo": {"bbox": [1, 2]}, "full_name": "P", "coordinates": {"coordinates": [200, 95]}}, "created_at": "soon"});
    let (founds, notes) = founds(&odd);
    assert_eq!((founds[0].post.author.is_none(), founds[0].post.place.is_some()), (true, true));
    let unusable: Vec<&str> = notes.unusable.keys().map(String::as_str).collect();
    assert_eq!(unusable, ["author_id", "created_at", "geo", "place.geo.bbox"]);
    assert_eq!(notes.ignored.keys().collect::<Vec<_>>(), ["novelty"]);
    let float = json!({"data": [{"id": 1.5e18, "text": "x"}], "meta": {}});
    assert!(matches!(&read(&float).0[0], Record::Rejected(reason) if reason.contains("loses its last digits")));
}

#[test]
fn other_formats_are_left_alone() {
    let is_v2 = |value: Value| XV2.recognises(&formats::parse(value.to_string().as_bytes()).unwrap());
    assert!(!is_v2(json!({"id": 5, "id_str": "5", "text": "x", "user": {}, "author_id": "1"})));
    assert!(!is_v2(json!({"id": "5", "text": "x"})));
    assert!(!is_v2(json!({"errors": [{"code": 88, "message": "Rate limit exceeded"}]})));
    assert!(!is_v2(json!({"data": {"id": "1"}, "kind": "commit"})));
    assert!(!is_v2(json!({"data": [{"uri": "at://x"}]})));
}
