//! The odd corners of Bluesky's objects. Every object here is synthetic.

use serde_json::{Value, json};

use super::*;
use crate::formats::{Found, testing};
use crate::post::Mention;

const DID: &str = "did:plc:aaaabbbbccccddddeeeeffff";

fn uri(key: &str) -> String {
    format!("at://{DID}/app.bsky.feed.post/{key}")
}

fn read(value: Value) -> (Vec<Record>, Notes) {
    testing::read(&Bluesky, &value)
}

fn one(value: Value) -> Record {
    testing::one(&Bluesky, &value)
}

fn found(value: Value) -> Found {
    testing::found(&Bluesky, &value)
}

fn commit(record: Value) -> Value {
    json!({"did": DID, "time_us": 1_725_911_162_329_308u64, "kind": "commit", "commit": {"rev": "3l", "operation": "create",
           "collection": "app.bsky.feed.post", "rkey": "k1", "record": record, "cid": "bafyr"}})
}

fn record(more: Value) -> Value {
    let record = json!({"$type": "app.bsky.feed.post", "text": "hello", "createdAt": "2024-09-09T19:46:02.102Z"});
    testing::with(record, &more)
}

#[test]
fn a_commit_gives_every_field_of_its_record() {
    let text = "Grüße 😀 @bob.example über #Köln";
    let at = |part: &str| text.find(part).unwrap_or_default();
    let found = found(commit(record(json!({
        "text": text, "langs": ["de", "en"], "tags": ["köln", "#extra"],
        "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "spoiler"}, {"val": "nudity"}]},
        "facets": [
            {"index": {"byteStart": at("#"), "byteEnd": text.len()}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "Köln"}]},
            {"index": {"byteStart": at("@"), "byteEnd": at(" über")}, "features": [{"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:bob"}]}],
        "reply": {"root": {"uri": uri("r"), "cid": "b"}, "parent": {"uri": uri("p"), "cid": "b"}},
        "embed": {"$type": "app.bsky.embed.recordWithMedia",
            "record": {"$type": "app.bsky.embed.record", "record": {"uri": uri("q"), "cid": "b"}},
            "media": {"$type": "app.bsky.embed.images", "images": [
                {"alt": "a cat", "image": {"$type": "blob", "ref": {"$link": "bafkcat"}, "mimeType": "image/jpeg", "size": 1}},
                {"alt": "", "image": {"cid": "bafkold", "mimeType": "image/png"}},
                {"alt": "lost"}]}}
    }))));
    let post = found.post;
    assert_eq!((post.id, post.lang.as_deref()), (uri("k1"), Some("de")));
    assert_eq!(post.hashtags, ["Köln", "extra"]);
    assert_eq!(post.mentions, [Mention { id: Some("did:plc:bob".into()), handle: Some("bob.example".into()) }]);
    assert_eq!((post.reply_to, post.quote_of), (Some(uri("p")), Some(uri("q"))));
    assert_eq!(post.author.map(|a| a.id).as_deref(), Some(DID));
    assert_eq!(post.created_at, "2024-09-09T19:46:02.102Z".parse().ok());
    let url = |cid| Some(format!("https://cdn.bsky.app/img/feed_fullsize/plain/{DID}/{cid}@jpeg"));
    assert_eq!(post.images.len(), 2);
    assert_eq!((post.images[0].alt.as_deref(), &post.images[0].url), (Some("a cat"), &url("bafkcat")));
    assert_eq!((post.images[1].alt.as_deref(), &post.images[1].url), (None, &url("bafkold")));
    assert_eq!(found.labels.len(), 1);
    assert_eq!((found.labels[0].name.as_str(), found.labels[0].value.as_str()), ("self_label", "nudity+spoiler"));
}

#[test]
fn facets_off_the_text_or_inside_a_character_name_their_accounts_and_tags() {
    let facet = |start: u64, end: u64, feature: Value| json!({"index": {"byteStart": start, "byteEnd": end}, "features": [feature]});
    let mention = json!({"$type": "app.bsky.richtext.facet#mention", "did": "did:plc:x"});
    let tag = json!({"$type": "app.bsky.richtext.facet#tag", "tag": "t"});
    let nothing = json!({"$type": "app.bsky.richtext.facet#tag", "tag": "#"});
    let strange = json!({"$type": "com.example#bold"});
    let value = commit(record(json!({"text": "😀", "facets": [
        facet(1, 3, mention), facet(9, 1, tag), facet(0, u64::MAX, nothing), facet(0, 4, strange), 7, {"index": {"byteStart": -1}}]})));
    let (records, notes) = read(value);
    let [Record::Post(found)] = &records[..] else { panic!("{records:?}") };
    assert_eq!(found.post.mentions, [Mention { id: Some("did:plc:x".into()), handle: None }]);
    assert_eq!(found.post.hashtags, ["t"]);
    assert_eq!((notes.unusable["facets.index"], notes.unusable["facets.features.tag"]), (5, 1));
    assert_eq!(notes.ignored["facets.features"], 1);
}

