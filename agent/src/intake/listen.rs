//! Listening on the loopback interface or on a Unix socket, to a limited number of connections.

use super::config::Place;
use super::limits::CONNECTIONS;
use axum::Router;
use axum::serve::Listener;
use fedaudit_core::fault::{Blame, Fault};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// A place that is listened on.
pub(crate) enum Bound {
    Tcp(TcpListener, String),
    Unix(UnixListener, String),
}

impl Bound {
    /// Takes a place. What a killed daemon left of a socket is replaced: whoever asks holds the home's lock.
    pub async fn bind(home: &Path, place: &Place) -> Result<Bound, Fault> {
        match place {
            Place::Tcp(address) => {
                let bound =
                    TcpListener::bind(address).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
                let (address, listener) = bound.map_err(|error| fault(&address.to_string(), &error))?;
                Ok(Bound::Tcp(listener, format!("http://{address}")))
            }
            Place::Unix(path) => {
                let path = home.join(path);
                let shown = path.display().to_string();
                if std::fs::symlink_metadata(&path).is_ok_and(|facts| facts.file_type().is_socket()) {
                    std::fs::remove_file(&path).map_err(|error| fault(&shown, &error))?;
                }
                let listener = UnixListener::bind(&path).and_then(|listener| {
                    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map(|()| listener)
                });
                Ok(Bound::Unix(listener.map_err(|error| fault(&shown, &error))?, format!("unix:{shown}")))
            }
        }
    }

    /// Where senders find it.
    pub fn address(&self) -> String {
        let (Bound::Tcp(_, address) | Bound::Unix(_, address)) = self;
        address.clone()
    }
}

fn fault(place: &str, error: &std::io::Error) -> Fault {
    let what = format!("intake cannot listen on {place}: {error}");
    Fault::new(Blame::Operator, what, "free it, or name another in [intake] of config.toml")
}

/// Serves until told to stop, and then until the requests that have begun are answered.
pub(crate) async fn serve(bound: Bound, router: Router, stopped: oneshot::Receiver<()>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let stopped = async { _ = stopped.await };
    // Neither ends by itself: errors of a connection are the connection's.
    let _ = match bound {
        Bound::Tcp(listener, _) => {
            let listener =
                axum::serve::ListenerExt::tap_io(listener, |stream: &mut TcpStream| _ = stream.set_nodelay(true));
            axum::serve(Capped { listener, slots }, router).with_graceful_shutdown(stopped).await
        }
        Bound::Unix(listener, _) => {
            axum::serve(Capped { listener, slots }, router).with_graceful_shutdown(stopped).await
        }
    };
}

/// A listener that accepts a connection only when it has a slot for it.
struct Capped<L> {
    listener: L,
    slots: Arc<Semaphore>,
}

/// A connection and its slot.
struct Slot<T> {
    io: T,
    _slot: Option<OwnedSemaphorePermit>,
}

impl<L: Listener> Listener for Capped<L> {
    type Io = Slot<L::Io>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        // The semaphore is never closed.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let (io, address) = self.listener.accept().await;
        (Slot { io, _slot: slot }, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Slot<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Slot<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context,
        buffers: &[std::io::IoSlice],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
