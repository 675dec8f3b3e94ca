//! Explicit congestion notification: the two bits of the IP header (RFC 3168, section 5).

/// What the ECN field of a datagram says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// `00`: the sender does not take part.
    #[default]
    NotEct,
    /// `01`: ECN-capable transport, L4S (RFC 9331).
    Ect1,
    /// `10`: ECN-capable transport.
    Ect0,
    /// `11`: a router met congestion.
    Ce,
}

impl Ecn {
    /// The mark in the two low bits of an IPv4 TOS or IPv6 traffic class byte.
    pub const fn from_bits(byte: u8) -> Self {
        match byte & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_round_trip_and_ignore_the_rest_of_the_byte() {
        for bits in 0..4 {
            assert_eq!(Ecn::from_bits(0b1010_1000 | bits).bits(), bits);
        }
    }
}
