//! A redis-server of one test's own: loopback, a free port, a directory of its own, ended with it.

use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub struct Server {
    pub port: u16,
    directory: PathBuf,
    options: Vec<String>,
    child: Option<Child>,
}

/// Ports tried for one server.
const PORTS: usize = 5;

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Options as on the command line: `["--maxmemory", "8mb"]`.
    pub fn with(options: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Relaxed);
        let directory = std::env::temp_dir().join(format!("cachalot-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let options = options.iter().map(|option| option.to_string()).collect();
        let mut server = Server { port: 0, directory, options, child: None };
        // A port that was free may be another process's a moment later.
        for _ in 0..PORTS {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.starts() {
                return server;
            }
        }
        panic!("redis-server did not start on any of {PORTS} ports");
    }

    pub fn socket(&self) -> String {
        self.directory.join("s").to_str().unwrap().to_owned()
    }

    /// Starts it again: same port, same directory.
    pub fn resume(&mut self) {
        assert!(self.starts(), "redis-server did not come back on port {}", self.port);
    }

    /// False if it ended by itself. It listens on its socket once it has the port: whoever answers there is this one,
    /// which whoever answers on the port need not be.
    fn starts(&mut self) -> bool {
        let mut child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--unixsocket", &self.socket()])
            .arg("--dir")
            .arg(&self.directory)
            .args(&self.options)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed to run these tests (apt-get install redis-server)");
        let deadline = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(self.socket()).is_err() {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "redis-server did not listen within 10 s");
            std::thread::sleep(Duration::from_millis(10));
        }
        self.child = Some(child);
        true
    }

    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A connection beside the backend's.
    pub fn raw(&self) -> redis::Connection {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
            match client.get_connection_with_timeout(Duration::from_secs(10)) {
                Ok(connection) => {
                    // A test fails, and does not hang, where its server does not answer.
                    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                    return connection;
                }
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A command over a raw connection, for what its type parameter says.
pub fn ask<T: redis::FromRedisValue>(raw: &mut redis::Connection, command: &[&str]) -> T {
    let mut packed = redis::cmd(command[0]);
    for part in &command[1..] {
        packed.arg(part);
    }
    packed.query(raw).unwrap()
}
