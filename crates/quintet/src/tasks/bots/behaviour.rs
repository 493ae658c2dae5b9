//! Cheap numbers of how an author writes: repetition, templates, signs, links, rates. No profile, no time, no model.

use std::collections::HashSet;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::numbers::{Numbers, count, entropy, share};
use super::reading::Reading;

/// Signs whose share of all characters is a number of its own.
const SIGNS: &str = ".,!?:;'\"-()&/|…*~_%$#@";

/// Frequent small words: how a person or a template writes shows in them whatever the topic.
const SMALL_WORDS: [&str; 50] = [
    "the", "to", "a", "and", "i", "of", "in", "is", "you", "for", "my", "on", "me", "it", "this", "that", "with",
    "your", "so", "be", "at", "are", "just", "have", "was", "not", "all", "but", "like", "we", "what", "they", "if",
    "do", "how", "when", "get", "can", "from", "up", "out", "im", "dont", "lol", "he", "she", "by", "as", "or", "an",
];

/// The numbers of an author's posts, in order of time.
pub fn numbers(posts: &[Reading]) -> Numbers {
    let mut n = Numbers::default();
    rates(&mut n, posts);
    vocabulary(&mut n, posts);
    repetition(&mut n, posts);
    targets(&mut n, posts);
    characters(&mut n, posts);
    n
}

/// Lengths and what posts consist of.
fn rates(n: &mut Numbers, posts: &[Reading]) {
    let per_post = |of: fn(&Reading) -> usize| -> Vec<f64> { posts.iter().map(|r| of(r) as f64).collect() };
    n.distribution("characters", &per_post(|r| r.post.text.chars().count()));
    n.distribution("tokens", &per_post(|r| r.tokens.len()));
    n.distribution("links", &per_post(|r| r.hosts.len()));
    n.distribution("mentions", &per_post(|r| r.mentions.len()));
    n.distribution("hashtags", &per_post(|r| r.hashtags.len()));
    let of = |is: fn(&Reading) -> bool| share(posts.iter().filter(|r| is(r)).count(), posts.len());
    n.push("retweets", of(|r| r.retweet));
    n.push("replies", of(|r| r.reply));
    n.push("cut", of(|r| r.post.text.contains('…') || r.post.text.ends_with("...")));
    n.push("with_link", of(|r| !r.hosts.is_empty()));
    n.push("ends_with_link", of(|r| r.tokens.last().is_some_and(|t| t == "<url>")));
    n.push("ends_with_sign", of(|r| r.tokens.last().is_some_and(|t| matches!(t.as_str(), "." | "!" | "?"))));
    n.push("begins_upper", of(|r| r.post.text.chars().next().is_some_and(char::is_uppercase)));
    n.push("all_lower", of(|r| !r.post.text.chars().any(char::is_uppercase)));
}

/// How rich the language is.
fn vocabulary(n: &mut Numbers, posts: &[Reading]) {
    let counts = count(posts.iter().flat_map(|r| r.tokens.iter().map(String::as_str)));
    let total: usize = counts.values().sum();
    let once = counts.values().filter(|c| **c == 1).count();
    n.push("types", share(counts.len(), total));
    n.push("once", share(once, counts.len()));
    for word in SMALL_WORDS {
        n.push(format!("word.{word}"), share(counts.get(word).copied().unwrap_or(0), total));
    }
    n.push("token_entropy", entropy(counts.into_values()));
    let raw: Vec<&str> = posts.iter().map(|r| r.post.text.as_str()).collect();
    let plain: Vec<String> = posts.iter().map(|r| r.tokens.join(" ")).collect();
    n.maybe("compressed", compressed(&raw.join("\n")));
    n.maybe("compressed_tokens", compressed(&plain.join("\n")));
}

/// Compressed size over size; `None` for no text.
fn compressed(text: &str) -> Option<f64> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(6));
    // Writing to memory does not fail.
    encoder.write_all(text.as_bytes()).ok()?;
    let bytes = encoder.finish().ok()?;
    (!text.is_empty()).then(|| bytes.len() as f64 / text.len() as f64)
}

