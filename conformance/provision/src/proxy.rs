//! A proxy in front of a server. It counts round trips, and loses connections when it is told to.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::frames::Frames;
use crate::{Kind, Server};

/// How long a server may take to notice that its client is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// In front of a server until it is dropped.
pub struct Proxy {
    url: String,
    line: Arc<Line>,
    accepting: JoinHandle<()>,
}

/// What all connections share.
struct Line {
    kind: Kind,
    requests: AtomicUsize,
    /// The number of the request with which all connections are lost, and what becomes of it.
    loss: Mutex<Option<(usize, Fate)>>,
    /// How often all connections have been lost.
    losses: watch::Sender<usize>,
}

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Fate {
    Passes,
    IsLost,
    GoesUnanswered,
}

impl Proxy {
    /// In front of this server, on a port of its own.
    ///
    /// # Errors
    ///
    /// No port can be had.
    pub async fn before(server: &Server) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let address = address(&server.url).to_owned();
        let line = Arc::new(Line {
            kind: server.kind,
            requests: AtomicUsize::new(0),
            loss: Mutex::default(),
            losses: watch::channel(0).0,
        });
        let url = server.url.replace(&address, &format!("127.0.0.1:{port}"));
        let shared = Arc::clone(&line);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, address.clone(), Arc::clone(&shared)));
            }
        });
        Ok(Self { url, line, accepting })
    }

    /// The server's URL, by way of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Round trips so far: how often a client, having been answered, has asked again.
    pub fn requests(&self) -> usize {
        self.line.requests.load(Ordering::SeqCst)
    }

    /// The result of the work, and how many round trips it takes.
    pub async fn counted<T>(&self, work: impl Future<Output = T>) -> (T, usize) {
        let before = self.requests();
        let outcome = work.await;
        (outcome, self.requests() - before)
    }

    /// All connections are lost with the request that follows after this many, before the server has
    /// seen it. Others can be made at once.
    pub fn lose_request(&self, after: usize) {
        self.line.lose(after, Fate::IsLost);
    }

    /// The same, when the server has answered the request and the client has not seen it.
    pub fn lose_answer(&self, after: usize) {
        self.line.lose(after, Fate::GoesUnanswered);
    }

    /// Calls the loss off. Whether it was still to come.
    pub fn spare(&self) -> bool {
        self.line.loss().take().is_some()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.line.lose_all();
    }
}

impl Line {
    fn loss(&self) -> MutexGuard<'_, Option<(usize, Fate)>> {
        self.loss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, after: usize, fate: Fate) {
        let now = self.requests.load(Ordering::SeqCst);
        *self.loss() = Some((now + after, fate));
    }

    /// Counts a request.
    fn request(&self) -> Fate {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let mut loss = self.loss();
        match *loss {
            Some((last, fate)) if number >= last => {
                *loss = None;
                fate
            }
            _ => Fate::Passes,
        }
    }

    fn lose_all(&self) {
        self.losses.send_modify(|losses| *losses += 1);
    }
}

/// Passes on what client and server say to each other until one of them is gone or all is lost.
async fn connect(client: TcpStream, address: String, line: Arc<Line>) {
    let mut losses = line.losses.subscribe();
    let Ok(server) = TcpStream::connect(address).await else {
        return;
    };
    // Without it both sides wait for each other's acknowledgements.
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return;
    }
    let (mut client, mut server) = (client.into_split(), server.into_split());
    tokio::select! {
        () = converse(&mut client, &mut server, &line) => {}
        _ = losses.changed() => {}
    }
    // The client hears of the loss when the server has let go of all that it held for it.
    let (mut from_server, to_server) = server;
    drop(to_server);
    let (mut rest, mut end) = (vec![0; 65_536], pin!(tokio::time::sleep(PATIENCE)));
    loop {
        tokio::select! {
            length = from_server.read(&mut rest) => if !matches!(length, Ok(1..)) { return },
            () = &mut end => return,
        }
    }
}

async fn converse(
    (from_client, to_client): &mut (OwnedReadHalf, OwnedWriteHalf),
    (from_server, to_server): &mut (OwnedReadHalf, OwnedWriteHalf),
    line: &Line,
) {
    let (mut said, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let (mut asking, mut unanswered) = (false, false);
    let mut exchange = Exchange::new(line.kind);
    loop {
        tokio::select! {
            length = from_client.read(&mut said) => {
                let Ok(length @ 1..) = length else { return };
                exchange.asked(&said[..length]);
                if !asking && line.kind.is_request(&said[..length]) {
                    asking = true;
                    match line.request() {
                        Fate::Passes => {}
                        Fate::IsLost => return line.lose_all(),
                        Fate::GoesUnanswered => unanswered = true,
                    }
                }
                if to_server.write_all(&said[..length]).await.is_err() {
                    return;
                }
            }
            length = from_server.read(&mut answered) => {
                let Ok(length @ 1..) = length else { return };
                if unanswered {
                    return line.lose_all();
                }
                asking &= !exchange.is_answered(&answered[..length]);
                if to_client.write_all(&answered[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// What is still to be answered. Commands that are sent together are one request, whose answers begin while
/// it is still being sent.
struct Exchange {
    kind: Kind,
    commands: Frames,
    replies: Frames,
    owed: usize,
}

impl Exchange {
    fn new(kind: Kind) -> Self {
        Self { kind, commands: Frames::default(), replies: Frames::default(), owed: 0 }
    }

    fn asked(&mut self, bytes: &[u8]) {
        if self.kind == Kind::Valkey {
            self.owed += self.commands.ended(bytes);
        }
    }

    /// Whether nothing is to be answered after this. A client of Postgres does not ask until it is answered.
    fn is_answered(&mut self, bytes: &[u8]) -> bool {
        if self.kind == Kind::Valkey {
            self.owed = self.owed.saturating_sub(self.replies.ended(bytes));
        }
        self.owed == 0 && !self.commands.is_within()
    }
}

/// Where the server of a URL listens.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    rest.rsplit_once('@').map_or(rest, |(_, address)| address)
}

impl Kind {
    /// Whether these bytes ask for something on a call's behalf. A client of Valkey also asks for its
    /// own sake, once a second.
    fn is_request(self, bytes: &[u8]) -> bool {
        let holds = |command: &[u8]| bytes.windows(command.len()).any(|part| part == command);
        match self {
            Self::Valkey => {
                [&b"FCALL"[..], b"SMEMBERS", b"TIME", b"XREVRANGE"].into_iter().any(holds)
            }
            Self::Postgres => true,
        }
    }
}
