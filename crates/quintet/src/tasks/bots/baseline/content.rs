//! Content, language and sentiment features (Varol et al. 2017).

use super::lexicon::{Lexicon, emoticons};
use crate::tasks::bots::numbers::{Numbers, count, entropy, share};
use crate::tasks::bots::reading::{Named, Reading};

const MODALS: [&str; 9] = ["can", "could", "may", "might", "must", "shall", "should", "will", "would"];
const INTERJECTIONS: [&str; 12] = ["oh", "ah", "wow", "hey", "hi", "lol", "haha", "omg", "yeah", "yes", "no", "ugh"];
const WH: [&str; 5] = ["who", "what", "whom", "which", "whose"];
const PERSONS: [&str; 17] = [
    "i", "you", "he", "she", "it", "we", "they", "me", "him", "her", "us", "them", "i'm", "you're", "it's", "we're",
    "they're",
];
const BEFORE_ARTICLES: [&str; 5] = ["all", "both", "half", "such", "quite"];
const ADVERBS: [&str; 12] =
    ["not", "very", "too", "so", "now", "then", "here", "there", "never", "always", "just", "also"];
const VERBS: [&str; 24] = [
    "be", "is", "are", "was", "were", "am", "been", "have", "has", "had", "do", "does", "did", "get", "got", "go",
    "make", "see", "know", "think", "want", "say", "said", "need",
];
const OTHERS: [&str; 24] = [
    "the", "a", "an", "of", "in", "on", "at", "to", "for", "with", "from", "by", "and", "or", "but", "if", "as",
    "that", "this", "these", "those", "my", "your", "rt",
];
/// The nine tags counted by Varol et al., and everything else.
const TAGS: [&str; 9] = ["VB", "NN", "JJ", "MD", "UH", "RB", "WP", "PRP", "PDT"];

/// The tag of a word by closed lists and endings; a trained tagger would do better and needs a model that is not at hand.
fn tag(word: &str) -> Option<usize> {
    let ends = |endings: &[&str]| word.len() > 4 && endings.iter().any(|e| word.ends_with(e));
    let lists: [(&[&str], Option<usize>); 8] = [
        (&OTHERS, None),
        (&MODALS, Some(3)),
        (&INTERJECTIONS, Some(4)),
        (&WH, Some(6)),
        (&PERSONS, Some(7)),
        (&BEFORE_ARTICLES, Some(8)),
        (&ADVERBS, Some(5)),
        (&VERBS, Some(0)),
    ];
    if let Some((_, tag)) = lists.iter().find(|(list, _)| list.contains(&word)) {
        return *tag;
    }
    match word {
        _ if !word.chars().next().is_some_and(char::is_alphabetic) => None,
        _ if ends(&["ly"]) => Some(5),
        _ if ends(&["ous", "ful", "ive", "able", "ible", "less", "ish", "ical"]) => Some(2),
        _ if ends(&["ing", "ed", "ize", "ise", "ify"]) => Some(0),
        _ => Some(1),
    }
}

/// Words, their entropy, and parts of speech, per post as distributions.
pub fn content(n: &mut Numbers, posts: &[Reading]) {
    let per_post = |of: &dyn Fn(&Reading) -> f64| -> Vec<f64> { posts.iter().map(of).collect() };
    n.distribution("content.words", &per_post(&|r| r.words.len() as f64));
    n.distribution("content.word_entropy", &per_post(&|r| entropy(count(&r.words).into_values())));
    n.distribution("content.characters", &per_post(&|r| r.post.text.chars().count() as f64));
    n.distribution("content.character_entropy", &per_post(&|r| entropy(count(r.post.text.chars()).into_values())));
    let tagged: Vec<[usize; TAGS.len()]> = posts
        .iter()
        .map(|r| {
            let mut counts = [0; TAGS.len()];
            r.words.iter().filter_map(|w| tag(w)).for_each(|t| counts[t] += 1);
            counts
        })
        .collect();
    for (t, name) in TAGS.iter().enumerate() {
        n.distribution(&format!("content.{name}.count"), &tagged.iter().map(|c| c[t] as f64).collect::<Vec<f64>>());
        let shares: Vec<f64> = tagged.iter().zip(posts).map(|(c, r)| share(c[t], r.words.len())).collect();
        n.distribution(&format!("content.{name}.share"), &shares);
    }
    let signs: [Named<usize>; 3] =
        [("links", |r| r.hosts.len()), ("hashtags", |r| r.hashtags.len()), ("mentions", |r| r.mentions.len())];
    for (name, of) in signs {
        n.distribution(&format!("content.{name}"), &per_post(&|r| of(r) as f64));
    }
}

/// Valence, arousal and dominance per post and over all posts; emoticons.
pub fn sentiment(n: &mut Numbers, posts: &[Reading], lexicon: &Lexicon) {
    let scores: Vec<[f64; 3]> =
        posts.iter().filter_map(|r| lexicon.score(r.words.iter().map(String::as_str))).collect();
    let all = lexicon.score(posts.iter().flat_map(|r| r.words.iter().map(String::as_str)));
    for (i, name) in ["valence", "arousal", "dominance"].iter().enumerate() {
        n.distribution(&format!("sentiment.{name}"), &scores.iter().map(|s| s[i]).collect::<Vec<f64>>());
        // Moved by one: a valence may be negative, which stands for unknown.
        n.maybe(format!("sentiment.{name}.all"), all.map(|s| s[i] + 1.0));
    }
    n.push("sentiment.posts_with_words", share(scores.len(), posts.len()));
    let found: Vec<[usize; 2]> = posts.iter().map(|r| emoticons(&r.post.text)).collect();
    let [glad, sad] = [0, 1].map(|k: usize| found.iter().map(|f| f[k]).sum::<usize>());
    n.push("sentiment.emoticons.glad", share(glad, posts.len()));
    n.push("sentiment.emoticons.sad", share(sad, posts.len()));
    n.push("sentiment.emoticons.glad_share", share(glad, glad + sad));
    n.push("sentiment.emoticons.entropy", entropy([glad, sad]));
    let per_post: Vec<f64> = found.iter().map(|f| (f[0] + f[1]) as f64).collect();
    n.distribution("sentiment.emoticons", &per_post);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::Post;

    #[test]
    fn words_have_tags() {
        let tags = |text: &str| -> Vec<&str> { text.split(' ').map(|w| tag(w).map_or("-", |t| TAGS[t])).collect() };
        assert_eq!(
            tags("she could quickly see the famous dog running 25"),
            ["PRP", "MD", "RB", "VB", "-", "JJ", "NN", "VB", "-"]
        );
    }

    #[test]
    fn rows_have_the_same_columns_whatever_the_posts() {
        let row = |posts: &[Post]| {
            let readings: Vec<Reading> = posts.iter().map(Reading::of).collect();
            let mut n = Numbers::default();
            content(&mut n, &readings);
            sentiment(&mut n, &readings, &Lexicon::default());
            assert!(n.values.iter().all(|v| v.is_finite()));
            n.names
        };
        let posts = [Post { text: "I love it :)".into(), ..Post::default() }];
        assert_eq!(row(&posts), row(&[]));
    }
}
