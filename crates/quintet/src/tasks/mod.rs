//! What the joint model is for: retrieval now; hashtags, bots, location to come.

pub mod retrieval;
