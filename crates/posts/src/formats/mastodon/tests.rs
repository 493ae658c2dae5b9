//! The odd corners of Mastodon's objects. Every object here is synthetic.

use serde_json::{Value, json};

use super::*;
use crate::formats::{Found, testing};
use crate::post::Mention;

fn read(value: Value) -> (Vec<Record>, Notes) {
    testing::read(&Mastodon, &value)
}

fn one(value: Value) -> Record {
    testing::one(&Mastodon, &value)
}

fn found(value: Value) -> Found {
    testing::found(&Mastodon, &value)
}

fn status(more: Value) -> Value {
    testing::with(
        json!({"id": "109000000000000001", "uri": "https://a.example/users/ann/statuses/109000000000000001", "created_at": "2024-02-01T10:00:00.000Z",
            "content": "<p>hello</p>", "visibility": "public", "language": "en", "spoiler_text": "", "sensitive": false, "tags": [], "mentions": [],
            "media_attachments": [], "account": {"id": "7", "username": "ann", "acct": "ann", "bot": false}}),
        &more,
    )
}

#[test]
fn a_status_gives_every_field() {
    let post = found(status(json!({
        "spoiler_text": "food", "sensitive": true, "in_reply_to_id": "5",
        "content": "<p>Soup &amp; bread <a href=\"https://a.example/tags/koln\" class=\"mention hashtag\" rel=\"tag\">#<span>Köln</span></a></p>",
        "tags": [{"name": "extra", "url": "x"}, {"name": "koln", "url": "https://a.example/tags/koln"}],
        "mentions": [{"id": "8", "username": "bob", "acct": "bob@b.example", "url": "x"}, {"id": "8", "acct": "bob@b.example"}],
        "media_attachments": [{"type": "image", "url": "https://a.example/1.png", "description": "a bowl"},
            {"type": "video", "url": "https://a.example/2.mp4"}, {"type": "image", "url": null, "remote_url": "https://b.example/3.png"}, {"type": "image"}],
        "account": {"id": "7", "acct": "ann", "display_name": "Ann", "note": "<p>I cook<br>a lot</p>", "bot": true, "created_at": "2022-11-01T00:00:00.000Z",
            "followers_count": 1, "following_count": 2, "statuses_count": 3, "fields": [{"name": "Location", "value": "<p>Köln</p>"}]}
    })));
    let labels: Vec<(&str, &str, &str)> =
        post.labels.iter().map(|l| (l.id.as_str(), l.name.as_str(), l.value.as_str())).collect();
    assert_eq!(labels, [("109000000000000001", "sensitive", "true"), ("7", "declared_bot", "true")]);
    let post = post.post;
    assert_eq!(post.text, "food\n\nSoup & bread #Köln");
    assert_eq!(post.hashtags, ["Köln", "extra"]);
    assert_eq!(post.mentions, [Mention { id: Some("8".into()), handle: Some("bob@b.example".into()) }]);
    let urls: Vec<_> = post.images.iter().filter_map(|i| i.url.as_deref()).collect();
    assert_eq!(urls, ["https://a.example/1.png", "https://b.example/3.png"]);
    assert_eq!((post.images[0].alt.as_deref(), post.reply_to.as_deref()), (Some("a bowl"), Some("5")));
    let author = post.author.unwrap_or_default();
    assert_eq!((author.location.as_deref(), author.description.as_deref()), (Some("Köln"), Some("I cook\na lot")));
    assert_eq!((author.followers, author.following, author.posts), (Some(1), Some(2), Some(3)));
}

#[test]
fn boosts_quotes_and_direct_messages() {
    let boost = status(
        json!({"id": "2", "content": "", "reblog": status(json!({"id": "1", "content": "<p>the original</p>"}))}),
    );
    let found_boost = found(boost);
    assert!(found_boost.repost);
    assert_eq!((found_boost.post.id.as_str(), found_boost.post.text.as_str()), ("1", "the original"));
    let inner = status(json!({"id": "3", "sensitive": true}));
    let quoting = found(status(json!({"quote": {"state": "accepted", "quoted_status": inner.clone()}})));
    assert_eq!((quoting.post.quote_of.as_deref(), quoting.quoted.len(), quoting.labels.len()), (Some("3"), 1, 3));
    assert_eq!(found(status(json!({"quote": inner}))).quoted.len(), 1);
    let shallow = found(status(json!({"quote": {"state": "accepted", "quoted_status_id": "9"}})));
    assert_eq!((shallow.post.quote_of.as_deref(), shallow.quoted.len()), (Some("9"), 0));
    assert_eq!(found(status(json!({"quote": null, "quote_id": "4"}))).post.quote_of.as_deref(), Some("4"));
    assert_eq!(one(status(json!({"visibility": "direct"}))), Record::Message("direct message, left out".into()));
    let hidden = status(json!({"visibility": "direct", "id": "6"}));
    assert_eq!(found(status(json!({"quote": {"quoted_status": hidden}}))).quoted.len(), 0);
}

