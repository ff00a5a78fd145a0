//! What the words mean by which a plan gives its reasons.

/// Why a resource is treated as it is, by its `action_reason`.
pub(super) fn words_of(reason: &str) -> Option<String> {
    Some(match reason {
        "none" | "" => return None,
        "replace_because_tainted" => {
            "because it is tainted: an earlier apply failed on it".to_owned()
        }
        "replace_because_cannot_update" => {
            "because its provider cannot change it in place".to_owned()
        }
        "replace_by_request" => "because `-replace` asks for it".to_owned(),
        "replace_by_triggers" => "because of its `replace_triggered_by`".to_owned(),
        "delete_because_no_resource_config" => {
            "because the configuration has no such resource any more".to_owned()
        }
        "delete_because_no_module" => {
            "because the configuration has no such module any more".to_owned()
        }
        "delete_because_wrong_repetition" => {
            "because it has an index of another kind than `count` or `for_each` give".to_owned()
        }
        "delete_because_count_index" => "because `count` has become smaller".to_owned(),
        "delete_because_each_key" => "because `for_each` has no such key any more".to_owned(),
        "delete_because_no_move_target" => {
            "because it was moved to what the configuration does not have".to_owned()
        }
        "read_because_config_unknown" => {
            "read during the apply, as its arguments are not known before".to_owned()
        }
        "read_because_dependency_pending" => {
            "read during the apply, after what it depends on".to_owned()
        }
        "read_because_check_nested" => "read for a check".to_owned(),
        other => format!("because of {other}"),
    })
}

/// Why something is put off.
pub(super) fn deferral(reason: &str) -> &str {
    match reason {
        "instance_count_unknown" => "how many instances it has is not known yet",
        "resource_config_unknown" => "its configuration is not known yet",
        "provider_config_unknown" => "the configuration of its provider is not known yet",
        "absent_prereq" => "something that it needs does not exist yet",
        "deferred_prereq" => "something that it needs is put off",
        other => other,
    }
}
