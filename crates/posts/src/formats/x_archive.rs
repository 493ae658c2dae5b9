//! The personal archive that X hands out: the lists that `data/tweets.js` and its like assign to `window.YTD...`.
//!
//! An element wraps a v1.1 tweet without its user (`{"tweet": {...}}`); numbers in it are text. Whose archive it is stands
//! in another file, which [`crate::owner`] reads. Tweets that their author deleted (`deleted_at`) are orders to forget
//! them; headers of tweets (ids and times without text) are counted. Likes, messages and the rest are not read at all.

use super::json::{Json, Object};
use super::{Format, Notes, Record, x_v1};

/// See the module's description.
#[derive(Debug)]
pub struct XArchive;

impl Format for XArchive {
    fn name(&self) -> &'static str {
        "x-archive"
    }

    fn about(&self) -> &'static str {
        "X/Twitter personal archive, tweets.js"
    }

    fn recognises(&self, object: &Object) -> bool {
        let id = |tweet: &Json| ["id_str", "id", "tweet_id"].iter().any(|k| tweet.get(k).is_some());
        object.len() == 1 && object.get("tweet").is_some_and(id)
    }

    fn read(&self, object: &Object, notes: &mut Notes, records: &mut Vec<Record>) {
        let Some(tweet) = object.get("tweet").and_then(Json::as_object) else {
            return records.push(Record::Rejected("no `tweet`".to_owned()));
        };
        let id = ["id_str", "id", "tweet_id"].iter().find_map(|k| tweet.get(k)?.as_str());
        records.push(match id {
            Some(id) if tweet.contains_key("deleted_at") => Record::Delete(id.to_owned()),
            Some(_) if tweet.contains_key("tweet_id") => Record::Message("tweet header".to_owned()),
            _ => x_v1::record(tweet, notes),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats;

    fn read(json: &str) -> Record {
        assert!(XArchive.recognises(&formats::parse(json.as_bytes()).unwrap()), "{json}");
        let (mut notes, mut records) = (Notes::default(), Vec::new());
        formats::read(&XArchive, json.as_bytes(), &mut notes, &mut records);
        assert_eq!((notes, records.len()), (Notes::default(), 1));
        records.remove(0)
    }

    #[test]
    fn a_wrapped_tweet_is_read_with_its_numbers_in_text() {
        let json = r#"{"tweet": {"edit_info": {"initial": {"editTweetIds": ["4", "5"]}}, "retweeted": false, "id": "5",
            "id_str": "5", "full_text": "sun \u2600 #a https://t.co/x", "display_text_range": ["0", "8"], "favorite_count": "3",
            "created_at": "Wed Mar 04 19:00:08 +0000 2020", "lang": "en", "source": "x", "truncated": false,
            "entities": {"hashtags": [{"text": "a", "indices": ["6", "8"]}], "user_mentions": [], "urls": []},
            "coordinates": {"type": "Point", "coordinates": ["-73.9", "40.7"]}}}"#;
        let Record::Post(found) = read(json) else { panic!("no post") };
        assert_eq!(
            (found.post.text.as_str(), found.post.hashtags.len(), found.replaces),
            ("sun \u{2600} #a", 1, vec!["4".to_owned()])
        );
        assert_eq!(found.post.geo.map(|p| (p.lat, p.lon)), Some((40.7, -73.9)));
    }

    #[test]
    fn what_its_author_deleted_is_forgotten_and_headers_are_counted() {
        let deleted =
            r#"{"tweet": {"id_str": "7", "full_text": "no", "deleted_at": "Wed Mar 04 19:00:08 +0000 2020"}}"#;
        assert_eq!(read(deleted), Record::Delete("7".into()));
        let header = r#"{"tweet": {"tweet_id": "8", "user_id": "1", "created_at": "x"}}"#;
        assert_eq!(read(header), Record::Message("tweet header".into()));
        assert!(!XArchive.recognises(&formats::parse(br#"{"like": {"tweetId": "1"}}"#).unwrap()));
    }
}
