//! The classroom exercise that this project grew out of: a client sends a list of numbers to a
//! server, and on purpose loses, doubles and shuffles them; the protocol repairs it.
//!
//! [`Client`] and [`Server`] are [endpoints](crate::endpoint::Endpoint) that exchange the
//! [97- and 66-character messages](crate::wire::lab) under rdt 2.1, 2.2 or 3.0. [`input`] makes and
//! reads the list, [`Lists`] are what the server keeps.

mod client;
pub mod input;
mod lists;
mod server;

#[cfg(test)]
mod tests;

use core::{fmt, str::FromStr};

use crate::{
    quantity::Probability,
    rng::{Rng, Seed},
};
pub use client::{Client, ClientConfig, ClientEvent, Ending, Fault, NotNow};
pub use lists::{Arrival, Lists, Verdict};
pub use server::{Server, ServerConfig, ServerEvent};

/// The identifier of the last datagram (S2-02).
pub const LAST: i32 = -1;

/// The port of the exercise's server (S2-10).
pub const PORT: u16 = 5000;

/// An item of the client's menu (S2-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Send the next number correctly.
    Correct,
    /// Send the next number and have it lost.
    Loss,
    /// Send the next number as a duplicate.
    Duplicate,
    /// Shuffle the numbers that are left.
    Shuffle,
    /// Stop.
    Quit,
}

impl Action {
    /// The menu in its order.
    pub const MENU: [Self; 5] =
        [Self::Correct, Self::Loss, Self::Duplicate, Self::Shuffle, Self::Quit];
}

impl FromStr for Action {
    type Err = UnknownAction;

    /// Reads the number of a menu item.
    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        match text.trim() {
            "1" => Ok(Self::Correct),
            "2" => Ok(Self::Loss),
            "3" => Ok(Self::Duplicate),
            "4" => Ok(Self::Shuffle),
            "5" => Ok(Self::Quit),
            _ => Err(UnknownAction),
        }
    }
}

/// A text that is no item of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAction;

impl fmt::Display for UnknownAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("choose one of 1, 2, 3, 4, 5")
    }
}

impl core::error::Error for UnknownAction {}

/// What the menu's faults do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Faults {
    /// As in the exercise (S2-13): "loss" damages the checksum, "duplicate" puts the number of the
    /// packet before on new data.
    #[default]
    Seed,
    /// Loss sends nothing, duplicate sends the same packet twice.
    Real,
}

/// Chooses between correct, loss and duplicate at random (S2-06), one draw for each fault and step.
#[derive(Debug)]
pub struct Strategy {
    loss: Probability,
    duplicate: Probability,
    rng: Rng,
}

impl Strategy {
    /// Loses with probability `loss`; what it does not lose it doubles with `duplicate`.
    pub fn new(loss: Probability, duplicate: Probability, seed: Seed) -> Self {
        Self { loss, duplicate, rng: seed.split("lab/strategy").rng() }
    }

    /// What to do with the next number.
    pub fn next_action(&mut self) -> Action {
        let (lose, double) = (self.loss.hit(&mut self.rng), self.duplicate.hit(&mut self.rng));
        match (lose, double) {
            (true, _) => Action::Loss,
            (false, true) => Action::Duplicate,
            (false, false) => Action::Correct,
        }
    }
}
