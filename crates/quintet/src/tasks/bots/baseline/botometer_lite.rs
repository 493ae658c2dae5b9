//! BotometerLite's 20 numbers of a profile (Yang et al. 2020, AAAI, "Scalable and generalizable social bot detection through
//! data selection").

use std::collections::BTreeSet;

use crate::posts::{Author, Post};
use crate::tasks::bots::numbers::Numbers;

/// How likely a handle is, from the pairs of characters of many handles.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Bigrams {
    /// Occurrences of each pair, 63 x 63.
    counts: Vec<u32>,
    total: u64,
}

/// Letters, digits and the underscore.
const ALPHABET: usize = 63;

fn place(c: char) -> Option<usize> {
    match c {
        'A'..='Z' => Some(c as usize - 'A' as usize),
        'a'..='z' => Some(26 + c as usize - 'a' as usize),
        '0'..='9' => Some(52 + c as usize - '0' as usize),
        '_' => Some(62),
        _ => None,
    }
}

/// Pairs of neighbouring characters of the alphabet; other characters (Mastodon and Bluesky handles have them) end a pair.
fn pairs(handle: &str) -> impl Iterator<Item = usize> + '_ {
    let next = handle.chars().skip(1);
    handle.chars().zip(next).filter_map(|(a, b)| Some(place(a)? * ALPHABET + place(b)?))
}

impl Bigrams {
    /// Counts the pairs of distinct handles.
    pub fn of<'a>(handles: impl IntoIterator<Item = &'a str>) -> Bigrams {
        let mut bigrams = Bigrams { counts: vec![0; ALPHABET * ALPHABET], total: 0 };
        for handle in handles.into_iter().collect::<BTreeSet<&str>>() {
            for pair in pairs(handle) {
                bigrams.counts[pair] += 1;
                bigrams.total += 1;
            }
        }
        bigrams
    }

    /// Geometric mean of the probabilities of a handle's pairs, with one added to every count; 1 for a handle without pairs.
    pub fn likelihood(&self, handle: &str) -> f64 {
        let whole = (self.total + (ALPHABET * ALPHABET) as u64) as f64;
        let logs: Vec<f64> = pairs(handle).map(|p| (f64::from(self.counts[p] + 1) / whole).ln()).collect();
        if logs.is_empty() { 1.0 } else { (logs.iter().sum::<f64>() / logs.len() as f64).exp() }
    }
}

/// Distinct handles of the posts: authors and accounts they mention. The published table counts the handles of two million
/// accounts; a corpus has its own.
pub fn handles<'a>(posts: impl Iterator<Item = &'a Post>) -> impl Iterator<Item = &'a str> {
    posts.flat_map(|post| {
        let author = post.author.as_ref().and_then(|a| a.handle.as_deref());
        author.into_iter().chain(post.mentions.iter().filter_map(|m| m.handle.as_deref()))
    })
}

/// The 20 numbers of the author of `posts` (in order of time), from the profile seen with the latest post. The age is the time
/// from the making of the account to that post, in hours. Posts hold neither favourites nor the looks of a profile: these
/// four numbers, and the rate of favourites, are always absent.
pub fn numbers(posts: &[&Post], bigrams: &Bigrams) -> Numbers {
    let none = Author::default();
    let latest = posts.iter().rev().find(|p| p.author.is_some());
    let a = latest.and_then(|p| p.author.as_ref()).unwrap_or(&none);
    let seen = latest.and_then(|p| p.created_at);
    let hours = seen.zip(a.created_at).map(|(now, then)| (now.as_second() - then.as_second()) as f64 / 3600.0);
    let [posts, followers, following, listed] =
        [a.posts, a.followers, a.following, a.listed].map(|n| n.map(|n| n as f64));
    // An account seen in its first hour would have any rate.
    let rate = |n: Option<f64>| n.zip(hours).map(|(n, h)| n / h.max(1.0));
    let length = |text: &Option<String>| text.as_ref().map(|t| t.chars().count() as f64);
    let digits = |text: &Option<String>| text.as_ref().map(|t| t.chars().filter(char::is_ascii_digit).count() as f64);
    let mut n = Numbers::default();
    n.maybe("statuses_count", posts);
    n.maybe("followers_count", followers);
    n.maybe("friends_count", following);
    n.maybe("favourites_count", None);
    n.maybe("listed_count", listed);
    n.maybe("default_profile", None);
    n.maybe("profile_use_background_image", None);
    n.maybe("verified", a.verified.map(|v| f64::from(u8::from(v))));
    n.maybe("tweet_freq", rate(posts));
    n.maybe("followers_growth_rate", rate(followers));
    n.maybe("friends_growth_rate", rate(following));
    n.maybe("favourites_growth_rate", None);
    n.maybe("listed_growth_rate", rate(listed));
    let ratio = |(a, b): (f64, f64)| if b > 0.0 { a / b } else { 0.0 };
    n.maybe("followers_friends_ratio", followers.zip(following).map(ratio));
    n.maybe("screen_name_length", length(&a.handle));
    n.maybe("num_digits_in_screen_name", digits(&a.handle));
    n.maybe("name_length", length(&a.name));
    n.maybe("num_digits_in_name", digits(&a.name));
    n.maybe("description_length", length(&a.description));
    n.maybe("screen_name_likelihood", a.handle.as_deref().map(|h| bigrams.likelihood(h)));
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::bots::numbers::ABSENT;

    #[test]
    fn twenty_numbers_of_a_profile() {
        let author = Author {
            id: "1".into(),
            handle: Some("ab12".into()),
            name: Some("A 7".into()),
            description: Some(String::new()),
            created_at: Some("2020-01-01T00:00:00Z".parse().unwrap()),
            followers: Some(30),
            following: Some(10),
            posts: Some(480),
            verified: Some(false),
            ..Author::default()
        };
        let created_at = Some("2020-01-11T00:00:00Z".parse().unwrap());
        let post = Post { author: Some(author), created_at, ..Post::default() };
        let n = numbers(&[&post], &Bigrams::of(["ab12"]));
        assert_eq!(n.names.len(), 20);
        let value = |name: &str| n.values[n.names.iter().position(|x| x == name).unwrap()];
        assert_eq!((value("tweet_freq"), value("followers_friends_ratio")), (2.0, 3.0));
        assert_eq!((value("num_digits_in_screen_name"), value("name_length")), (2.0, 3.0));
        assert_eq!((value("description_length"), value("verified")), (0.0, 0.0), "known to be none");
        assert_eq!((value("listed_count"), value("favourites_count")), (ABSENT, ABSENT));
        assert!(numbers(&[&Post::default()], &Bigrams::of([])).values.iter().all(|v| *v == ABSENT));
    }

    #[test]
    fn a_handle_like_the_others_is_likelier() {
        let b = Bigrams::of(["anna_maria", "maria_anna", "ann_mar", "anna_maria"]);
        assert!(b.likelihood("maria") > b.likelihood("x9Qz7"));
        // Nine pairs in the first and second handle, six in the third; "an" once in the first, once in the second, once here.
        let whole = f64::from(9 + 9 + 6) + 3969.0;
        assert!((b.likelihood("an") - 4.0 / whole).abs() < 1e-12);
        assert_eq!(b.likelihood("x"), 1.0);
    }
}
