//! Opens a stream to an endpoint, found by its locator if it has one, and encrypted where that is wanted.

use super::locator::Locator;
use super::stream::Stream;
use super::time_budget::TimeBudget;
use super::timeout::Overdue;
use super::tls::connector::Connector;
use super::transport::Transport;
use crate::config::Endpoint;
use crate::error::{Error, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// Where a server is, and how one speaks to it.
#[derive(Clone)]
pub struct Target {
    pub endpoint: Endpoint,
    /// `None` = as it is, unencrypted.
    pub tls: Option<Arc<Connector>>,
    /// Tells the endpoint's present place; the endpoint is then a name for people.
    pub locator: Option<Arc<dyn Locator>>,
}

impl From<Endpoint> for Target {
    fn from(endpoint: Endpoint) -> Self {
        Target { endpoint, tls: None, locator: None }
    }
}

/// Dials within the budget: resolves the name, tries every address it has, then agrees on keys.
pub(super) async fn dial(target: &Target, keepalive: Duration, budget: &mut TimeBudget) -> Result<Stream> {
    let Target { endpoint, tls, locator } = target;
    let located = match locator {
        None => None,
        Some(locator) => Some(
            budget
                .spend(locator.locate())
                .await
                .map_err(|Overdue| Error::timeout(format!("Nobody told in time where {endpoint} is.")))??,
        ),
    };
    let endpoint = located.as_ref().unwrap_or(endpoint);
    let transport = connect(endpoint, keepalive, budget).await?;
    let Some(tls) = tls else { return Ok(Stream::plain(transport)) };
    let session = tls.session(endpoint)?;
    match budget.spend(Stream::encrypted(transport, session)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(why)) if why.get_ref().is_some() => Err(Error::connection(format!("TLS: {why}."))),
        Ok(Err(why)) => {
            Err(Error::connection(format!("{endpoint} hung up while TLS was agreed on: {why}. {PLAIN}")))
        }
        Err(Overdue) => Err(Error::timeout(format!(
            "{endpoint} did not agree on TLS within {} ms (connectTimeout). {PLAIN}",
            budget.limit().as_millis()
        ))),
    }
}

const PLAIN: &str = "Does the port speak TLS? If not, leave \"tls\" out.";

async fn connect(endpoint: &Endpoint, keepalive: Duration, budget: &mut TimeBudget) -> Result<Transport> {
    let dialed = match endpoint {
        Endpoint::Tcp { host, port } => tcp(host, *port, keepalive, budget).await.map(Transport::Tcp),
        #[cfg(unix)]
        Endpoint::Unix { path } => {
            let connecting = budget.spend(tokio::net::UnixStream::connect(path));
            connecting.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map(Transport::Unix)
        }
        Endpoint::Named { .. } => Err(io::ErrorKind::AddrNotAvailable.into()),
        #[cfg(not(unix))]
        Endpoint::Unix { path } => {
            let message =
                format!("{path}: unix sockets are not available on this system; give a host and port.");
            return Err(Error::new(crate::error::Code::Unsupported, message));
        }
    };
    dialed.map_err(|why| match why.kind() {
        io::ErrorKind::TimedOut => Error::timeout(format!("{endpoint} could not be reached in time.")),
        _ => {
            Error::connection(format!("{endpoint} could not be reached: {why}. Is the server running there?"))
        }
    })
}

async fn tcp(host: &str, port: u16, keepalive: Duration, budget: &mut TimeBudget) -> io::Result<TcpStream> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    // Anew for each attempt: after a failover the name may lead elsewhere.
    let addresses = budget.spend(lookup_host((host, port))).await.map_err(late)??.collect();
    let stream = budget.spend(first_of(alternating(addresses))).await.map_err(late)??;
    tune(&stream, keepalive)?;
    Ok(stream)
}

/// So long an address has for itself before the next is tried beside it (RFC 8305, "Happy Eyeballs", section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// By turns of both families, in the resolver's order: where one of them leads nowhere, the second address works.
fn alternating(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|one| one.is_ipv6() == first_is_v6);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut sorted = Vec::new();
    while same.len() + other.len() > 0 {
        sorted.extend(same.next());
        sorted.extend(other.next());
    }
    sorted
}

/// The first connection that comes about. An address that refuses is followed by the next at once, one that swallows
/// packets after a while, and goes on being tried.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    loop {
        attempts.extend(waiting.next().map(TcpStream::connect));
        let ended = match waiting.len() {
            0 => attempts.next().await,
            _ => match timeout(ATTEMPT_DELAY, attempts.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(why)) => last = why,
            None => return Err(last),
        }
    }
}

fn tune(stream: &TcpStream, keepalive: Duration) -> io::Result<()> {
    // A batch is one write; held back for a fuller packet it would only be late.
    stream.set_nodelay(true)?;
    let silence = keepalive.max(Duration::from_secs(1));
    let probes = TcpKeepalive::new().with_time(silence);
    #[cfg(not(any(target_os = "openbsd", target_os = "haiku")))]
    let probes = probes.with_interval(silence.min(Duration::from_secs(10)));
    SockRef::from(stream).set_tcp_keepalive(&probes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use tokio::net::TcpListener;

    fn soon() -> TimeBudget {
        TimeBudget::new(Duration::from_secs(1))
    }

    #[tokio::test]
    async fn resolves_names_tries_every_address_and_tunes_the_socket() {
        // `localhost` may lead to ::1 first, where nobody listens.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint =
            Endpoint::Tcp { host: "localhost".into(), port: listener.local_addr().unwrap().port() };
        let dialed = connect(&endpoint, Duration::from_secs(7), &mut soon()).await.unwrap();
        let Transport::Tcp(stream) = dialed else { panic!("expected a TCP stream, got {dialed:?}") };
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(7));
    }

    #[tokio::test]
    async fn says_what_could_not_be_reached() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let refused = Endpoint::Tcp { host: "127.0.0.1".into(), port };
        let unnamed = Endpoint::Unix { path: "/nowhere/at.sock".into() };
        for endpoint in [refused, unnamed] {
            let error = connect(&endpoint, Duration::ZERO, &mut soon()).await.unwrap_err();
            assert_eq!(error.code, Code::Connection);
            assert!(error.message.contains(&endpoint.to_string()), "{error}");
        }
    }

    #[tokio::test]
    async fn an_address_that_swallows_packets_holds_up_none_of_the_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Its queue of connections that nobody accepts is full.
        let deaf = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        deaf.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        deaf.listen(1).unwrap();
        let swallows = deaf.local_addr().unwrap().as_socket().unwrap();
        let mut held = Vec::new();
        while let Ok(Ok(stream)) = timeout(Duration::from_millis(100), TcpStream::connect(swallows)).await {
            held.push(stream);
        }
        let good = listener.local_addr().unwrap();
        let since = tokio::time::Instant::now();
        let stream = first_of(vec![swallows, good]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
        assert!((ATTEMPT_DELAY..2 * ATTEMPT_DELAY).contains(&since.elapsed()), "{:?}", since.elapsed());
    }

    #[test]
    fn families_take_turns_in_the_resolvers_order() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"];
        let sorted = alternating(given.into_iter().map(address).collect());
        let expected = ["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"];
        assert_eq!(sorted, expected.map(address));
    }
}
