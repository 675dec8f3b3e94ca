//! Addresses in the form of the system: `sockaddr_in` and `sockaddr_in6`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// An address as the kernel reads and writes it.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Name([u8; Name::BYTES]);

const FAMILY_4: [u8; 2] = family(libc::AF_INET);
const FAMILY_6: [u8; 2] = family(libc::AF_INET6);

/// A family as the two bytes that it takes in an address.
const fn family(number: i32) -> [u8; 2] {
    let [.., high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low]).to_ne_bytes()
}

impl Name {
    /// Bytes of the longer of the two forms: family, port, flow, address, scope.
    pub(crate) const BYTES: usize = 28;
    /// The same in the kernel's type.
    pub(crate) const LEN: libc::socklen_t = 28;
    const BYTES_4: usize = 16;
    pub(crate) const EMPTY: Self = Self([0; Self::BYTES]);

    /// The form of an address, and how many bytes of it count.
    pub(crate) fn new(address: SocketAddr) -> (Self, usize) {
        let mut name = Self::EMPTY;
        let bytes = &mut name.0;
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        match address {
            SocketAddr::V4(v4) => {
                bytes[..2].copy_from_slice(&FAMILY_4);
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (name, Self::BYTES_4)
            }
            SocketAddr::V6(v6) => {
                bytes[..2].copy_from_slice(&FAMILY_6);
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (name, Self::BYTES)
            }
        }
    }

    /// The address, if it is one of the two.
    pub(crate) fn get(&self) -> Option<SocketAddr> {
        let bytes = &self.0;
        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
        if bytes[..2] == FAMILY_4 {
            let ip = Ipv4Addr::from(*bytes[4..].first_chunk::<4>()?);
            Some(SocketAddrV4::new(ip, port).into())
        } else if bytes[..2] == FAMILY_6 {
            let ip = Ipv6Addr::from(*bytes[8..].first_chunk::<16>()?);
            // The flow says nothing about who it is.
            let scope = u32::from_ne_bytes(*bytes[24..].first_chunk::<4>()?);
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        } else {
            None
        }
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// An IPv4 address that a dual-stack socket wrapped, unwrapped.
pub(crate) fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_there_and_back() {
        for text in ["192.0.2.1:7", "[2001:db8::1]:65535", "[fe80::1%3]:80", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let (name, len) = Name::new(address);
            assert_eq!(name.get(), Some(address));
            assert_eq!(len, if address.is_ipv4() { 16 } else { 28 });
        }
        assert_eq!(Name::EMPTY.get(), None);
    }
}
