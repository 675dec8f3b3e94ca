//! What can be chosen about a host.

use crate::transport::config::Config;

/// When an opener has to show that it receives what is sent to its address, before anything is kept
/// of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiePolicy {
    /// Always: a round trip more, and nothing that a forged address can fill.
    Always,
    /// When so many connections or more wait for their opener's second packet.
    Above(usize),
    /// Never.
    Never,
}

/// How a host behaves, and what strangers can make it hold.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// How its connections behave.
    pub connection: Config,
    /// Whether connections are accepted at all.
    pub accepts: bool,
    /// The most connections at the same time; more are not accepted. Those that this side opens count,
    /// and are always opened: no peer can make them more.
    pub connections_max: usize,
    /// When openers are challenged.
    pub cookies: CookiePolicy,
    /// Answers to strangers that wait to be sent; more are not given.
    pub answers_max: usize,
}

impl Default for HostConfig {
    /// Accepts up to 16,384 connections, with a cookie when 256 are half open: those hold
    /// less than a mebibyte.
    fn default() -> Self {
        Self {
            connection: Config::default(),
            accepts: true,
            connections_max: 16_384,
            cookies: CookiePolicy::Above(256),
            answers_max: 64,
        }
    }
}
