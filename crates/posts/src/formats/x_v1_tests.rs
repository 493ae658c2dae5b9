//! The odd corners of v1.1 objects. Every object here is synthetic.

use serde_json::{Value, json};

use super::*;
use crate::formats;

fn read(value: Value) -> (Vec<Record>, Notes) {
    let (mut notes, mut records) = (Notes::default(), Vec::new());
    formats::read(&XV1, value.to_string().as_bytes(), &mut notes, &mut records);
    (records, notes)
}

fn read_one(value: Value) -> (Record, Notes) {
    let (mut records, notes) = read(value);
    assert_eq!(records.len(), 1);
    (records.remove(0), notes)
}

fn found(value: Value) -> (Found, Notes) {
    match read_one(value) {
        (Record::Post(found), notes) => (*found, notes),
        (other, _) => panic!("not a post: {other:?}"),
    }
}

fn rejected(value: Value) -> String {
    match read_one(value).0 {
        Record::Rejected(reason) => reason,
        other => panic!("not rejected: {other:?}"),
    }
}

#[test]
fn the_known_fields_are_sorted() {
    assert!(FIELDS.is_sorted());
}

#[test]
fn a_stream_tweet_reads_text_and_entities_from_the_extended_container() {
    let (found, notes) = found(json!({
        "id": 1100000000000000001u64, "id_str": "1100000000000000001", "created_at": "Wed Mar 04 19:00:08 +0000 2020",
        "text": "cut\u{2026}", "truncated": true, "lang": "und",
        "entities": {"hashtags": [{"text": "wrong"}]},
        "extended_tweet": {
            "full_text": "@a 1 &lt; 2 &amp;amp; #Sun \u{1F31E} https://t.co/abc", "display_text_range": [3, 29],
            "entities": {"hashtags": [{"text": "Sun"}], "user_mentions": [{"screen_name": "a", "id_str": "7"}, {"screen_name": "A", "id_str": "7"}]},
            "extended_entities": {"media": [
                {"type": "photo", "media_url_https": "https://img.example/1.jpg"},
                {"type": "video", "media_url_https": "https://img.example/2.jpg"}]}
        },
        "coordinates": {"type": "Point", "coordinates": [-73.9, 40.7]},
        "place": {"id": "01a9", "full_name": "Manhattan, NY", "place_type": "city", "country_code": "US",
                  "bounding_box": {"type": "Polygon", "coordinates": [[[-74.0, 40.6], [-74.0, 40.9], [-73.8, 40.9], [-73.8, 40.6]]]}},
        "user": {"id_str": "9", "screen_name": "b", "location": "", "followers_count": 3, "description": "R&amp;D"}
    }));
    let post = found.post;
    assert_eq!(post.text, "@a 1 < 2 &amp; #Sun \u{1F31E}");
    assert_eq!((post.hashtags, post.lang), (vec!["Sun".to_owned()], None));
    assert_eq!(post.mentions, [Mention { id: Some("7".into()), handle: Some("a".into()) }]);
    assert_eq!(post.images.len(), 1);
    assert_eq!(post.geo, Some(Point { lat: 40.7, lon: -73.9 }));
    assert_eq!(post.place.and_then(|p| p.bounds), Some([-74.0, 40.6, -73.8, 40.9]));
    assert_eq!(post.created_at, "2020-03-04T19:00:08Z".parse().ok());
    let author = post.author.unwrap();
    assert_eq!((author.location, author.description.as_deref()), (None, Some("R&D")));
    assert_eq!(notes, Notes::default());
}

#[test]
fn a_retweet_stands_for_the_post_inside_and_a_quote_brings_its_own() {
    let (found, _) = found(json!({
        "id_str": "3", "text": "RT @a: cut", "user": {"id_str": "1"},
        "retweeted_status": {"id_str": "2", "full_text": "whole", "quoted_status_id_str": "1",
                             "quoted_status": {"id_str": "1", "text": "said"}}
    }));
    assert!(found.repost);
    assert_eq!((found.post.id.as_str(), found.post.text.as_str()), ("2", "whole"));
    assert_eq!(found.post.quote_of.as_deref(), Some("1"));
    assert_eq!(found.quoted[0].text, "said");
}

#[test]
fn what_stays_cut_is_marked() {
    let cut = |value: Value| found(value).0.cut;
    assert_eq!(cut(json!({"id_str": "1", "text": "a\u{2026} https://t.co/x", "truncated": true})), ["1"]);
    assert_eq!(cut(json!({"id_str": "1", "text": "RT @b: a\u{2026}", "truncated": false})), ["1"]);
    let whole = json!({"id_str": "1", "text": "a\u{2026}", "truncated": true, "extended_tweet": {"full_text": "a b"}});
    assert!(cut(whole.clone()).is_empty());
    assert!(cut(json!({"id_str": "2", "text": "RT @b: a\u{2026}", "retweeted_status": whole})).is_empty());
    let quoted = json!({"id_str": "3", "text": "b\u{2026}", "truncated": true});
    assert_eq!(cut(json!({"id_str": "2", "text": "see\u{2026}", "quoted_status": quoted})), ["3"]);
}

