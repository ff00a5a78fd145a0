//! What the kernel tells of other processes: who listens at an address, and how much memory they take. Each file is
//! described in proc(5).

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use drivers::Address;

/// The state of a TCP socket that listens.
const LISTENS: &str = "0A";

/// The process that listens at an address of this machine, if it can be told.
pub(super) fn listener_at(address: &Address) -> Option<u32> {
    let inode = match address.port {
        None => unix_socket(&address.host)?,
        Some(port) => loopback(&address.host)
            .into_iter()
            .find_map(|host| tcp_socket(host, port))?,
    };
    let link = format!("socket:[{inode}]");
    let owners: Vec<u32> = processes()
        .filter(|process| has_open(*process, &link))
        .collect();
    // Workers share the socket of the process that started them.
    let is_first =
        |process: &&u32| parent_of(**process).is_none_or(|parent| !owners.contains(&parent));
    owners.iter().find(is_first).copied()
}

/// The addresses that a name of this machine may be.
fn loopback(host: &str) -> Vec<IpAddr> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let both = || vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    match host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => vec![address],
        Err(_) if host == "localhost" => both(),
        _ => Vec::new(),
    }
}

/// The inode of the socket that listens at an address, or at all of them.
fn tcp_socket(host: IpAddr, port: u16) -> Option<u64> {
    let file = match host {
        IpAddr::V4(_) => "/proc/net/tcp",
        IpAddr::V6(_) => "/proc/net/tcp6",
    };
    let listening = |file: &str, wanted: &[IpAddr]| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().skip(1).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (address, of_port) = words.get(1)?.split_once(':')?;
            let is_it = words.get(3) == Some(&LISTENS)
                && u16::from_str_radix(of_port, 16) == Ok(port)
                && wanted.contains(&address_of(address)?);
            is_it.then(|| words.get(9)?.parse().ok()).flatten()
        })
    };
    let any = match host {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Who listens at all addresses of version 6 does so at those of version 4 as well.
    listening(file, &[host, any])
        .or_else(|| listening("/proc/net/tcp6", &[Ipv6Addr::UNSPECIFIED.into()]))
}

/// An address as the kernel writes it: words of 32 bits in the machine's order.
fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok();
    match hex.len() {
        8 => Some(Ipv4Addr::from(word(0)?.to_ne_bytes()).into()),
        32 => {
            let mut bytes = [0; 16];
            for (number, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(number * 8)?.to_ne_bytes());
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

fn unix_socket(path: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/net/unix").ok()?;
    text.lines().skip(1).find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words.get(7) == Some(&path)).then(|| words.get(6)?.parse().ok())?
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn files_of(process: u32) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}

fn has_open(process: u32, link: &str) -> bool {
    let open = fs::read_dir(files_of(process).join("fd"));
    open.into_iter()
        .flatten()
        .flatten()
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == link))
}

fn parent_of(process: u32) -> Option<u32> {
    let status = fs::read_to_string(files_of(process).join("status")).ok()?;
    number(&status, "PPid:").and_then(|parent| u32::try_from(parent).ok())
}

/// What a process is called, in at most 15 characters.
pub(super) fn name_of(process: u32) -> String {
    let name = fs::read_to_string(files_of(process).join("comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// The resident memory of a process and of those that it started, in bytes; nothing if it has ended. Files and shared
/// memory are counted once: as those of the process that has most of them.
pub(super) fn memory_of(process: u32) -> Option<u64> {
    let (mut anonymous, mut files, mut shared) = (0, 0, 0);
    let mut left = vec![process];
    while let Some(next) = left.pop() {
        let status = fs::read_to_string(files_of(next).join("status")).unwrap_or_default();
        let Some(own) = number(&status, "RssAnon:") else {
            match next == process {
                true => return None,
                // A child may end while the others are read.
                false => continue,
            }
        };
        anonymous += own;
        files = number(&status, "RssFile:").unwrap_or(0).max(files);
        shared = number(&status, "RssShmem:").unwrap_or(0).max(shared);
        left.extend(children_of(next));
    }
    Some((anonymous + files + shared) * 1024)
}

fn children_of(process: u32) -> Vec<u32> {
    let threads = fs::read_dir(files_of(process).join("task"));
    let of_thread = |entry: fs::DirEntry| fs::read_to_string(entry.path().join("children")).ok();
    let texts = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(of_thread);
    let children = texts.flat_map(|text| {
        let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
        numbers.collect::<Vec<u32>>()
    });
    children.collect()
}

fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;
    use std::process::{Command, Stdio, id};

    use super::*;

    fn address(url: &str) -> Address {
        use drivers::{Constants, Driver as _, Http, HttpOptions, Scope, ServiceContext};
        let mut scope = Scope::new(Constants::new("k3v9q2xz"));
        let http = Http::new(HttpOptions::new(url), &ServiceContext::new("s"), &mut scope);
        http.unwrap().address().unwrap().clone()
    }

    #[test]
    fn whoever_listens_is_found() {
        for at in ["127.0.0.1:0", "0.0.0.0:0"] {
            let listener = TcpListener::bind(at).unwrap();
            let port = listener.local_addr().unwrap().port();
            let found = listener_at(&address(&format!("http://127.0.0.1:{port}")));
            assert_eq!(found, Some(id()), "{at}");
            assert_eq!(
                listener_at(&address(&format!("http://localhost:{port}"))),
                found
            );
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let url = format!("unix:{}", path.display());
        assert_eq!(listener_at(&address(&url)), Some(id()));
        assert_eq!(listener_at(&address("unix:/nowhere")), None);
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let little = cfg!(target_endian = "little");
        assert_eq!(
            address_of("0100007F"),
            little.then(|| Ipv4Addr::LOCALHOST.into())
        );
        assert_eq!(
            address_of("00000000000000000000000001000000"),
            little.then(|| Ipv6Addr::LOCALHOST.into())
        );
        assert_eq!(address_of("01"), None);
    }

    #[test]
    fn the_memory_of_a_process_is_counted_with_its_children_and_ends_with_it() {
        assert!(memory_of(id()).unwrap() > 1 << 20);
        // A shell that waits for a child, which is there once it has given back what it was given.
        let mut shell = Command::new("sh")
            .args(["-c", "cat; exit"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut to = shell.stdin.take().unwrap();
        to.write_all(b"x").unwrap();
        shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        let children = children_of(shell.id());
        assert_eq!(children.len(), 1, "{children:?}");
        assert_eq!(name_of(children[0]), "cat");
        assert!(memory_of(shell.id()).unwrap() > 0);
        drop(to);
        shell.wait().unwrap();
        assert_eq!(memory_of(shell.id()), None);
    }
}