#[test]
fn without_facets_the_text_is_read_and_handles_are_whole_domains() {
    let text = "#Sun (@ann.example.org) mail me@home.org @bot @bob.example. #x";
    let post = found(commit(record(json!({"text": text})))).post;
    assert_eq!(post.hashtags, ["Sun", "x"]);
    let handles: Vec<_> = post.mentions.iter().filter_map(|m| m.handle.as_deref()).collect();
    assert_eq!(handles, ["ann.example.org", "bob.example"]);
    let post = found(commit(record(json!({"text": text, "facets": []})))).post;
    assert!(post.hashtags.is_empty() && post.mentions.is_empty());
    let old = json!([{"index": {"start": 0, "end": 4}, "type": "mention", "value": "did:plc:old"}, {"type": "link", "value": "x"}]);
    let post = found(commit(record(json!({"entities": old})))).post;
    assert_eq!(post.mentions[0].id.as_deref(), Some("did:plc:old"));
}

#[test]
fn a_post_is_never_later_than_its_event() {
    let time = |created: Value| found(commit(record(json!({"createdAt": created})))).post.created_at;
    let witnessed = "2024-09-09T19:46:02.329308Z".parse().ok();
    assert_eq!(time(json!("2031-01-01T00:00:00Z")), witnessed);
    assert_eq!(time(json!("yesterday")), witnessed);
    assert_eq!(time(json!("2020-01-01T00:00:00+01:00")), "2019-12-31T23:00:00Z".parse().ok());
}

#[test]
fn events_of_v1_delete_update_and_speak_of_accounts() {
    let mut delete = json!({"did": DID, "time_us": 5, "kind": "commit", "commit": {"rev": "3l", "operation": "delete",
        "collection": "app.bsky.feed.post", "rkey": "gone"}});
    assert_eq!(one(delete.clone()), Record::Delete(uri("gone")));
    delete["commit"]["collection"] = json!("app.bsky.feed.like");
    assert_eq!(one(delete.clone()), Record::Message("app.bsky.feed.like delete".into()));
    delete["commit"] =
        json!({"type": "c", "collection": "app.bsky.feed.post", "rkey": "k", "record": record(json!({}))});
    assert!(matches!(one(delete), Record::Post(_)));
    let mut update = commit(record(json!({"text": "better"})));
    update["commit"]["operation"] = json!("update");
    assert_eq!(found(update.clone()).edited, "2024-09-09T19:46:02.329308Z".parse().ok());
    update["commit"]["record"] = json!(null);
    assert!(matches!(one(update), Record::Rejected(r) if r.contains("record")));
    let account = |active: Value| json!({"did": DID, "time_us": 5, "kind": "account", "account": {"active": active, "did": DID, "seq": 1, "status": "deleted"}});
    assert_eq!(one(account(json!(false))), Record::ForgetAuthor(DID.into()));
    assert_eq!(one(account(json!(true))), Record::Message("account active".into()));
    assert!(matches!(one(account(json!("no"))), Record::Rejected(_)));
    let identity = json!({"did": DID, "time_us": 5, "kind": "identity", "identity": {"did": DID, "handle": "a.example", "seq": 1}});
    assert_eq!(one(identity), Record::Message("identity".into()));
    let repost = json!({"did": DID, "time_us": 5, "kind": "commit", "commit": {"operation": "create",
        "collection": "app.bsky.feed.repost", "rkey": "k", "record": {"$type": "app.bsky.feed.repost", "subject": {"uri": uri("x")}}}});
    assert_eq!(one(repost), Record::Message("app.bsky.feed.repost create".into()));
    let no_text = commit(json!({"$type": "app.bsky.feed.post", "createdAt": "2024-09-09T19:46:02.102Z"}));
    assert_eq!(one(no_text), Record::Rejected("no `text`".into()));
}

