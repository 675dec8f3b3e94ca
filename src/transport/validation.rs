//! How much may be sent to an address that nobody has shown to be the peer's own (RFC 9000 section
//! 8): whoever opens connections in the name of a victim must not gain by it.

/// Bytes that may be sent for each byte received (RFC 9000 section 8.1).
const FACTOR: u64 = 3;

/// The account of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    trusted: bool,
    received: u64,
    sent: u64,
}

impl Validation {
    /// An address of which nothing is known.
    pub const fn new() -> Self {
        Self { trusted: false, received: 0, sent: 0 }
    }

    /// An address that answered.
    pub const fn trusted() -> Self {
        Self { trusted: true, received: 0, sent: 0 }
    }

    /// A datagram came from there.
    pub fn on_received(&mut self, bytes: usize) {
        self.received = self.received.saturating_add(bytes as u64);
    }

    /// A datagram went there.
    pub fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64);
    }

    /// Somebody there has read what was sent.
    pub fn trust(&mut self) {
        self.trusted = true;
    }

    /// Bytes that may be sent now.
    pub const fn budget(&self) -> u64 {
        if self.trusted { u64::MAX } else { (FACTOR * self.received).saturating_sub(self.sent) }
    }
}

impl Default for Validation {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_for_one_until_it_answers() {
        let mut account = Validation::new();
        assert_eq!(account.budget(), 0);
        account.on_received(1200);
        account.on_sent(1000);
        assert_eq!(account.budget(), 2600);
        account.on_sent(2700);
        assert_eq!(account.budget(), 0);
        account.trust();
        assert_eq!(account.budget(), u64::MAX);
    }
}
