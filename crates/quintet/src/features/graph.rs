//! Who mentions whom: a weighted directed graph in compressed rows, and which account a mention means.

use std::collections::{BTreeMap, HashMap};

use super::skipgram::Alias;
use super::train_posts::TrainPosts;
use crate::posts::{Mention, Post};

/// Names of accounts: an author's id, or `@handle` in lower case for an account known by its handle only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Accounts {
    nodes: HashMap<String, u32>,
    /// Lower-case handle -> account id, of accounts whose id is known.
    handles: BTreeMap<String, String>,
}

impl Accounts {
    /// Learns from the posts which handle belongs to which id. An author's own handle counts more than what mentions
    /// say; of two accounts with one handle the first is taken. Some sources have no handles and use ids in their
    /// place: an author without a handle answers to the id.
    fn of(posts: &[&Post]) -> Accounts {
        let mut handles = BTreeMap::new();
        let authors = || posts.iter().filter_map(|p| p.author.as_ref());
        let named = authors().filter_map(|a| Some((a.handle.as_deref()?, a.id.as_str())));
        let mentioned = posts.iter().flat_map(|p| &p.mentions);
        let mentioned = mentioned.filter_map(|m| Some((m.handle.as_deref()?, m.id.as_deref()?)));
        let nameless = authors().filter(|a| a.handle.is_none()).map(|a| (a.id.as_str(), a.id.as_str()));
        for (handle, id) in named.chain(mentioned).chain(nameless) {
            handles.entry(handle.to_lowercase()).or_insert_with(|| id.to_string());
        }
        Accounts { nodes: HashMap::new(), handles }
    }

    /// Puts back what was saved: names of the nodes in order, and pairs of handle and id.
    pub(super) fn from_saved(names: &[String], handles: Vec<(String, String)>) -> Accounts {
        let nodes = names.iter().enumerate().map(|(i, n)| (n.clone(), i as u32)).collect();
        Accounts { nodes, handles: handles.into_iter().collect() }
    }

    /// Known handles with their ids, in the order of the handles.
    pub(super) fn handles(&self) -> impl Iterator<Item = (&str, &str)> {
        self.handles.iter().map(|(h, id)| (h.as_str(), id.as_str()))
    }

    /// Name of the account a mention means.
    fn name(&self, mention: &Mention) -> Option<String> {
        if let Some(id) = &mention.id {
            return Some(id.clone());
        }
        let handle = mention.handle.as_deref()?.to_lowercase();
        Some(self.handles.get(&handle).cloned().unwrap_or_else(|| format!("@{handle}")))
    }

    /// Names of the accounts a post mentions, each once, its author left out; in the order of the names.
    fn mentioned(&self, post: &Post) -> Vec<String> {
        let author = post.author.as_ref();
        let own_handle = author.and_then(|a| a.handle.as_ref()).map(|h| format!("@{}", h.to_lowercase()));
        let mut names: Vec<String> = post.mentions.iter().filter_map(|m| self.name(m)).collect();
        names.retain(|n| author.is_none_or(|a| a.id != *n) && own_handle.as_ref() != Some(n));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Node of an account, by id first, then by handle.
    pub fn node(&self, id: &str, handle: Option<&str>) -> Option<u32> {
        let by_handle = || self.nodes.get(&format!("@{}", handle?.to_lowercase()));
        self.nodes.get(id).or_else(by_handle).copied()
    }

    /// Nodes of the accounts a post mentions, as far as they are in the graph.
    pub fn mentioned_nodes(&self, post: &Post) -> Vec<u32> {
        self.mentioned(post).iter().filter_map(|n| self.nodes.get(n).copied()).collect()
    }
}

/// The mention graph. Row `u` of the compressed rows holds the accounts that `u` mentions, in ascending order.
#[derive(Clone, Debug, PartialEq)]
pub struct MentionGraph {
    /// Name of each node, in the order of first appearance.
    pub names: Vec<String>,
    /// Which mention or author is which node.
    pub accounts: Accounts,
    offsets: Vec<usize>,
    neighbours: Vec<u32>,
    /// For each row a table to draw from.
    draws: Vec<Draw>,
}

/// A place of an alias table with the neighbours themselves, so that a draw reads one place of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Draw {
    /// Chance of `own`.
    keep: f32,
    own: u32,
    other: u32,
}

impl MentionGraph {
    /// Edge u -> v weighs the number of training posts of u that mention v. An author who neither mentions nor is
    /// mentioned is no node.
    pub fn of(train: &TrainPosts, undirected: bool) -> MentionGraph {
        let mut accounts = Accounts::of(train.posts());
        let mut names: Vec<String> = Vec::new();
        let mut edges = Vec::new();
        for post in train.posts() {
            let Some(author) = &post.author else { continue };
            for name in accounts.mentioned(post) {
                let mut node = |name: &str| {
                    *accounts.nodes.entry(name.to_string()).or_insert_with(|| {
                        names.push(name.to_string());
                        names.len() as u32 - 1
                    })
                };
                edges.push((node(&author.id), node(&name), 1.0));
            }
        }
        MentionGraph::new(names, accounts, edges, undirected)
    }

    /// A graph of `nodes` nodes without names; weights of repeated edges add up.
    pub fn from_edges(nodes: usize, edges: Vec<(u32, u32, f64)>, undirected: bool) -> MentionGraph {
        let names = (0..nodes).map(|i| i.to_string()).collect();
        MentionGraph::new(names, Accounts::default(), edges, undirected)
    }