#[test]
fn events_of_v2_are_read_with_and_without_their_frame() {
    let payload = |kind: &str, more: Value| {
        let mut payload = json!({"$type": format!("network.bsky.jetstream.subscribeEvents#{kind}"), "seq": 9, "did": DID,
            "time": "2026-08-01T10:00:00.000000Z", "witnessedAt": "2026-08-01T10:00:00.500000Z"});
        let fields = payload.as_object_mut().zip(more.as_object());
        fields.map(|(into, more)| into.extend(more.clone())).unwrap_or_default();
        payload
    };
    let frame = |payload: Value| json!({"$type": "message", "payload": payload});
    let create = payload(
        "commit",
        json!({"rev": "3l", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "v2",
        "record": record(json!({"createdAt": "2099-01-01T00:00:00Z"})), "cid": "b"}),
    );
    let framed = found(frame(create.clone()));
    assert_eq!(framed, found(create));
    assert_eq!((framed.post.id, framed.post.created_at), (uri("v2"), "2026-08-01T10:00:00.5Z".parse().ok()));
    let delete = payload(
        "commit",
        json!({"rev": "3l", "operation": "delete", "collection": "app.bsky.feed.post", "rkey": "v2"}),
    );
    assert_eq!(one(frame(delete)), Record::Delete(uri("v2")));
    let account = payload("account", json!({"account": {"active": false, "did": DID, "status": "deactivated"}}));
    assert_eq!(one(frame(account)), Record::ForgetAuthor(DID.into()));
    for kind in ["identity", "sync", "info"] {
        assert_eq!(one(frame(payload(kind, json!({})))), Record::Message(kind.into()));
    }
    assert_eq!(one(json!({"$type": "error", "error": "ConsumerTooSlow"})), Record::Message("error".into()));
}

/// A post as the API shows it.
fn view(key: &str, more: Value) -> Value {
    let mut view = json!({"uri": uri(key), "cid": "b", "indexedAt": "2024-09-09T19:46:03Z", "likeCount": 1, "labels": [],
        "author": {"did": DID, "handle": "ann.example", "displayName": "Ann", "createdAt": "2023-01-01T00:00:00Z",
                   "followersCount": 7, "followsCount": 8, "postsCount": 9, "description": "words", "verification": {"verifiedStatus": "valid"}},
        "record": record(json!({}))});
    let fields = view.as_object_mut().zip(more.as_object());
    fields.map(|(into, more)| into.extend(more.clone())).unwrap_or_default();
    view
}

#[test]
fn a_view_brings_its_author_images_and_the_quoted_post() {
    let found = found(view(
        "v",
        json!({"embed": {"$type": "app.bsky.embed.recordWithMedia#view",
        "media": {"$type": "app.bsky.embed.images#view", "images": [{"thumb": "https://img.example/t", "fullsize": "https://img.example/f", "alt": "x"}]},
        "record": {"record": {"$type": "app.bsky.embed.record#viewRecord", "uri": uri("q"), "cid": "b", "author": {"did": "did:plc:q", "handle": "handle.invalid"},
                              "value": record(json!({"text": "the quoted"})), "indexedAt": "2024-09-09T19:46:03Z",
                              "embeds": [{"$type": "app.bsky.embed.images#view", "images": [{"thumb": "https://img.example/q"}]}]}}}}),
    ));
    let author = found.post.author.clone().unwrap_or_default();
    assert_eq!(
        (author.handle.as_deref(), author.name.as_deref(), author.verified),
        (Some("ann.example"), Some("Ann"), Some(true))
    );
    assert_eq!((author.followers, author.following, author.posts), (Some(7), Some(8), Some(9)));
    assert_eq!(found.post.images[0].url.as_deref(), Some("https://img.example/f"));
    assert_eq!(found.quoted.len(), 1);
    let quoted = &found.quoted[0];
    assert_eq!((quoted.id.clone(), quoted.text.as_str(), quoted.images.len()), (uri("q"), "the quoted", 1));
    assert_eq!(quoted.author.as_ref().map(|a| (a.id.as_str(), a.handle.is_none())), Some(("did:plc:q", true)));
}

