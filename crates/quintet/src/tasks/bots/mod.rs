//! Bot detection: is an author, or a post alone, the work of a program?

pub mod baseline;
pub mod behaviour;
pub mod campaigns;
pub mod clusters;
pub mod cnn;
pub mod cnn_training;
pub mod folds;
pub mod knn;
pub mod numbers;
pub mod reading;
