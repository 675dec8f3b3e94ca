//! How many packets may leave in a row.

use super::Recovery;

impl Recovery {
    /// What the window leaves beside the packet that goes next; `None` when it does not even have room
    /// for that.
    pub(in crate::transport) fn room_beside_next(&self) -> Option<u64> {
        let next = (self.pmtud.packet_bytes() as u64).min(self.window());
        self.room().checked_sub(next)
    }

    /// How many packets of `bytes` may leave now, one behind the other, for all that the window, pacing
    /// and the numbering say, and have the same mark.
    pub(in crate::transport) fn run_max(&self, bytes: u64) -> u64 {
        let Some(more) = self.room_beside_next() else { return 0 };
        // While the window is being reduced, each packet changes what the next may.
        let by_window = if self.prr.is_some() { 1 } else { more / bytes.max(1) + 1 };
        let by_number = self.skips.map_or(u64::MAX, |skips| skips.packets_left());
        by_window.min(self.pacer.run_max(bytes, self.mss)).min(by_number).min(self.ecn.run_max())
    }
}
