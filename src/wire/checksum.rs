//! (being written)
pub enum Checksum {
    None,
}
