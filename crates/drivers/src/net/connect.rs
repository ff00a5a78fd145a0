//! Opening a socket, with TLS where the address asks for it.

use std::io;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{Address, Detour, Stream, Tls};
use crate::outcome::{Code, Failure};

/// Opens a socket, by the detour if there is one. `service` names it in messages; `tls` is there if the address asks for it.
pub(crate) async fn connect(
    address: &Address,
    detour: &Detour,
    tls: Option<&Tls>,
    service: &str,
    within: Duration,
) -> Result<Stream, Failure> {
    let opened = async {
        let host = address.host.trim_start_matches('[').trim_end_matches(']');
        let connected = match (detour.get(), address.port) {
            (Some(proxy), _) => TcpStream::connect(proxy).await,
            (None, Some(port)) => TcpStream::connect((host, port)).await,
            (None, None) => {
                return match UnixStream::connect(&*address.host).await {
                    Ok(stream) => Ok(Stream::Unix(stream)),
                    Err(error) => Err(no_connection(address, service, &error)),
                };
            }
        };
        let stream = connected
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(|error| no_connection(address, service, &error))?;
        match tls {
            Some(tls) => tls.handshake(stream, host, service).await,
            None => Ok(Stream::Tcp(stream)),
        }
    };
    match timeout(within, opened).await {
        Ok(opened) => opened,
        Err(_) => {
            let told = format!("`{service}` did not accept a connection in {within:?}");
            Err(Failure::with_code(&told, Code::Connect))
        }
    }
}

fn no_connection(address: &Address, service: &str, error: &io::Error) -> Failure {
    let place = match address.port {
        Some(port) => format!("{}:{port}", address.host),
        None => address.host.to_string(),
    };
    let told = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("`{service}` does not listen at {place}: connection refused")
        }
        _ => format!("cannot connect to `{service}` at {place}: {error}"),
    };
    Failure::with_code(&told, Code::Connect)
}
