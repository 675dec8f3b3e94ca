//! The fields of frames, one by one.

use alloc::vec::Vec;
use core::str;

use super::{FRAME_BYTES_MAX, FrameError, Listing, Target};

/// Puts fields one behind the other.
pub(super) struct Writer(pub(super) Vec<u8>);

impl Writer {
    pub(super) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }
    pub(super) fn byte(&mut self, byte: u8) -> &mut Self {
        self.raw(&[byte])
    }
    pub(super) fn int(&mut self, number: u32) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }
    pub(super) fn long(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_be_bytes())
    }
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        debug_assert!(bytes.len() <= FRAME_BYTES_MAX, "callers keep the limit");
        self.int(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).raw(bytes)
    }
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }
    pub(super) fn target(&mut self, target: Target<'_>) -> &mut Self {
        match target {
            Target::Everyone => self.byte(0),
            Target::Room(room) => self.byte(1).text(room),
            Target::User(nick) => self.byte(2).text(nick),
        }
    }
    pub(super) fn listing(&mut self, what: Listing<'_>) -> &mut Self {
        match what {
            Listing::Users => self.byte(0),
            Listing::Rooms => self.byte(1),
            Listing::Members(room) => self.byte(2).text(room),
        }
    }
}

/// Takes fields one after the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        self.0.split_off(..len).ok_or(FrameError::Short)
    }
    pub(super) fn raw<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        self.take(N)?.try_into().map_err(|_| FrameError::Short)
    }
    pub(super) fn byte(&mut self) -> Result<u8, FrameError> {
        Ok(self.raw::<1>()?[0])
    }
    pub(super) fn flag(&mut self) -> Result<bool, FrameError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Unknown),
        }
    }
    pub(super) fn int(&mut self) -> Result<u32, FrameError> {
        Ok(u32::from_be_bytes(self.raw()?))
    }
    pub(super) fn long(&mut self) -> Result<u64, FrameError> {
        Ok(u64::from_be_bytes(self.raw()?))
    }
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FrameError> {
        let len = self.int()?;
        self.take(usize::try_from(len).map_err(|_| FrameError::Short)?)
    }
    pub(super) fn text(&mut self) -> Result<&'a str, FrameError> {
        str::from_utf8(self.bytes()?).map_err(|_| FrameError::Encoding)
    }
    pub(super) fn target(&mut self) -> Result<Target<'a>, FrameError> {
        Ok(match self.byte()? {
            0 => Target::Everyone,
            1 => Target::Room(self.text()?),
            2 => Target::User(self.text()?),
            _ => return Err(FrameError::Unknown),
        })
    }
    pub(super) fn listing(&mut self) -> Result<Listing<'a>, FrameError> {
        Ok(match self.byte()? {
            0 => Listing::Users,
            1 => Listing::Rooms,
            2 => Listing::Members(self.text()?),
            _ => return Err(FrameError::Unknown),
        })
    }
}