/// How alike the posts are.
fn repetition(n: &mut Numbers, posts: &[Reading]) {
    let sets: Vec<HashSet<&str>> = posts.iter().map(|r| r.tokens.iter().map(String::as_str).collect()).collect();
    let mut best = vec![0.0f64; sets.len()];
    let mut next = Vec::new();
    for i in 0..sets.len() {
        for j in i + 1..sets.len() {
            let common = sets[i].iter().filter(|t| sets[j].contains(*t)).count();
            let alike = share(common, sets[i].len() + sets[j].len() - common);
            (best[i], best[j]) = (best[i].max(alike), best[j].max(alike));
            if j == i + 1 {
                next.push(alike);
            }
        }
    }
    n.distribution("alike", &best);
    n.distribution("alike_next", &next);
    for least in [0.5, 0.8, 0.99] {
        n.push(format!("alike_above_{least}"), share(best.iter().filter(|b| **b > least).count(), best.len()));
    }
    type End = (&'static str, fn(&[String]) -> &[String]);
    let ends: [End; 2] = [("beginning", |t| &t[..t.len().min(2)]), ("ending", |t| &t[t.len().saturating_sub(2)..])];
    for (name, end) in ends {
        let counts = count(posts.iter().map(|r| end(&r.tokens)));
        n.push(format!("{name}.most"), share(counts.values().copied().max().unwrap_or(0), posts.len()));
        n.push(format!("{name}.distinct"), share(counts.len(), posts.len()));
    }
}

/// Where links go, whom mentions name, which tags come back.
fn targets(n: &mut Numbers, posts: &[Reading]) {
    type Names = for<'r, 'p> fn(&'r Reading<'p>) -> &'r Vec<String>;
    let kinds: [(&str, Names); 3] = [("hosts", |r| &r.hosts), ("accounts", |r| &r.mentions), ("tags", |r| &r.hashtags)];
    for (name, of) in kinds {
        let counts = count(posts.iter().flat_map(|r| of(r).iter()));
        let total: usize = counts.values().sum();
        n.push(format!("{name}.distinct"), share(counts.len(), total));
        n.push(format!("{name}.most"), share(counts.values().copied().max().unwrap_or(0), posts.len()));
        n.push(format!("{name}.entropy"), entropy(counts.into_values()));
    }
}

/// Shares of kinds of characters, over all posts and per post.
fn characters(n: &mut Numbers, posts: &[Reading]) {
    let counts = count(posts.iter().flat_map(|r| r.post.text.chars()));
    let total: usize = counts.values().sum();
    for sign in SIGNS.chars() {
        n.push(format!("sign.{sign}"), share(counts.get(&sign).copied().unwrap_or(0), total));
    }
    type Kind = (&'static str, fn(char) -> bool);
    let kinds: [Kind; 6] = [
        ("upper", char::is_uppercase),
        ("digit", |c| c.is_ascii_digit()),
        ("space", char::is_whitespace),
        ("foreign", |c| u32::from(c) > 0x2000),
        ("emoji", |c| u32::from(c) > 0x1_f000),
        ("punctuation", |c| ".,!?:;".contains(c)),
    ];
    for (name, is) in kinds {
        let all: usize = counts.iter().filter(|(c, _)| is(**c)).map(|(_, k)| *k).sum();
        n.push(format!("{name}.all"), share(all, total));
        let per_post = |r: &Reading| {
            let text = &r.post.text;
            share(text.chars().filter(|c| is(*c)).count(), text.chars().count())
        };
        n.distribution(name, &posts.iter().map(per_post).collect::<Vec<f64>>());
    }
    n.push("character_entropy", entropy(counts.into_values()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Post;

    fn numbers_of(texts: &[&str]) -> Numbers {
        let posts: Vec<Post> = texts.iter().map(|t| Post { text: (*t).into(), ..Post::default() }).collect();
        numbers(&posts.iter().map(Reading::of).collect::<Vec<Reading>>())
    }

    #[test]
    fn a_template_shows() {
        let job = |n: u32| format!("We are hiring in town {n}! Apply: https://jobs.example.com/{n}");
        let jobs: Vec<String> = (10..20).map(job).collect();
        let bot = numbers_of(&jobs.iter().map(String::as_str).collect::<Vec<&str>>());
        let human =
            numbers_of(&["good morning all", "what a match!", "@bob see you there", "so tired now", "Rain. Again."]);
        let value = |n: &Numbers, name: &str| n.values[n.names.iter().position(|x| x == name).unwrap()];
        assert_eq!(value(&bot, "alike.min"), 1.0, "digits do not tell posts of a template apart");
        assert!(value(&human, "alike.max") < 0.3);
        assert!(value(&bot, "compressed_tokens") < value(&human, "compressed_tokens"));
        assert_eq!([value(&bot, "beginning.most"), value(&bot, "hosts.distinct")], [1.0, 0.1]);
        assert_eq!(bot.names, human.names);
    }

    #[test]
    fn no_posts_and_empty_posts_have_numbers() {
        assert_eq!(numbers_of(&[]).names, numbers_of(&["", "a"]).names);
        assert!(numbers_of(&["", ""]).values.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn names_are_unique() {
        let mut names = numbers_of(&["a b"]).names;
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
