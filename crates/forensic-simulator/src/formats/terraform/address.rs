//! Addresses of resources, by their grammar.

/// The type within an address such as `module.a["x.y"].aws_instance.web[0]`, by its grammar.
pub(crate) fn address_type(address: &str) -> Option<&str> {
    let mut parts = segments(address);
    loop {
        match parts.next()? {
            "module" => drop(parts.next()?),
            "data" | "ephemeral" | "action" => {}
            type_name => return parts.next().map(|_| type_name),
        }
    }
}

/// The names of an address between its dots, without the indexes; dots within an index count not.
pub(crate) fn segments(address: &str) -> impl Iterator<Item = &str> {
    let mut rest = address;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = end_of_segment(rest);
        let segment = &rest[..end];
        rest = rest[end..].strip_prefix('.').unwrap_or(&rest[end..]);
        if rest.len() == address.len() {
            rest = "";
        }
        Some(segment.split('[').next().unwrap_or(segment))
    })
}

fn end_of_segment(text: &str) -> usize {
    let (mut quoted, mut escaped, mut open) = (false, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if open => quoted = !quoted,
            '[' if !quoted => open = true,
            ']' if !quoted => open = false,
            '.' if !quoted && !open => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_by_their_grammar() {
        for (address, segments_of, kind) in [
            (
                "aws_route.r[\"10.0.0.0/16\"]",
                vec!["aws_route", "r"],
                Some("aws_route"),
            ),
            (
                "module.a[\"x.y[\\\"z\"].data.aws_ami.b[0]",
                vec!["module", "a", "data", "aws_ami", "b"],
                Some("aws_ami"),
            ),
            ("a.b", vec!["a", "b"], Some("a")),
            ("module.x", vec!["module", "x"], None),
            ("odd", vec!["odd"], None),
        ] {
            assert_eq!(
                segments(address).collect::<Vec<_>>(),
                segments_of,
                "{address}"
            );
            assert_eq!(address_type(address), kind, "{address}");
        }
    }
}
