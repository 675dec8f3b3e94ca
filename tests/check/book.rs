//! From rdt 1.0 to selective repeat: what each bears, and how it breaks one step beyond.

use rdtp::classic::Visitor;

use super::{
    rows::{self, Outcome, Row},
    *,
};

/// Runs the crate's own search.
struct Search(Model);

impl Visitor for Search {
    type Output = Report;

    fn visit<P: Protocol>(self, protocol: P) -> Report {
        self.0.check(&protocol)
    }
}

/// Every row says what the search says.
#[track_caller]
fn found(rows: &[Row]) {
    for row in rows {
        let report = row.spec.visit(Search(row.model));
        let story = report.trace.as_ref().map(|trace| trace.words().join("\n"));
        assert!(row.fits(report.verdict), "{row:?}: {}: {story:?}", report.verdict);
        assert_eq!(row.states.unwrap_or(report.states), report.states, "{row:?}");
        assert_eq!(row.transitions.unwrap_or(report.transitions), report.transitions, "{row:?}");
        match row.outcome {
            Outcome::Holds => assert!(report.finished_states > 0 && report.stuck_states == 0),
            Outcome::Unsafe { steps, .. } => assert_eq!(report.steps(), Some(steps), "{row:?}"),
            Outcome::Deadlock { steps, stuck_states } => {
                assert_eq!(report.steps(), Some(steps), "{row:?}");
                assert!(report.stuck_states > 0);
                assert_eq!(stuck_states.unwrap_or(report.stuck_states), report.stuck_states);
            }
        }
    }
}

#[test]
fn rdt10_needs_a_perfect_channel() {
    found(&rows::rdt10());
}

#[test]
fn rdt20_has_a_flaw_in_each_reading() {
    found(&rows::rdt20());
}

#[test]
fn rdt21_and_rdt22_bear_bit_errors_but_neither_loss_nor_copies() {
    found(&rows::rdt21_and_rdt22());
}

#[test]
fn stop_and_wait_bears_all_that_keeps_order_and_without_bound_on_numbers_everything() {
    found(&rows::stop_and_wait());
}

#[test]
fn go_back_n_needs_one_number_more_than_its_window() {
    found(&rows::go_back_n());
}

#[test]
fn go_back_n_4_of_5() {
    found(&[rows::go_back_n_4_of_5()]);
}

#[test]
fn selective_repeat_needs_twice_as_many_numbers_as_its_window() {
    found(&rows::selective_repeat());
}

#[test]
fn selective_repeat_3_of_6() {
    found(&[rows::selective_repeat_3_of_6()]);
}

#[test]
fn overtaking_is_borne_as_far_as_there_are_numbers() {
    found(&rows::overtaking());
}
