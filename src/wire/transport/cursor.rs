//! Reading and writing fields one after the other.

use crate::wire::{DecodeError, varint};

/// Takes fields from the front of bytes that a peer sent. Never reads beyond them, never panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What was not read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all was read.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let short = DecodeError::Short { needed: len, got: self.rest.len() };
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let short = DecodeError::Short { needed: N, got: self.rest.len() };
        let (taken, rest) = self.rest.split_first_chunk().ok_or(short)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Four bytes, most significant first.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes, most significant first.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// Sixteen bytes.
    pub fn token(&mut self) -> Result<[u8; 16], DecodeError> {
        self.array()
    }

    /// A variable-length integer (RFC 9000 section 16) in its shortest form.
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        // Most are small.
        if let [first @ ..=0x3f, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(u64::from(*first));
        }
        let short = DecodeError::Short { needed: 1, got: self.rest.len() };
        let (value, len) = varint::decode(self.rest).ok_or(short)?;
        if len != varint::len(value) {
            return Err(DecodeError::Field("an integer is not in its shortest form"));
        }
        self.rest = &self.rest[len..];
        Ok(value)
    }

    /// A length as a variable-length integer, then so many bytes.
    pub fn prefixed(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.varint()?;
        let len = usize::try_from(len)
            .map_err(|_| DecodeError::Length { field: len, got: self.rest.len() })?;
        self.bytes(len)
    }
}

/// Puts fields one after the other into space of the caller.
///
/// Whoever writes has made sure of the room; running out of it is a mistake of the program and
/// panics.
#[derive(Debug)]
pub struct Writer<'a> {
    space: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Writes to `space` from its start.
    pub const fn new(space: &'a mut [u8]) -> Self {
        Self { space, len: 0 }
    }

    /// Bytes written.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still have room.
    pub const fn room(&self) -> usize {
        self.space.len() - self.len
    }

    /// What was written.
    pub fn written(&mut self) -> &mut [u8] {
        &mut self.space[..self.len]
    }

    /// The next `len` bytes, to be filled by the caller.
    pub fn space(&mut self, len: usize) -> &mut [u8] {
        let start = self.len;
        self.len += len;
        &mut self.space[start..self.len]
    }

    /// These bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.space(bytes.len()).copy_from_slice(bytes);
    }

    /// One byte.
    pub fn u8(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    /// Four bytes, most significant first.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Eight bytes, most significant first.
    pub fn u64(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A variable-length integer in its shortest form; at most 2^62 - 1.
    pub fn varint(&mut self, value: u64) {
        self.len += varint::encode(value, &mut self.space[self.len..]);
    }

    /// A length, then so many bytes.
    pub fn prefixed(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes(bytes);
    }
}
