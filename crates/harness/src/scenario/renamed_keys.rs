//! Keys of earlier versions: each is refused with what it is called now.

use toml::de::DeTable;

use super::key_path::{KeyPath, SpecError};

/// The table that a key was in (none for the whole file), the key, and its name now.
const RENAMED: [(Option<&str>, &str, &str); 3] = [
    (None, "stop_if_broken", "abort_on_fail"),
    (Some("model"), "patience", "max_start_delay"),
    (Some("target"), "records", "initial_records"),
];

/// Refuses a file that has one of them.
pub(super) fn refuse(file: &DeTable<'_>) -> Result<(), SpecError> {
    if let Some(phase) = file.get("no_leak_in") {
        let phase = phase.get_ref().as_str().unwrap_or("soak");
        let problem = format!("`no_leak_in` is now a threshold: 'memory_leak(@ {phase}) == 0'");
        return Err(SpecError::of_key(KeyPath::to("no_leak_in"), problem));
    }
    for (table, old, new) in RENAMED {
        let inside = match table {
            None => Some(file),
            Some(name) => file.get(name).and_then(|value| value.get_ref().as_table()),
        };
        if inside.is_some_and(|table| table.contains_key(old)) {
            let at = match table {
                None => KeyPath::to(old),
                Some(table) => KeyPath::to(table).then(old),
            };
            return Err(SpecError::of_key(at, format!("`{old}` is now `{new}`")));
        }
    }
    Ok(())
}
