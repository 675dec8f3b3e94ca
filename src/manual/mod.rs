//! The guide: from rdt 1.0 to selective repeat, each chapter one fault; then the transport, and what
//! runs on top.
//!
//! Every chapter starts from a machine that works and adds one thing that a channel can do. The
//! checker finds the shortest way in which that breaks the machine; the next machine is what repairs
//! it, and the chapter shows exactly that piece of its code. Then comes an exercise, whose answer is
//! hidden until asked for, and the commands that show all of it on your screen.
//!
//! | chapter | what the channel does | what it takes |
//! | --- | --- | --- |
//! | [1](ch01_perfect) | nothing wrong | rdt 1.0: send, deliver |
//! | [2](ch02_damage) | damages packets | rdt 2.0: checksum, ACK, NAK |
//! | [3](ch03_feedback) | damages ACKs too | rdt 2.1: a sequence bit |
//! | [4](ch04_copies) | copies packets | rdt 2.2: numbers on ACKs |
//! | [5](ch05_loss) | loses packets | rdt 3.0: a timer |
//! | [6](ch06_overtaking) | lets packets overtake each other | more numbers, and a law of how many |
//! | [7](ch07_pipelining) | takes its time | go-back-N: a window |
//! | [8](ch08_full_circle) | loses one packet of a full window | one number more than the window |
//! | [9](ch09_selective_repeat) | loses one packet of many | selective repeat: a buffer at the receiver |
//! | [10](ch10_half_the_circle) | loses one ACK of a full window | twice as many numbers as the window |
//! | [11](ch11_timeouts) | changes its delay | a timeout that follows the round trips |
//! | [12](ch12_what_next) | everything, and strangers | what a transport adds |
//! | [13](ch13_transport) | | the transport: how to use it |
//! | [14](ch14_wire) | | the transport: every byte of it |
//! | [15](ch15_latency) | takes longer than it should | a latency monitor |
//! | [16](ch16_chat) | loses message 4 | a chat over every protocol of this guide |
//! | [17](ch17_one_line) | cuts bytes where it likes | the smallest chat, and lengths before messages |
//! | [18](ch18_rooms) | lets anybody write any sender | rooms, names, and strangers |
//! | [19](ch19_lossy) | loses 1 % | congestion control that follows the path |
//!
//! It goes along with chapter 3.4 of Kurose and Ross, *Computer Networking: A Top-Down Approach*,
//! whose figures it names; it can be read without. In the terminal, `rdtp manual 1` prints the first
//! chapter.
//!
//! # For a class
//!
//! Chapters 1 to 5 fill one lesson of 90 minutes, 6 to 10 a second one. What works well is to ask
//! first: *what will the checker find, and in how many steps?* and to run the command then. `rdtp run
//! rdt3.0 --step` lets a class be the network: drop, copy or delay the packets in flight by hand.
//!
//! # Nothing here is written down by hand
//!
//! All traces, outputs, pictures and pieces of code are made by the program and compared with it by a
//! test, so what you read is what the code does. `UPDATE=1 cargo test --test manual` makes them anew.
//! Only the seconds that a search takes are left out.

pub mod ch01_perfect;
pub mod ch02_damage;
pub mod ch03_feedback;
pub mod ch04_copies;
pub mod ch05_loss;
pub mod ch06_overtaking;
pub mod ch07_pipelining;
pub mod ch08_full_circle;
pub mod ch09_selective_repeat;
pub mod ch10_half_the_circle;
pub mod ch11_timeouts;
pub mod ch12_what_next;
pub mod ch13_transport;
pub mod ch14_wire;
pub mod ch15_latency;
pub mod ch16_chat;
pub mod ch17_one_line;
pub mod ch18_rooms;
pub mod ch19_lossy;

use alloc::string::String;

/// A chapter of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// The name of its module.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    source: &'static str,
}

macro_rules! chapters {
    ($($name:literal: $title:literal,)*) => {
        /// All chapters, in order.
        pub const CHAPTERS: &[Chapter] = &[$(Chapter {
            name: $name,
            title: $title,
            source: include_str!(concat!($name, ".rs")),
        },)*];
    };
}

chapters! {
    "ch01_perfect": "A channel that does nothing wrong",
    "ch02_damage": "Damage",
    "ch03_feedback": "Damaged feedback",
    "ch04_copies": "Copies",
    "ch05_loss": "Loss",
    "ch06_overtaking": "Overtaking",
    "ch07_pipelining": "Waiting",
    "ch08_full_circle": "The full circle",
    "ch09_selective_repeat": "One loss, one repair",
    "ch10_half_the_circle": "Half the circle",
    "ch11_timeouts": "How long to wait",
    "ch12_what_next": "What comes next",
    "ch13_transport": "The transport",
    "ch14_wire": "The transport on the wire",
    "ch15_latency": "The latency monitor",
    "ch16_chat": "Message 4",
    "ch17_one_line": "One line",
    "ch18_rooms": "Rooms",
    "ch19_lossy": "Why 1 % loss kills CUBIC, and what to do about it",
}

impl Chapter {
    /// The chapter as plain text for a terminal: without marks for the web, and with the command in
    /// place of each picture.
    ///
    /// ```
    /// let first = rdtp::manual::CHAPTERS[0].text();
    /// assert!(first.starts_with("A channel that does nothing wrong\n"));
    /// ```
    pub fn text(&self) -> String {
        let mut out = String::new();
        let (mut fenced, mut compiled) = (false, false);
        for line in self.source.lines() {
            let Some(line) = line.strip_prefix("//!") else { continue };
            let line = line.strip_prefix(' ').unwrap_or(line);
            if line.starts_with("```") {
                compiled = line == "```" && !fenced;
                fenced = !fenced;
                continue;
            }
            if compiled && (line == "#" || line.starts_with("# ")) {
                // What the compiler needs of an example and its reader does not.
                continue;
            }
            if fenced {
                out.push_str(if line.is_empty() { "" } else { "    " });
                out.push_str(line);
                out.push('\n');
                continue;
            }
            if let Some(rest) = line.strip_prefix("<!-- svg: ") {
                out.push_str("    [picture: ");
                out.push_str(rest.trim_end_matches(" -->").trim_end_matches("FIGURE"));
                out.push_str("]\n");
                continue;
            }
            let is_target = line.starts_with("[`") && line.contains("`]: ");
            if line.starts_with("<!--") || line == "</details>" || is_target {
                continue;
            }
            if line.starts_with("<details>") {
                out.push_str("Answer\n");
                continue;
            }
            push_without_targets(&line.replace("[`", "`").replace("`]", "`"), &mut out);
            out.push('\n');
        }
        out
    }
}

/// Writes a line without the targets of its links.
fn push_without_targets(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        let (text, bracket) = before.rsplit_once('[').unwrap_or(("", before));
        out.push_str(text);
        out.push_str(bracket);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lose_their_targets() {
        let mut out = String::new();
        push_without_targets("see [the sender](crate::x::Sender) and [2](b), f(x)[0]", &mut out);
        assert_eq!(out, "see the sender and 2, f(x)[0]");
    }
}
