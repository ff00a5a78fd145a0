//! A place from which figures can be taken although the thread that writes them never comes back.

use crossbeam::atomic::AtomicCell;

/// Holds a value that one thread changes, and that another may claim for good.
///
/// The writer takes the value out, changes it and puts it back: two swaps of a pointer, no lock, and
/// nobody ever waits for it. It does so only for as long as the engine itself writes, never while the
/// workload's code runs. So whatever that code does, the value is in its place, and complete.
pub(crate) struct Slot<T>(AtomicCell<Option<Box<T>>>);

impl<T> Slot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(AtomicCell::new(Some(Box::new(value))))
    }

    /// Changes the value; does nothing when it was claimed, since nobody would see it.
    #[inline]
    pub(crate) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut value = self.0.take()?;
        let result = change(&mut value);
        self.0.store(Some(value));
        Some(result)
    }

    /// Takes the value away. Nothing comes while the writer has it in hand, which is for less than a
    /// microsecond unless it is taken off its processor.
    pub(crate) fn claim(&self) -> Option<Box<T>> {
        self.0.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_pointer_that_is_swapped_without_a_lock() {
        assert!(AtomicCell::<Option<Box<[u8; 64]>>>::is_lock_free());
    }

    #[test]
    fn what_was_claimed_is_complete_and_changes_no_more() {
        let slot = Slot::new(vec![1]);
        assert_eq!(slot.with(|values| values.push(2)), Some(()));
        assert_eq!(slot.claim().as_deref(), Some(&vec![1, 2]));
        assert_eq!(slot.with(|values| values.push(3)), None);
        assert!(slot.claim().is_none());
    }

    #[test]
    fn every_change_before_the_claim_is_in_it() {
        let slot = Slot::new(0u64);
        let (written, claimed) = std::thread::scope(|threads| {
            let writer = threads.spawn(|| {
                let mut written = 0u64;
                while slot.with(|value| *value += 1).is_some() {
                    written += 1;
                }
                written
            });
            let claimed = loop {
                if let Some(value) = slot.claim() {
                    break *value;
                }
            };
            (writer.join().unwrap(), claimed)
        });
        assert_eq!(written, claimed);
    }
}
