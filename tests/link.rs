//! A link over a wire that is broken on purpose.

mod support;

use support::proxy::Proxy;
use support::toy::{Client, serve};

#[tokio::test]
async fn many_senders_each_get_their_own_replies_in_call_order() {
    let proxy = Proxy::start(serve().await).await;
    let client = Client::open(proxy.address);
    let asked: Vec<_> = (0..5_000).map(|_| client.echo(0)).collect();
    for echo in asked {
        echo.await.unwrap();
    }
    let twice = client.link.send(b"twice a\ntwice b\n".to_vec(), 4).await.unwrap();
    assert_eq!(twice.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["a", "a", "b", "b"]);
    assert_eq!(client.told(), ["connected"]);
}