#[test]
fn broken_statuses_say_why() {
    for (more, reason) in [
        (json!({"id": 1.09e17}), "float"),
        (json!({"id": null}), "no `id`"),
        (json!({"content": null}), "no `content`"),
        (json!({"reblog": {"id": "1"}}), "reblog: no `content`"),
    ] {
        assert!(matches!(one(status(more)), Record::Rejected(r) if r.contains(reason)), "{reason}");
    }
    let (records, notes) = read(status(
        json!({"account": {"acct": "x"}, "created_at": "soon", "new_field": 1, "tags": 5, "mentions": [1, {}]}),
    ));
    let [Record::Post(found)] = &records[..] else { panic!("{records:?}") };
    assert!(found.post.author.is_none() && found.post.created_at.is_none() && found.post.mentions.is_empty());
    assert_eq!((notes.unusable["account"], notes.unusable["created_at"], notes.ignored["new_field"]), (1, 1, 1));
}

#[test]
fn events_hold_json_inside_json() {
    let event = |name: &str, payload: Value| json!({"stream": ["public"], "event": name, "payload": payload});
    assert_eq!(found(event("update", json!(status(json!({})).to_string()))).post.text, "hello");
    assert_eq!(found(event("update", status(json!({})))).post.text, "hello");
    let edited = found(event("status.update", json!(status(json!({"edited_at": "2024-02-02T00:00:00Z"})).to_string())));
    assert_eq!(edited.edited, "2024-02-02T00:00:00Z".parse().ok());
    assert!(found(event("status.update", json!(status(json!({})).to_string()))).edited.is_some());
    assert_eq!(one(event("delete", json!("1090"))), Record::Delete("1090".into()));
    assert_eq!(one(event("delete", json!(1090))), Record::Delete("1090".into()));
    assert!(matches!(one(event("delete", json!(""))), Record::Rejected(_)));
    assert_eq!(one(event("notification", json!("{}"))), Record::Message("event notification".into()));
    assert_eq!(one(json!({"event": "filters_changed"})), Record::Message("event filters_changed".into()));
    assert!(matches!(one(event("update", json!("{\"id\":"))), Record::Rejected(r) if r.contains("payload: cut off")));
    assert!(matches!(one(event("update", json!(5))), Record::Rejected(_)));
    let half = status(json!({"content": "HALF"})).to_string().replace("HALF", "a\\ud83d");
    assert_eq!(found(event("update", json!(half))).post.text, "a\u{fffd}");
}

#[test]
fn searches_and_threads_are_pages() {
    let (records, _) = read(json!({"accounts": [], "statuses": [status(json!({})), 3], "hashtags": []}));
    assert!(matches!(&records[..], [Record::Post(_), Record::Rejected(_)]));
    let (records, _) =
        read(json!({"ancestors": [status(json!({"id": "1"}))], "descendants": [status(json!({"id": "2"}))]}));
    assert_eq!(records.len(), 2);
    let (records, _) = read(json!({"ancestors": [], "descendants": []}));
    assert_eq!(records, [Record::Message("page without statuses".into())]);
}

fn note(more: Value) -> Value {
    testing::with(
        json!({"id": "https://a.example/users/ann/statuses/1", "type": "Note", "published": "2024-02-01T10:00:00Z",
            "attributedTo": "https://a.example/users/ann", "to": ["https://www.w3.org/ns/activitystreams#Public"],
            "cc": ["https://a.example/users/ann/followers"], "content": "<p>hello</p>", "contentMap": {"de": "<p>hello</p>"}}),
        &more,
    )
}

fn activity(kind: &str, object: Value) -> Value {
    json!({"id": "https://a.example/x", "type": kind, "actor": "https://a.example/users/ann", "published": "2024-02-03T00:00:00Z", "object": object})
}

