//! Bot detection: is an author, or a post alone, the work of a program?
//!
//! [`units`] groups posts into what is judged; every method of [`methods`] is fitted on the training part and gives a score:
//!
//! - [`ours`]: [`members`] on joint vectors, n-grams, [`behaviour`] and [`neighbours`], joined with a weight each;
//! - [`paper`]: the two methods of Rivas et al. (2022), the text [`cnn`] ([`cnn_training`]) and [`knn`];
//! - [`baseline`]: BotometerLite and specialised forests in the manner of Botometer;
//! - [`trivial`]: everybody a bot, the larger class, the nearest text, naive Bayes.
//!
//! [`evaluation`] holds the face that all tasks share. Below them: [`reading`] takes a post apart, [`numbers`] are tables of
//! named numbers, [`mod@forest`] the random forest on them, [`folds`] and [`campaigns`] keep what belongs together in one fold,
//! [`clusters`] finds kinds of bots where nobody named any.

pub mod baseline;
pub mod behaviour;
pub mod campaigns;
pub mod clusters;
pub mod cnn;
pub mod cnn_training;
pub mod evaluation;
pub mod folds;
pub mod forest;
pub mod knn;
pub mod members;
pub mod methods;
pub mod neighbours;
pub mod numbers;
pub mod ours;
pub mod paper;
pub mod reading;
pub mod trivial;
pub mod units;

pub use evaluation::Bots;
