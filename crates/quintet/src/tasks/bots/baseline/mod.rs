//! The published baselines: BotometerLite's 20 numbers of a profile, and an ensemble of specialised forests in the manner of
//! Botometer, on all feature groups that posts show.

pub mod account;
pub mod botometer;
pub mod botometer_lite;
pub mod content;
pub mod lexicon;
pub mod network;