#[test]
fn an_id_that_is_only_a_float_is_refused_with_the_reason() {
    let reason = rejected(json!({"id": 1.1e18, "text": "x", "user": null}));
    assert!(reason.contains("`id` is the float") && reason.contains("loses its last digits"), "{reason}");
    let (found, notes) = found(json!({"id": 5, "text": "x", "in_reply_to_status_id": 1.1e18}));
    assert_eq!((found.post.id.as_str(), found.post.reply_to), ("5", None));
    assert_eq!(notes.unusable.get("in_reply_to_status_id_str"), Some(&1));
}

#[test]
fn empty_lists_nulls_and_missing_users_are_no_obstacle() {
    let (found, notes) = found(json!({"id_str": "1", "text": "#a @b", "entities": [], "user": null, "place": null,
        "geo": null, "extended_entities": [], "novelty": 1}));
    assert_eq!(found.post.hashtags, ["a"]);
    assert_eq!(found.post.mentions[0].handle.as_deref(), Some("b"));
    assert_eq!(found.post.author, None);
    assert_eq!(notes.ignored.keys().collect::<Vec<_>>(), ["novelty"]);
    assert!(notes.unusable.is_empty());
}

#[test]
fn wrong_types_cost_the_field_and_are_counted() {
    let (found, notes) = found(
        json!({"id_str": "1", "text": "x", "user": {"id": 4, "followers_count": "many", "verified": 1},
        "coordinates": {"coordinates": [200, 95]}, "entities": {"hashtags": [7, {"text": "t"}]}, "created_at": "yesterday"}),
    );
    assert_eq!(found.post.hashtags, ["t"]);
    assert_eq!((found.post.geo, found.post.created_at), (None, None));
    let names: Vec<&str> = notes.unusable.keys().map(String::as_str).collect();
    assert_eq!(names, ["coordinates", "created_at", "entities.hashtags", "user.followers_count", "user.verified"]);
}

#[test]
fn what_is_withheld_everywhere_goes_and_versions_replace_each_other() {
    let tweet = |more: Value| {
        let mut tweet = json!({"id_str": "4", "text": "x", "user": {"id_str": "9"}});
        tweet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        tweet
    };
    assert_eq!(read_one(tweet(json!({"withheld_in_countries": ["XX"]}))).0, Record::Delete("4".into()));
    assert_eq!(read_one(tweet(json!({"withheld_copyright": true}))).0, Record::Delete("4".into()));
    let user = json!({"user": {"id": 9, "withheld_in_countries": ["XY"]}});
    assert_eq!(read_one(tweet(user)).0, Record::ForgetAuthor("9".into()));
    assert_eq!(found(tweet(json!({"withheld_in_countries": ["TR"], "withheld_copyright": false}))).0.post.id, "4");
    let edited = tweet(json!({"edit_history": {"initial_tweet_id": "2", "edit_tweet_ids": ["2", "4", "5"]}}));
    assert_eq!(found(edited).0.replaces, ["2"]);
}

#[test]
fn messages_are_told_from_posts() {
    assert_eq!(read_one(json!({"delete": {"status": {"id": 4, "id_str": "4"}}})).0, Record::Delete("4".into()));
    assert_eq!(read_one(json!({"limit": {"track": 5}})).0, Record::Message("limit".into()));
    assert_eq!(read_one(json!({"novel": {}})).0, Record::Message("unknown (novel)".into()));
    assert_eq!(
        read_one(json!({"scrub_geo": {"user_id": 8, "up_to_status_id_str": "9"}})).0,
        Record::ScrubGeo { author: "8".into(), up_to: "9".into() }
    );
    let countries = json!(["DE", "AR"]);
    let withheld = |key: &str| json!({key: {"id": 123456, "user_id": 7, "withheld_in_countries": countries}});
    assert_eq!(read_one(withheld("status_withheld")).0, Record::Delete("123456".into()));
    assert_eq!(read_one(withheld("user_withheld")).0, Record::ForgetAuthor("123456".into()));
    assert!(rejected(json!({"user_withheld": {}})).contains("without an id"));
    assert!(rejected(json!({"text": "x", "user": {}})).contains("no `id_str`"));
    assert!(rejected(json!({"id_str": "1", "text": null})).contains("no `full_text`"));
}

#[test]
fn a_search_answer_holds_many_posts() {
    let answer = json!({"statuses": [{"id_str": "1", "text": "a"}, 5], "search_metadata": {}});
    assert!(matches!(&read(answer).0[..], [Record::Post(_), Record::Rejected(_)]));
    let premium = json!({"results": [{"id_str": "1", "text": "a"}, {"id_str": "2", "text": "b"}], "next": "x"});
    assert!(matches!(&read(premium).0[..], [Record::Post(_), Record::Post(_)]));
    let empty = json!({"results": [], "requestParameters": {}});
    assert_eq!(read_one(empty).0, Record::Message("search answer (empty)".into()));
}

#[test]
fn an_activity_is_refused_with_the_way_out() {
    let activity = json!({"id": "tag:search.twitter.com,2005:1", "objectType": "activity", "verb": "post", "body": "x",
        "actor": {}, "postedTime": "2017-07-18T23:25:04.000Z"});
    assert!(XV1.recognises(&formats::parse(activity.to_string().as_bytes()).unwrap()));
    assert!(rejected(activity).contains("original format"));
}