#[test]
fn an_outbox_gives_its_posts_and_counts_the_rest() {
    let private = note(json!({"to": ["https://b.example/users/bob"], "cc": []}));
    let (records, _) = read(
        json!({"@context": "https://www.w3.org/ns/activitystreams", "id": "outbox.json", "type": "OrderedCollection", "totalItems": 6,
        "orderedItems": [
            activity("Create", note(json!({
                "summary": "food", "sensitive": true, "inReplyTo": "https://b.example/users/bob/statuses/9",
                "tag": [{"type": "Mention", "href": "https://b.example/users/bob", "name": "@bob@b.example"}, {"type": "Hashtag", "name": "#soup"}, {"type": "Emoji", "name": ":x:"}],
                "attachment": [{"type": "Document", "mediaType": "image/jpeg", "url": "/media_attachments/files/1/o.jpg", "name": "a bowl"},
                               {"type": "Document", "mediaType": "video/mp4", "url": "/media_attachments/files/2/o.mp4"}]}))),
            activity("Announce", json!("https://b.example/users/bob/statuses/3")),
            activity("Create", private), "https://b.example/users/bob/statuses/4", 5, activity("Like", json!("x"))]}),
    );
    let [Record::Post(found), rest @ ..] = &records[..] else { panic!("{records:?}") };
    let post = &found.post;
    assert_eq!((post.text.as_str(), post.lang.as_deref()), ("food\n\nhello", Some("de")));
    assert_eq!((post.hashtags[0].as_str(), post.mentions[0].handle.as_deref()), ("soup", Some("bob@b.example")));
    assert_eq!(post.images.len(), 1);
    assert_eq!(post.images[0].path.as_deref(), Some("media_attachments/files/1/o.jpg"));
    assert_eq!(post.author.as_ref().and_then(|a| a.handle.as_deref()), Some("ann@a.example"));
    assert_eq!(post.reply_to.as_deref(), Some("https://b.example/users/bob/statuses/9"));
    assert_eq!(found.labels.len(), 1);
    let message = |text: &str| Record::Message(text.to_owned());
    assert_eq!(rest[..3], [message("Announce"), message("direct message, left out"), message("address of a post")]);
    assert!(matches!(&rest[3], Record::Rejected(r) if r.contains("a number")));
    assert_eq!(rest[4], message("Like"));
    assert_eq!(one(json!({"type": "OrderedCollection", "orderedItems": []})), message("collection without items"));
}

#[test]
fn activities_edit_boost_and_delete() {
    assert_eq!(found(note(json!({}))).post.id, "https://a.example/users/ann/statuses/1");
    let update = found(activity("Update", note(json!({"updated": "2024-02-04T00:00:00Z"}))));
    assert_eq!(update.edited, "2024-02-04T00:00:00Z".parse().ok());
    assert_eq!(found(activity("Update", note(json!({})))).edited, "2024-02-03T00:00:00Z".parse().ok());
    assert!(found(activity("Announce", note(json!({})))).repost);
    assert_eq!(
        one(activity("Delete", json!({"id": "https://a.example/1", "type": "Tombstone"}))),
        Record::Delete("https://a.example/1".into())
    );
    assert_eq!(one(activity("Delete", json!("https://a.example/2"))), Record::Delete("https://a.example/2".into()));
    assert_eq!(
        one(activity("Delete", json!("https://a.example/users/ann"))),
        Record::ForgetAuthor("https://a.example/users/ann".into())
    );
    assert!(matches!(one(activity("Delete", json!({}))), Record::Rejected(_)));
    assert_eq!(one(activity("Update", json!({"type": "Person", "id": "x"}))), Record::Message("Update".into()));
    let article = note(
        json!({"type": "Article", "name": "Title", "content": null, "contentMap": {"en": "<p>x</p>"}, "tag": {"type": "Hashtag", "name": "#One"}}),
    );
    let post = found(article).post;
    assert_eq!((post.text.as_str(), post.lang.as_deref(), post.hashtags.len()), ("Title\n\nx", Some("en"), 1));
    assert!(
        matches!(one(note(json!({"content": 5, "contentMap": null}))), Record::Rejected(r) if r.contains("content"))
    );
    let elsewhere = found(note(json!({"attributedTo": [{"id": "https://a.example/@ann", "type": "Person"}], "quoteUrl": "https://b.example/q"}))).post;
    assert_eq!(elsewhere.author.and_then(|a| a.handle).as_deref(), Some("ann@a.example"));
    assert_eq!(elsewhere.quote_of.as_deref(), Some("https://b.example/q"));
}
