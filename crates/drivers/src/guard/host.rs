//! Which hosts may be put under load.

use std::net::IpAddr;

use crate::driver::ServiceContext;
use crate::error::SpecError;

/// Refuses a host that is neither of this machine nor allowed.
///
/// # Errors
///
/// The host, and how to allow it.
pub fn check_host(host: &str, context: &ServiceContext) -> Result<(), SpecError> {
    let plain = host.trim_start_matches('[').trim_end_matches(']');
    let is_allowed = context
        .allowed_hosts
        .iter()
        .any(|allowed| allowed.eq_ignore_ascii_case(plain));
    if is_allowed || is_loopback(plain) {
        return Ok(());
    }
    let told = format!("`{}` is at {plain}: add --allow-host {plain}", context.name);
    Err(SpecError::new(0, told))
}

fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        // RFC 6761: `localhost` and what is below it never leave the machine.
        Err(_) => {
            let host = host.to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_allowed_without_asking() {
        let mut context = ServiceContext::new("shop");
        for host in [
            "127.0.0.1",
            "127.8.9.1",
            "[::1]",
            "localhost",
            "a.LocalHost",
        ] {
            assert_eq!(check_host(host, &context), Ok(()), "{host}");
        }
        for host in ["10.0.0.1", "0.0.0.0", "localhost.example.com", "::2"] {
            assert!(check_host(host, &context).is_err(), "{host}");
        }
        let told = check_host("shop.example.com", &context).unwrap_err();
        assert_eq!(
            told.problem,
            "`shop` is at shop.example.com: add --allow-host shop.example.com"
        );
        context.allowed_hosts.push("shop.example.com".into());
        assert_eq!(check_host("Shop.example.com", &context), Ok(()));
    }
}
