//! Failures, counted by message.

/// Distinct messages that one tally keeps. A message that has a key in it would otherwise grow
/// without bound.
const MAX_MESSAGES: usize = 20;

/// Characters kept of a message.
const MAX_MESSAGE_CHARS: usize = 500;

/// Failures counted by message: the first so many distinct ones, the rest as "other".
#[derive(Clone, Debug, Default)]
pub(crate) struct FailureTally {
    messages: Vec<(String, u64)>, // at most MAX_MESSAGES
    other: u64,
}

impl FailureTally {
    pub(crate) fn add(&mut self, message: &str) {
        self.add_many(message, 1);
    }

    /// The messages by falling count, and how many failures had yet another message.
    pub(crate) fn into_parts(mut self) -> (Vec<(String, u64)>, u64) {
        self.messages
            .sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        (self.messages, self.other)
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.other += other.other;
        for (message, count) in other.messages {
            self.add_many(&message, count);
        }
    }

    fn add_many(&mut self, message: &str, count: u64) {
        let message = shortened(message);
        if let Some(known) = self.messages.iter_mut().find(|(known, _)| known == message) {
            known.1 += count;
        } else if self.messages.len() < MAX_MESSAGES {
            self.messages.push((message.to_owned(), count));
        } else {
            self.other += count;
        }
    }
}

fn shortened(message: &str) -> &str {
    match message.char_indices().nth(MAX_MESSAGE_CHARS) {
        Some((end, _)) => &message[..end],
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_messages_are_bounded_and_the_rest_is_still_counted() {
        let mut tally = FailureTally::default();
        for n in 0..1000 {
            tally.add(&format!("record {n} not found"));
        }
        tally.add("record 7 not found");
        let (messages, other) = tally.into_parts();
        assert_eq!(messages.len(), MAX_MESSAGES);
        assert_eq!(messages[0], ("record 7 not found".to_owned(), 2));
        assert_eq!(
            messages.iter().map(|(_, count)| count).sum::<u64>() + other,
            1001
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut tally = FailureTally::default();
        tally.add(&"ß".repeat(10_000));
        assert_eq!(tally.into_parts().0[0].0.chars().count(), MAX_MESSAGE_CHARS);
    }
}
