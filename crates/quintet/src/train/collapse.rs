//! Collapse: all posts of a component drawn to one point, where the hardest-negative loss can stick (`vsepp.md` section 6).

use super::optimiser::{StepReport, StepSettings};
use crate::component::Component;
use crate::config::LossKind;

/// Steps in a row before it is said: a GRU begins with all its states in a narrow cone and needs some steps to open it.
const LASTING: u32 = 50;
/// Mean cosine between different posts above which a component is one point.
const ONE_POINT: f64 = 0.99;
/// How near the loss must be to that of a single point, relative to it: the noise of hinges that stick there.
const NEAR: f64 = 0.05;

/// Whether a component that looked collapsed for so many steps is reported.
pub fn lasting(steps: u32) -> bool {
    steps >= LASTING
}

/// Counts the steps in a row in which `component` looks collapsed; returns what to say when the count gets long, and
/// when it is over.
pub fn watch(component: Component, report: &StepReport, settings: &StepSettings, count: &mut u32) -> Option<String> {
    if report.pairs[component] < 2 {
        return None;
    }
    let cosine = report.off_diagonal[component];
    let at_the_constant = report.if_equal[component]
        .is_some_and(|single| is_hinge(settings.kind) && (report.losses[component] - single).abs() <= NEAR * single);
    if cosine <= ONE_POINT && !at_the_constant {
        let was = lasting(*count);
        *count = 0;
        return was.then(|| format!("{component} is no longer collapsed"));
    }
    *count = count.saturating_add(1);
    (*count == LASTING).then(|| {
        format!(
            "{component} looks collapsed for {LASTING} steps: mean cosine between different posts {cosine:.3}{}; if the \
             recalls do not rise either, try `loss.kind = \"info-nce\"`, `loss.warmup_epochs = 8`, another \
             `train.learning_rate` or a larger `train.batch`",
            if at_the_constant { ", loss as if all vectors were one" } else { "" }
        )
    })
}

/// Vectors that have learnt nothing yet have larger hinges than equal ones; the other losses cannot tell the two apart.
fn is_hinge(kind: LossKind) -> bool {
    matches!(kind, LossKind::MaxOfHinges | LossKind::SumOfHinges)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::PerComponent;
    use crate::config::Average;

    fn settings(kind: LossKind) -> StepSettings {
        StepSettings {
            learning_rate: 1e-3,
            clip: 2.0,
            kind,
            average: Average::LeaveOneOut,
            margin: 0.2,
            mask_duplicates: true,
        }
    }

    fn report(loss: f64, cosine: f64) -> StepReport {
        StepReport {
            losses: PerComponent([loss; 5]),
            pairs: PerComponent([128; 5]),
            if_equal: PerComponent([Some(51.2); 5]),
            gradient_norm: 1.0,
            off_diagonal: PerComponent([cosine; 5]),
        }
    }

    fn said(report: &StepReport, kind: LossKind, steps: usize, count: &mut u32) -> Vec<String> {
        (0..steps).filter_map(|_| watch(Component::Text, report, &settings(kind), count)).collect()
    }

    #[test]
    fn the_known_constant_is_recognised_once() {
        // vsepp.md section 6: 51.2 for a batch of 128 and margin 0.2.
        let mut count = 0;
        let lines = said(&report(51.2, 0.3), LossKind::MaxOfHinges, 200, &mut count);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].contains("warmup_epochs") && lasting(count));
        assert_eq!(said(&report(20.0, 0.3), LossKind::MaxOfHinges, 3, &mut count), ["text is no longer collapsed"]);
        assert!(!lasting(count));
    }

    #[test]
    fn a_narrow_cone_counts_under_every_loss() {
        assert_eq!(said(&report(1.0, 0.995), LossKind::InfoNce, 60, &mut 0).len(), 1);
        assert_eq!(said(&report(51.2, 0.5), LossKind::InfoNce, 60, &mut 0).len(), 0);
        assert_eq!(said(&report(1.0, 0.995), LossKind::MaxOfHinges, 49, &mut 0).len(), 0);
        assert_eq!(said(&report(49.4, 0.5), LossKind::SumOfHinges, 60, &mut 0).len(), 1);
        let unknown = StepReport { if_equal: PerComponent([None; 5]), ..report(51.2, 0.5) };
        assert_eq!(said(&unknown, LossKind::MaxOfHinges, 60, &mut 0).len(), 0);
    }
}
