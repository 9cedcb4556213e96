//! A proxy that counts round trips: how often a client, having been answered, asks again. What the
//! client asks for its own sake, once a second, does not count.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Proxy {
    port: u16,
    counter: Arc<Counter>,
}

#[derive(Default)]
struct Counter {
    trips: AtomicUsize,
    /// Whether a call is on its way to the server.
    asking: AtomicBool,
}

impl Proxy {
    pub(crate) async fn before(url: &str) -> Self {
        let server = url.rsplit('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let counter = Arc::new(Counter::default());
        let counting = Arc::clone(&counter);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, true, Arc::clone(&counting)));
                tokio::spawn(pass(from_server, to_client, false, Arc::clone(&counting)));
            }
        });
        Self { port, counter }
    }

    pub(crate) fn url(&self) -> String {
        format!("valkey://127.0.0.1:{}", self.port)
    }

    /// What the work came to, and how many round trips it took.
    pub(crate) async fn counted<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.counter.trips.load(Ordering::SeqCst);
        let outcome = work.await;
        (outcome, self.counter.trips.load(Ordering::SeqCst) - before)
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    asking: bool,
    counter: Arc<Counter>,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !asking {
            counter.asking.store(false, Ordering::SeqCst);
        } else if is_a_call(&buffer[..length]) && !counter.asking.swap(true, Ordering::SeqCst) {
            counter.trips.fetch_add(1, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
}

/// Whether these bytes have a command that the backend sends for a call.
fn is_a_call(bytes: &[u8]) -> bool {
    [&b"FCALL"[..], b"SMEMBERS"].iter().any(|command| {
        bytes
            .windows(command.len())
            .any(|window| window == *command)
    })
}