#[test]
fn pages_feeds_and_threads_give_every_post() {
    let (records, _) =
        read(json!({"posts": [view("1", json!({})), view("2", json!({})), 5], "cursor": "c", "hitsTotal": 2}));
    assert_eq!(records.len(), 3);
    assert!(matches!(&records[2], Record::Rejected(r) if r.contains("a number")));
    let (records, _) = read(json!({"feed": [
        {"post": view("1", json!({})), "reason": {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"did": "did:plc:z"}}},
        {"post": view("2", json!({})), "reason": {"$type": "app.bsky.feed.defs#reasonPin"},
         "reply": {"parent": view("p", json!({})), "root": {"$type": "app.bsky.feed.defs#notFoundPost", "uri": uri("n"), "notFound": true}}}]}));
    let posts: Vec<&Found> =
        records.iter().filter_map(|r| if let Record::Post(f) = r { Some(&**f) } else { None }).collect();
    assert_eq!((posts[0].repost, posts[1].repost), (true, false));
    assert_eq!(posts[1].quoted.iter().map(|p| p.id.clone()).collect::<Vec<_>>(), [uri("p")]);
    let (records, _) =
        read(json!({"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": view("t", json!({})),
        "parent": {"$type": "app.bsky.feed.defs#threadViewPost", "post": view("up", json!({}))},
        "replies": [{"post": view("r1", json!({})), "replies": [{"post": view("r2", json!({}))}]},
                    {"$type": "app.bsky.feed.defs#blockedPost", "uri": uri("b"), "blocked": true}]}}));
    assert_eq!(records.len(), 5);
    assert_eq!(records[4], Record::Message("post blocked".into()));
    let (records, _) = read(
        json!({"thread": [{"uri": uri("t"), "depth": 0, "value": {"$type": "app.bsky.unspecced.defs#threadItemPost", "post": view("t", json!({}))}}]}),
    );
    assert!(matches!(&records[..], [Record::Post(f)] if f.post.id == uri("t")));
    let (records, _) = read(json!({"records": [{"uri": uri("l"), "cid": "b", "value": record(json!({}))},
        {"uri": format!("at://{DID}/app.bsky.feed.like/k"), "cid": "b", "value": {"$type": "app.bsky.feed.like"}}], "cursor": "k"}));
    assert!(matches!(&records[..], [Record::Post(_), Record::Message(m)] if m == "app.bsky.feed.like"));
}

#[test]
fn what_lacks_its_record_or_address_is_told() {
    assert_eq!(
        one(json!({"uri": uri("x"), "cid": "b"})),
        Record::Rejected("no `record`, no `value` and no `text`".into())
    );
    assert!(
        matches!(one(json!({"uri": "at://nowhere", "text": "a"})), Record::Rejected(r) if r.contains("at://nowhere"))
    );
    assert!(matches!(one(json!({"uri": uri("x"), "missing": "bafy"})), Record::Rejected(r) if r.contains("bafy")));
    assert!(
        matches!(one(json!({"did": DID, "kind": "commit", "commit": {"operation": "create", "collection": "app.bsky.feed.post"}})), Record::Rejected(r) if r.contains("rkey"))
    );
    assert!(
        matches!(one(json!({"did": DID, "kind": "commit", "commit": {}})), Record::Rejected(r) if r.contains("operation"))
    );
}

#[test]
fn bare_records_get_an_id_of_their_own_and_copies_the_same() {
    let post = found(record(json!({}))).post;
    assert!(post.id.starts_with("record:") && post.author.is_none());
    assert_eq!(post.id, found(record(json!({"langs": ["en"]}))).post.id);
    assert_ne!(post.id, found(record(json!({"text": "other"}))).post.id);
    let image = json!({"images": [{"alt": "x", "image": {"ref": {"$link": "b"}}}]});
    assert!(found(record(json!({"embed": image}))).post.images.is_empty(), "nobody knows whose blob it is");
    assert_eq!(one(json!({"$type": "app.bsky.actor.profile"})), Record::Message("app.bsky.actor.profile".into()));
}

#[test]
fn flat_rows_of_collectors_are_read_under_their_names() {
    let post = found(json!({"uri": uri("f"), "text": "look #Now @ann.example", "created_at": "2025-01-01T00:00:00Z", "author_did": DID,
        "author_handle": "bob.example", "author_display_name": "Bob", "author_followers_count": 4, "author_verified": false,
        "lang": "en", "hashtags": "['#now']", "reply_to": null, "keyword": "x"})).post;
    let author = post.author.unwrap_or_default();
    assert_eq!((author.id.as_str(), author.handle.as_deref(), author.followers), (DID, Some("bob.example"), Some(4)));
    assert_eq!((post.hashtags, post.mentions.len()), (vec!["Now".to_owned()], 1));
    let post = found(json!({"uri": uri("g"), "text": "x", "author": "bob.example", "hashtags": ["#a", "b"],
        "mentions": ["did:plc:m", "@c.example"], "reply_to": uri("p"), "langs": ["de"], "has_images": false}))
    .post;
    assert_eq!((post.hashtags.len(), post.mentions.len(), post.reply_to), (2, 2, Some(uri("p"))));
    assert_eq!(
        (post.author.and_then(|a| a.handle).as_deref(), post.lang.as_deref()),
        (Some("bob.example"), Some("de"))
    );
}
