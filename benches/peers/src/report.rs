//! Medians, and tables of them.

use std::collections::BTreeMap;

/// What the two processes of a run told.
pub type Told = BTreeMap<String, f64>;

/// Median, least and most.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&least, &most) = (values.first()?, values.last()?);
        Some(Self { median: values[values.len() / 2], least, most })
    }

    pub fn text(self, digits: usize) -> String {
        let Self { median, least, most } = self;
        format!("{median:.digits$} ({least:.digits$}..{most:.digits$})")
    }
}

/// The values of one name in all runs.
pub fn values(runs: &[Told], name: &str) -> Vec<f64> {
    runs.iter().filter_map(|told| told.get(name).copied()).collect()
}

/// Run by run the ratio to another contender's.
pub fn ratios(runs: &[Told], to: &[Told], of: impl Fn(&Told) -> Option<f64>) -> Vec<f64> {
    let pairs = runs.iter().zip(to);
    pairs.filter_map(|(run, other)| Some(of(run)? / of(other)?)).collect()
}
