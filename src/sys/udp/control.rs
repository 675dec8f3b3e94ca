//! Ancillary data: what goes with a message beside its bytes (RFC 3542, `cmsg(3)`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::canonical;
use crate::ecn::Ecn;

/// Bytes of a control message's header: its length, level and kind.
const HEAD: usize = size_of::<usize>() + 2 * size_of::<i32>();
const ALIGN: usize = size_of::<usize>();

/// Not in `libc` for every target.
pub(crate) const UDP_SEGMENT: i32 = 103;
pub(crate) const UDP_GRO: i32 = 104;

/// Room for ancillary data: a mark, a length and an address, with their headers.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Control {
    bytes: [u8; Control::BYTES],
}

/// What ancillary data of an arrival say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) ecn: Ecn,
    pub(crate) local: Option<IpAddr>,
    pub(crate) stride: Option<usize>,
    /// What went wrong with a datagram that left.
    pub(crate) errno: Option<i32>,
}

impl Control {
    pub(crate) const BYTES: usize = 128;
    pub(crate) const EMPTY: Self = Self { bytes: [0; Self::BYTES] };

    /// Ancillary data of a message that leaves, and how many bytes they are. `v6` is the family that
    /// the message leaves in.
    pub(crate) fn outgoing(
        &mut self,
        segment: Option<u16>,
        ecn: Ecn,
        source: Option<IpAddr>,
        v6: bool,
    ) -> usize {
        let mut at = 0;
        if let Some(segment) = segment {
            at = self.put(at, libc::SOL_UDP, UDP_SEGMENT, &segment.to_ne_bytes());
        }
        if ecn != Ecn::NotEct {
            let mark = i32::from(ecn.bits()).to_ne_bytes();
            at = if v6 {
                self.put(at, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &mark)
            } else {
                self.put(at, libc::IPPROTO_IP, libc::IP_TOS, &mark)
            };
        }
        match source {
            // The interface stays open: the address decides.
            Some(IpAddr::V4(ip)) if !v6 => {
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                at = self.put(at, libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            Some(IpAddr::V6(ip)) if v6 => {
                let mut info = [0; 20];
                info[..16].copy_from_slice(&ip.octets());
                at = self.put(at, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            _ => {}
        }
        at
    }

    fn put(&mut self, at: usize, level: i32, kind: i32, data: &[u8]) -> usize {
        let len = HEAD + data.len();
        let space = &mut self.bytes[at..];
        space[..ALIGN].copy_from_slice(&len.to_ne_bytes());
        space[ALIGN..ALIGN + 4].copy_from_slice(&level.to_ne_bytes());
        space[ALIGN + 4..HEAD].copy_from_slice(&kind.to_ne_bytes());
        space[HEAD..len].copy_from_slice(data);
        let end = len.next_multiple_of(ALIGN);
        space[len..end].fill(0);
        at + end
    }

    /// What the first `len` bytes say. Kinds that are not known are passed over.
    pub(crate) fn read(&self, len: usize) -> Told {
        let mut told = Told::default();
        let mut rest = &self.bytes[..len.min(Self::BYTES)];
        while let Some((size, level, kind)) = head(rest) {
            if size < HEAD || size > rest.len() {
                break;
            }
            told.take(level, kind, &rest[HEAD..size]);
            rest = rest.get(size.next_multiple_of(ALIGN)..).unwrap_or_default();
        }
        told
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }
}

fn head(rest: &[u8]) -> Option<(usize, i32, i32)> {
    let size = usize::from_ne_bytes(*rest.first_chunk()?);
    let level = i32::from_ne_bytes(*rest.get(ALIGN..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*rest.get(ALIGN + 4..)?.first_chunk()?);
    Some((size, level, kind))
}

impl Told {
    fn take(&mut self, level: i32, kind: i32, data: &[u8]) {
        let number = || data.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes));
        match (level, kind) {
            // One byte for IPv4, an int for IPv6: the mark is in the lowest byte of either.
            (libc::IPPROTO_IP, libc::IP_TOS) => {
                self.ecn = Ecn::from_bits(data.first().copied().unwrap_or_default());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                let [byte, ..] = number().unwrap_or_default().to_le_bytes();
                self.ecn = Ecn::from_bits(byte);
            }
            // The error comes first in `sock_extended_err`.
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) => {
                self.errno = number();
            }
            (libc::SOL_UDP, UDP_GRO) => {
                self.stride = number().and_then(|stride| usize::try_from(stride).ok());
            }
            // Interface, the address that answers leave from, the address in the datagram.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let ip = data.get(4..).and_then(|rest| rest.first_chunk::<4>());
                self.local = ip.map(|&ip| Ipv4Addr::from(ip).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let ip = data.first_chunk::<16>();
                self.local = ip.map(|&ip| canonical(Ipv6Addr::from(ip).into()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lengths_and_addresses_go_there_and_back() {
        let four = "192.0.2.7".parse().ok();
        let six = "2001:db8::7".parse().ok();
        for (v6, source) in [(false, four), (true, six), (true, None)] {
            for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
                let mut control = Control::EMPTY;
                let len = control.outgoing(None, ecn, source, v6);
                let told = Told { ecn, local: source, ..Told::default() };
                assert_eq!(control.read(len), told);
            }
        }
        let mut control = Control::EMPTY;
        let len = control.put(0, libc::SOL_UDP, UDP_GRO, &1472_i32.to_ne_bytes());
        assert_eq!(control.read(len).stride, Some(1472));
    }

    #[test]
    fn everything_at_once_fits() {
        let mut control = Control::EMPTY;
        let source = "2001:db8::7".parse().ok();
        let len = control.outgoing(Some(u16::MAX), Ecn::Ce, source, true);
        assert!(len <= Control::BYTES);
        let told = Told { ecn: Ecn::Ce, local: source, ..Told::default() };
        assert_eq!(control.read(len), told);
    }

    #[test]
    fn lies_about_lengths_are_not_followed() {
        for size in [0, 1, HEAD - 1, 200, usize::MAX] {
            let mut control = Control::EMPTY;
            let len = control.put(0, libc::IPPROTO_IP, libc::IP_TOS, &[2]);
            control.bytes[..ALIGN].copy_from_slice(&size.to_ne_bytes());
            assert_eq!(control.read(len), Told::default(), "{size}");
        }
        let mut control = Control::EMPTY;
        let len = control.put(0, libc::IPPROTO_IP, libc::IP_PKTINFO, &[1, 2, 3]);
        for len in 0..=len {
            assert_eq!(control.read(len).local, None);
        }
        assert_eq!(Control::EMPTY.read(usize::MAX), Told::default());
    }
}