    fn new(names: Vec<String>, accounts: Accounts, mut edges: Vec<(u32, u32, f64)>, undirected: bool) -> MentionGraph {
        if undirected {
            edges.extend(edges.clone().into_iter().map(|(u, v, w)| (v, u, w)));
        }
        edges.sort_by_key(|e| (e.0, e.1));
        edges.dedup_by(|b, a| {
            let same = (a.0, a.1) == (b.0, b.1);
            if same {
                a.2 += b.2;
            }
            same
        });
        let mut offsets = vec![0; names.len() + 1];
        edges.iter().for_each(|e| offsets[e.0 as usize + 1] += 1);
        (0..names.len()).for_each(|i| offsets[i + 1] += offsets[i]);
        let neighbours: Vec<u32> = edges.iter().map(|e| e.1).collect();
        let mut draws = Vec::with_capacity(edges.len());
        let mut weights = Vec::new();
        for row in offsets.windows(2).map(|w| w[0]..w[1]).filter(|row| !row.is_empty()) {
            weights.clear();
            weights.extend(edges[row.clone()].iter().map(|e| e.2));
            let (Alias { keep, other }, neighbours) = (Alias::new(&weights), &neighbours[row]);
            let others = other.into_iter().map(|i| neighbours[i as usize]);
            draws.extend(keep.into_iter().zip(neighbours).zip(others).map(|((keep, &own), other)| Draw {
                keep,
                own,
                other,
            }));
        }
        MentionGraph { names, accounts, offsets, neighbours, draws }
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if nobody mentions anybody.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Number of directed edges.
    pub fn edges(&self) -> usize {
        self.neighbours.len()
    }

    /// Out-neighbours of `node`, ascending.
    pub fn neighbours(&self, node: u32) -> &[u32] {
        &self.neighbours[self.offsets[node as usize]..self.offsets[node as usize + 1]]
    }

    /// Whether there is an edge `from` -> `to`.
    pub fn has_edge(&self, from: u32, to: u32) -> bool {
        self.neighbours(from).binary_search(&to).is_ok()
    }

    /// An out-neighbour of `node` by weight, where `u` is uniform in [0, 1).
    pub fn draw(&self, node: u32, u: f64) -> Option<u32> {
        let row = &self.draws[self.offsets[node as usize]..self.offsets[node as usize + 1]];
        let at = u * row.len() as f64;
        // Rounding may lead to the end of the row.
        let place = (at as usize).min(row.len().saturating_sub(1));
        let draw = row.get(place)?;
        Some(if ((at - place as f64) as f32) < draw.keep { draw.own } else { draw.other })
    }

    /// Number of nodes from which a walk can take a step.
    pub fn starting_nodes(&self) -> usize {
        self.offsets.windows(2).filter(|w| w[0] < w[1]).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posts::{Author, Part};

    fn post(id: &str, author: (&str, Option<&str>), mentions: &[(Option<&str>, Option<&str>)]) -> Post {
        let own = |s: Option<&str>| s.map(String::from);
        Post {
            id: id.into(),
            author: Some(Author { id: author.0.into(), handle: own(author.1), ..Author::default() }),
            mentions: mentions.iter().map(|m| Mention { id: own(m.0), handle: own(m.1) }).collect(),
            ..Post::default()
        }
    }

    fn graph(posts: &[Post], undirected: bool) -> crate::Result<MentionGraph> {
        let parts = posts.iter().filter(|p| p.id != "dev").map(|p| (p.id.clone(), Part::Train)).collect();
        Ok(MentionGraph::of(&TrainPosts::of(posts, &parts)?, undirected))
    }

    #[test]
    fn mentions_become_edges_between_accounts() -> crate::Result<()> {
        let posts = [
            post("1", ("a", Some("Ann")), &[(None, Some("BOB")), (Some("b"), None), (None, Some("ann"))]),
            post("2", ("b", Some("bob")), &[(None, Some("Zoe")), (None, Some("zoe"))]),
            post("3", ("a", Some("Ann")), &[(None, Some("bob")), (None, Some("zoe"))]),
            post("4", ("lonely", None), &[]),
            post("dev", ("d", None), &[(Some("a"), None)]),
        ];
        let graph = graph(&posts, false)?;
        assert_eq!(graph.names, ["a", "b", "@zoe"]);
        assert_eq!((graph.neighbours(0), graph.neighbours(1), graph.neighbours(2)), (&[1, 2][..], &[2][..], &[][..]));
        // a mentions b in two posts and zoe in one.
        let drawn = |node| (0..300).filter(|i| graph.draw(0, (f64::from(*i) + 0.5) / 300.0) == Some(node)).count();
        assert_eq!((drawn(1), drawn(2)), (200, 100));
        assert_eq!((graph.draw(2, 0.5), graph.draw(0, 1f64.next_down()).is_some()), (None, true));
        assert_eq!(graph.accounts.node("unknown id", Some("ZOE")), Some(2));
        assert_eq!(graph.accounts.node("lonely", None), None);
        assert_eq!(graph.accounts.mentioned_nodes(&posts[4]), [0]);
        assert_eq!((graph.edges(), graph.starting_nodes()), (3, 2));
        Ok(())
    }

    #[test]
    fn undirected_and_ids_in_place_of_handles() -> crate::Result<()> {
        let posts = [post("1", ("USER_1", None), &[(None, Some("user_2"))]), post("2", ("USER_2", None), &[])];
        let graph = graph(&posts, true)?;
        assert_eq!(graph.names, ["USER_1", "USER_2"]);
        assert!(graph.has_edge(0, 1) && graph.has_edge(1, 0) && !graph.has_edge(1, 1));
        Ok(())
    }
}
