//! User metadata and temporal features (Varol et al. 2017), as far as posts show them.

use std::collections::BTreeSet;

use crate::posts::Author;
use crate::tasks::bots::numbers::{Numbers, count, entropy, share};
use crate::tasks::bots::reading::{Named, Reading};

type Field = fn(&Author) -> Option<f64>;

/// Profile, its change over the posts, and rates of activity. `posts` are in order of time.
pub fn user(n: &mut Numbers, posts: &[Reading]) {
    let profiles: Vec<&Author> = posts.iter().filter_map(|r| r.post.author.as_ref()).collect();
    let latest = profiles.last().copied();
    let text = |of: fn(&Author) -> &Option<String>| latest.and_then(|a| of(a).as_deref());
    let (handle, name) = (text(|a| &a.handle), text(|a| &a.name));
    let length = |t: &str| t.chars().count() as f64;
    let digits = |t: &str| t.chars().filter(char::is_ascii_digit).count() as f64;
    n.maybe("user.screen_name_length", handle.map(length));
    n.maybe("user.screen_name_digits", handle.map(digits));
    n.maybe("user.screen_name_entropy", handle.map(|h| entropy(count(h.chars()).into_values())));
    n.maybe("user.name_length", name.map(length));
    n.maybe("user.name_entropy", name.map(|h| entropy(count(h.chars()).into_values())));
    let says_bot = |t: Option<&str>| t.map(|t| f64::from(u8::from(t.to_lowercase().contains("bot"))));
    n.maybe("user.description_says_bot", says_bot(text(|a| &a.description)));
    n.maybe("user.has_location", latest.map(|a| f64::from(u8::from(a.location.is_some()))).filter(|l| *l > 0.0));
    n.maybe("user.verified", latest.and_then(|a| a.verified).map(|v| f64::from(u8::from(v))));
    let last = posts.iter().rev().find_map(|r| r.post.created_at);
    let days =
        last.zip(latest.and_then(|a| a.created_at)).map(|(l, c)| (l.as_second() - c.as_second()) as f64 / 86400.0);
    n.maybe("user.age_days", days);
    let descriptions: BTreeSet<&str> = profiles.iter().filter_map(|a| a.description.as_deref()).collect();
    n.maybe("user.descriptions", (!descriptions.is_empty()).then_some(descriptions.len() as f64));
    let lengths: Vec<f64> = profiles.iter().filter_map(|a| a.description.as_deref()).map(length).collect();
    n.distribution("user.description_length", &lengths);
    let fields: [(&str, Field); 4] = [
        ("followers", |a| a.followers.map(|v| v as f64)),
        ("following", |a| a.following.map(|v| v as f64)),
        ("posts", |a| a.posts.map(|v| v as f64)),
        ("listed", |a| a.listed.map(|v| v as f64)),
    ];
    for (name, field) in fields {
        let values: Vec<f64> = profiles.iter().filter_map(|a| field(a)).collect();
        n.distribution(&format!("user.{name}"), &values);
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let deviation = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        n.maybe(format!("user.{name}.signal_to_noise"), (deviation > 0.0).then(|| mean / deviation));
        let ends = values.first().zip(values.last()).filter(|(first, _)| **first > 0.0);
        n.maybe(format!("user.{name}.change"), ends.map(|(first, last)| last / first));
    }
    let (first, hours) = (posts.iter().find_map(|r| r.post.created_at), 3600.0);
    let span = first.zip(last).map(|(f, l)| ((l.as_second() - f.as_second()) as f64 / hours).max(1.0));
    let kinds: [Named<usize>; 4] = [
        ("all", |_| 1),
        ("retweets", |r| usize::from(r.retweet)),
        ("mentions", |r| r.mentions.len()),
        ("replies", |r| usize::from(r.reply)),
    ];
    for (name, of) in kinds {
        let total: usize = posts.iter().map(of).sum();
        n.push(format!("user.{name}.total"), total as f64);
        n.push(format!("user.{name}.per_post"), share(total, posts.len()));
        n.maybe(format!("user.{name}.per_hour"), span.map(|h| total as f64 / h));
    }
}

/// Times between posts, retweets and mentions, in seconds, and how they fill the day and the week.
pub fn temporal(n: &mut Numbers, posts: &[Reading]) {
    let kinds: [Named<bool>; 3] =
        [("posts", |_| true), ("retweets", |r| r.retweet), ("mentions", |r| !r.mentions.is_empty())];
    for (name, is) in kinds {
        let times = posts.iter().filter(|r| is(r)).filter_map(|r| r.post.created_at.map(|t| t.as_second()));
        let mut times: Vec<i64> = times.collect();
        times.sort_unstable();
        let gaps: Vec<f64> = times.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
        n.distribution(&format!("temporal.{name}.gap"), &gaps);
    }
    let times: Vec<i64> = posts.iter().filter_map(|r| r.post.created_at.map(|t| t.as_second())).collect();
    let spread =
        |of: fn(i64) -> i64| (!times.is_empty()).then(|| entropy(count(times.iter().map(|t| of(*t))).into_values()));
    n.maybe("temporal.hour_entropy", spread(|t| t.div_euclid(3600).rem_euclid(24)));
    n.maybe("temporal.weekday_entropy", spread(|t| t.div_euclid(86400).rem_euclid(7)));
    n.maybe("temporal.second_entropy", spread(|t| t.rem_euclid(60)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Post;
    use crate::tasks::bots::numbers::ABSENT;

    #[test]
    fn posts_without_profile_and_time_have_absent_numbers() {
        let post = Post { text: "RT @a: hello".into(), ..Post::default() };
        let mut n = Numbers::default();
        let readings = [Reading::of(&post)];
        user(&mut n, &readings);
        temporal(&mut n, &readings);
        let value = |name: &str| n.values[n.names.iter().position(|x| x == name).unwrap()];
        assert_eq!(value("user.retweets.total"), 1.0);
        assert_eq!([value("user.age_days"), value("user.has_location"), value("temporal.posts.gap.mean")], [ABSENT; 3]);
    }

    #[test]
    fn gaps_are_seconds() {
        let at = |t: &str| Post { created_at: Some(t.parse().unwrap()), ..Post::default() };
        let posts = [at("2020-01-01T00:00:00Z"), at("2020-01-01T00:00:10Z"), at("2020-01-01T00:00:40Z")];
        let readings: Vec<Reading> = posts.iter().map(Reading::of).collect();
        let mut n = Numbers::default();
        temporal(&mut n, &readings);
        let value = |name: &str| n.values[n.names.iter().position(|x| x == name).unwrap()];
        assert_eq!([value("temporal.posts.gap.min"), value("temporal.posts.gap.max")], [10.0, 30.0]);
        assert_eq!(value("temporal.retweets.gap.mean"), ABSENT);
    }
}
