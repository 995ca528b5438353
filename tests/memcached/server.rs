//! A memcached of a test's own, on a free loopback port, and a plain client to look behind the backend's back.

use cachalot::config::Endpoint;
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub struct Server {
    pub port: u16,
    directory: PathBuf,
    args: Vec<String>,
    child: Child,
}

static STARTED: AtomicU32 = AtomicU32::new(0);

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let number = STARTED.fetch_add(1, Relaxed);
        let directory =
            std::env::temp_dir().join(format!("cachalot-memcached-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        // The server may have become another user by the time it writes there.
        std::fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
        // It takes a free port by itself, which no other process can take in between.
        let (child, port) = spawn(-1, &args, &directory);
        Server { port, directory, args, child }
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
        self.child = spawn(i32::from(self.port), &self.args, &self.directory).0;
    }

    pub fn raw(&self) -> Raw {
        Raw(BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).unwrap()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The port is what it says itself, once it has it.
fn spawn(port: i32, args: &[String], directory: &Path) -> (Child, u16) {
    let told = directory.join("port");
    let _ = std::fs::remove_file(&told);
    // As root it refuses to run without a user to become; anyone else's -u is ignored.
    let mut child = Command::new("memcached")
        .args(["-u", "nobody", "-l", "127.0.0.1", "-U", "0", "-p", &port.to_string()])
        .args(args)
        .env("MEMCACHED_PORT_FILENAME", &told)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("memcached (1.6 or later) is needed for these tests, for example: apt-get install memcached");
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        if let Some(port) = text.trim_end().strip_prefix("TCP INET: ") {
            return (child, port.parse().unwrap());
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("memcached {args:?} ended with {status}");
        }
        assert!(Instant::now() < until, "memcached {args:?} does not say its port");
        std::thread::sleep(Duration::from_millis(5));
    }
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
        // A stub's answer has more words.
        self.line(&format!("mg {key} t u\r\n")).strip_prefix("HD t")?.split(' ').next()?.parse().ok()
    }

    pub fn set(&mut self, key: &str, value: &str) {
        self.set_flagged(key, value, 0);
    }

    pub fn set_flagged(&mut self, key: &str, value: &str, flags: u32) {
        self.set_bytes(key, value.as_bytes(), flags);
    }

    pub fn set_bytes(&mut self, key: &str, value: &[u8], flags: u32) {
        let head = format!("ms {key} {} F{flags}\r\n", value.len());
        self.0.get_mut().write_all(&[head.as_bytes(), value].concat()).unwrap();
        assert_eq!(self.line("\r\n"), "HD");
    }

    /// All there are.
    pub fn keys(&mut self) -> Vec<String> {
        self.0.get_mut().write_all(b"lru_crawler metadump all\r\n").unwrap();
        let mut lines = (&mut self.0).lines().map(Result::unwrap).take_while(|line| line != "END");
        let keys = lines.by_ref().map(|line| {
            let key = line.split(' ').next().unwrap().strip_prefix("key=").unwrap();
            key.replace("%21", "!").replace("%3A", ":")
        });
        keys.collect()
    }

    /// A number that the server counts.
    pub fn stat(&mut self, name: &str) -> u64 {
        self.0.get_mut().write_all(b"stats\r\n").unwrap();
        let lines: Vec<String> =
            (&mut self.0).lines().map(Result::unwrap).take_while(|line| line != "END").collect();
        let number = lines.iter().find_map(|line| line.strip_prefix(&format!("STAT {name} ")));
        number.unwrap().parse().unwrap()
    }

    pub fn flush(&mut self) {
        assert_eq!(self.line("flush_all\r\n"), "OK");
    }
}
