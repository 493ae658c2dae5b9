//! Which posts are kept: those with all components asked for, from inside a box, from places of some kinds.
//!
//! Spec: `post_formats.md` sections 1 and 2; the paper kept posts with all five components inside a box around North
//! America. A service's own box takes every place that overlaps it, a whole country too; ours decides by coordinates, or
//! by the middle of the place.

use std::str::FromStr;

use quintet_posts::error::{Error, Result};
use quintet_posts::{Component, PerComponent, Post};
use serde::{Deserialize, Serialize};

/// Which posts are kept. The empty filter keeps all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Filter {
    /// Components a post must have.
    pub components: Vec<Component>,
    /// Box in degrees.
    pub within: Option<Bounds>,
    /// Kinds of places, such as city and poi; empty: any, or none at all.
    pub place_kinds: Vec<String>,
}

/// A box in degrees: west, south, east, north. West may be greater than east, across the date line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounds(pub [f64; 4]);

impl FromStr for Bounds {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: &str| {
            Error::config(format!("`{text}` is no box: {why}"))
                .help("give west,south,east,north in degrees, such as -170,15,-50,72")
        };
        let numbers: Result<Vec<f64>, _> = text.split(',').map(|n| n.trim().parse::<f64>()).collect();
        let numbers = numbers.map_err(|e| refused(&e.to_string()))?;
        let [west, south, east, north] = numbers[..] else { return Err(refused("it has not four numbers")) };
        if [west, east].iter().any(|x| !(-180.0..=180.0).contains(x)) {
            return Err(refused("west and east go from -180 to 180"));
        }
        if [south, north].iter().any(|y| !(-90.0..=90.0).contains(y)) || south > north {
            return Err(refused("south and north go from -90 to 90, south first"));
        }
        Ok(Bounds([west, south, east, north]))
    }
}

impl Bounds {
    /// Whether a point is inside or on the edge.
    pub fn holds(&self, lon: f64, lat: f64) -> bool {
        let [west, south, east, north] = self.0;
        let between = if west <= east { (west..=east).contains(&lon) } else { lon >= west || lon <= east };
        between && (south..=north).contains(&lat)
    }
}

/// The middle of a box.
fn middle([west, south, east, north]: [f64; 4]) -> (f64, f64) {
    let width = if west <= east { east - west } else { east + 360.0 - west };
    let lon = west + width / 2.0;
    (if lon > 180.0 { lon - 360.0 } else { lon }, f64::midpoint(south, north))
}

impl Filter {
    /// Whether a post with these components is kept.
    pub fn keeps(&self, post: &Post, has: &PerComponent<bool>) -> bool {
        self.components.iter().all(|c| has[*c]) && self.is_within(post) && self.is_kind(post)
    }

    fn is_within(&self, post: &Post) -> bool {
        let Some(bounds) = &self.within else { return true };
        if let Some(point) = &post.geo {
            return bounds.holds(point.lon, point.lat);
        }
        let place = post.place.as_ref().and_then(|p| p.bounds);
        place.map(middle).is_some_and(|(lon, lat)| bounds.holds(lon, lat))
    }

    fn is_kind(&self, post: &Post) -> bool {
        let kind = post.place.as_ref().and_then(|p| p.kind.as_deref());
        self.place_kinds.is_empty() || kind.is_some_and(|k| self.place_kinds.iter().any(|w| w.eq_ignore_ascii_case(k)))
    }
}

#[cfg(test)]
mod tests {
    use quintet_posts::{Place, Point};

    use super::*;

    fn post(bounds: Option<[f64; 4]>, geo: Option<(f64, f64)>, kind: &str) -> Post {
        let place = Place { id: "p".into(), kind: Some(kind.into()), bounds, ..Place::default() };
        Post { place: Some(place), geo: geo.map(|(lon, lat)| Point { lat, lon }), ..Post::default() }
    }

    fn north_america() -> Filter {
        Filter { within: "-170,15,-50,72".parse().ok(), ..Filter::default() }
    }

    #[test]
    fn coordinates_decide_before_the_middle_of_the_place() {
        let has = PerComponent::default();
        let keeps = |post: Post| north_america().keeps(&post, &has);
        let usa = Some([-124.7, 24.5, -66.9, 49.4]);
        assert!(keeps(post(usa, None, "country")));
        assert!(keeps(post(Some([13.0, 52.3, 13.8, 52.7]), Some((-73.9, 40.7)), "city")));
        assert!(!keeps(post(usa, Some((13.4, 52.5)), "country")));
        assert!(!keeps(post(Some([13.0, 52.3, 13.8, 52.7]), None, "city")));
        assert!(!keeps(Post::default()));
        // Overlaps the box, but its middle is outside.
        assert!(!keeps(post(Some([-60.0, -60.0, -40.0, 20.0]), None, "admin")));
    }

    #[test]
    fn boxes_may_cross_the_date_line() {
        let fiji: Bounds = "170,-25,-170,-10".parse().unwrap();
        assert!(fiji.holds(178.0, -18.0) && fiji.holds(-179.0, -18.0) && !fiji.holds(0.0, -18.0));
        assert_eq!(middle([177.0, -19.0, -179.0, -17.0]), (179.0, -18.0));
        for bad in ["1,2,3", "a,b,c,d", "-200,0,0,0", "0,10,0,-10", "nan,0,0,0"] {
            assert!(bad.parse::<Bounds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn components_and_kinds_are_all_asked_for() {
        let filter = Filter {
            components: Component::ALL.to_vec(),
            place_kinds: vec!["city".into(), "poi".into()],
            ..Filter::default()
        };
        let all = PerComponent::from_fn(|_| true);
        let no_image = PerComponent::from_fn(|c| c != Component::Image);
        assert!(filter.keeps(&post(None, None, "City"), &all));
        assert!(!filter.keeps(&post(None, None, "city"), &no_image));
        assert!(!filter.keeps(&post(None, None, "country"), &all));
        assert!(!filter.keeps(&Post::default(), &all));
        assert!(Filter::default().keeps(&Post::default(), &PerComponent::default()));
    }
}
