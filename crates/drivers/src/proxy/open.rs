//! Connections to the service itself.

use std::io;

use tokio::net::{TcpStream, UnixStream};

use crate::net::{Address, Stream};

/// Opens a connection to a service, as it is.
pub(super) async fn open(service: &Address) -> io::Result<Stream> {
    match service.port {
        None => UnixStream::connect(&*service.host).await.map(Stream::Unix),
        Some(port) => {
            let host = service.host.trim_start_matches('[').trim_end_matches(']');
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        }
    }
}
