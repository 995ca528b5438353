//! A memcached of a test's own, on a free loopback port, and a plain client to look behind the backend's back.

use cachalot::config::Endpoint;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Server {
    pub port: u16,
    args: Vec<String>,
    child: Child,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        let child = spawn(port, &args);
        Server { port, args, child }
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp { host: "127.0.0.1".into(), port: self.port }
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Empty, on the same port.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.args);
    }

    pub fn raw(&self) -> Raw {
        Raw(BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, args: &[String]) -> Child {
    // As root it refuses to run without a user to become; anyone else's -u is ignored.
    let mut child = Command::new("memcached")
        .args(["-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()])
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached (1.6 or later) is needed for these tests, for example: apt-get install memcached");
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("memcached {args:?} ended with {status}");
        }
        assert!(Instant::now() < until, "memcached {args:?} does not listen on port {port}");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Blocking, one command at a time.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    fn line(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(command.as_bytes()).unwrap();
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// True if there was something.
    pub fn delete(&mut self, key: &str) -> bool {
        self.line(&format!("md {key}\r\n")) == "HD"
    }

    pub fn value(&mut self, key: &str) -> Option<Vec<u8>> {
        let line = self.line(&format!("mg {key} v u\r\n"));
        let length: usize = line.strip_prefix("VA ")?.parse().unwrap();
        let mut value = vec![0; length + 2];
        self.0.read_exact(&mut value).unwrap();
        value.truncate(length);
        Some(value)
    }

    /// Remaining seconds; -1 = for ever.
    pub fn life(&mut self, key: &str) -> Option<i64> {
        self.line(&format!("mg {key} t u\r\n")).strip_prefix("HD t")?.parse().ok()
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.set_flagged(key, value, 0);
    }

    pub fn set_flagged(&mut self, key: &str, value: &str, flags: u32) {
        assert_eq!(self.line(&format!("ms {key} {} F{flags}\r\n{value}\r\n", value.len())), "HD");
    }

    pub fn flush(&mut self) {
        assert_eq!(self.line("flush_all\r\n"), "OK");
    }
}
