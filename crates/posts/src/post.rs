//! One `Post` type for every source.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A post as it was found: text as posted, every id a string, times in UTC. Absent means unknown, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Post {
    /// Id within the source, never passed through a float.
    pub id: String,
    /// When it was posted (UTC).
    pub created_at: Option<Timestamp>,
    /// BCP 47 language as the source says.
    pub lang: Option<String>,
    /// Text as posted, with hashtags, mentions and links; HTML escapes of the source are undone.
    pub text: String,
    /// Hashtags without `#`, as written, in order; from the source's entities or extracted from the text.
    pub hashtags: Vec<String>,
    /// Accounts mentioned, each once.
    pub mentions: Vec<Mention>,
    /// Images in order; the model uses the first.
    pub images: Vec<ImageRef>,
    /// Who posted it, with the profile as seen with the post.
    pub author: Option<Author>,
    /// The place the source attached.
    pub place: Option<Place>,
    /// Exact coordinates, where given.
    pub geo: Option<Point>,
    /// Id of the post this one answers.
    pub reply_to: Option<String>,
    /// Id of the post this one quotes.
    pub quote_of: Option<String>,
    /// Name of what it was imported from (the folder's or file's name).
    pub source: String,
}

/// An account named in a post. At least one field is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mention {
    /// Account id.
    pub id: Option<String>,
    /// Handle without `@`, as written.
    pub handle: Option<String>,
}

/// Where an image is; pixels live beside the table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRef {
    /// File, absolute or relative to the corpus folder.
    pub path: Option<String>,
    /// Address it can be fetched from.
    pub url: Option<String>,
    /// Description given by the author.
    pub alt: Option<String>,
}

/// An author's profile as seen with a post.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// Account id.
    pub id: String,
    /// Handle without `@`.
    pub handle: Option<String>,
    /// Display name.
    pub name: Option<String>,
    /// Profile text.
    pub description: Option<String>,
    /// Profile location, free text.
    pub location: Option<String>,
    /// When the account was made (UTC).
    pub created_at: Option<Timestamp>,
    /// Number of followers.
    pub followers: Option<u64>,
    /// Number of accounts followed.
    pub following: Option<u64>,
    /// Number of posts.
    pub posts: Option<u64>,
    /// Number of lists the account is on.
    pub listed: Option<u64>,
    /// Whether the platform verified the account.
    pub verified: Option<bool>,
}

/// A place as the platform names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Place id.
    pub id: String,
    /// Full name.
    pub name: Option<String>,
    /// Kind: country, admin, city, neighborhood, poi.
    pub kind: Option<String>,
    /// ISO 3166 country code, or the country's name where the source has no code.
    pub country: Option<String>,
    /// Bounding box in degrees: west, south, east, north.
    pub bounds: Option<[f64; 4]>,
}

/// Coordinates in degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Latitude, -90 to 90.
    pub lat: f64,
    /// Longitude, -180 to 180.
    pub lon: f64,
}
