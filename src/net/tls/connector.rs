//! How the connections of a store are encrypted. One for all of them, so that sessions are resumed.

use super::session::Session;
use super::verifier::{Anyone, Trusted};
use crate::config::{Endpoint, Pem, TlsConfig, TlsVersion};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

pub struct Connector {
    options: TlsConfig,
    state: Mutex<State>,
}

struct State {
    config: Arc<ClientConfig>,
    files: Vec<Stamp>,
}

/// A file, and when it was last written.
type Stamp = (PathBuf, Option<SystemTime>);

/// In one place, should another be wanted.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// That of a store, if it has one.
pub fn connector(options: &Option<TlsConfig>) -> Result<Option<Arc<Connector>>> {
    options.clone().map(|options| Connector::new(options).map(Arc::new)).transpose()
}

impl Connector {
    /// Errors: `CACHALOT_CONFIG` where a certificate or a key is none, or its file cannot be read.
    pub fn new(options: TlsConfig) -> Result<Self> {
        if let Some(name) = &options.servername {
            parse_name(name)?;
        }
        let files = stamps(&options);
        let config = build(&options)?;
        Ok(Connector { options, state: Mutex::new(State { config, files }) })
    }

    pub(in crate::net) fn session(&self, endpoint: &Endpoint) -> Result<Session> {
        let name = match (&self.options.servername, endpoint) {
            (Some(name), _) => parse_name(name)?,
            (None, Endpoint::Tcp { host, .. }) => parse_name(host)?,
            (None, Endpoint::Unix { .. } | Endpoint::Named { .. }) => parse_name("localhost")?,
        };
        Session::new(self.config(), name, endpoint.to_string())
            .map_err(|why| Error::connection(format!("{why}.")))
    }

    /// Made anew once one of its files has changed. Half a rotation, a certificate without its key, is not taken yet.
    fn config(&self) -> Arc<ClientConfig> {
        let mut state = self.state.lock();
        if !state.files.is_empty() {
            let files = stamps(&self.options);
            if files != state.files
                && let Ok(config) = build(&self.options)
            {
                *state = State { config, files };
            }
        }
        state.config.clone()
    }
}

fn parse_name(name: &str) -> Result<ServerName<'static>> {
    // The zone of a link-local address is this machine's own affair.
    let bare = name.split_once('%').map_or(name, |(address, _)| address);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Error::config(format!(
            "tls.servername: expected a host name or an IP address, as the server's certificate has it, got {name:?}."
        ))
    })
}

fn stamps(options: &TlsConfig) -> Vec<Stamp> {
    let all = options.ca.iter().chain(&options.cert).chain(&options.key);
    let files = all.filter_map(|pem| match pem {
        Pem::File { file } => Some(file.clone()),
        Pem::Text(_) => None,
    });
    files
        .map(|file| {
            let written = fs::metadata(&file).and_then(|file| file.modified()).ok();
            (file, written)
        })
        .collect()
}

fn build(options: &TlsConfig) -> Result<Arc<ClientConfig>> {
    let provider = provider();
    let versions = match options.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12][..],
        TlsVersion::V13 => &[&TLS13],
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(|why| Error::config(format!("tls.minVersion: {why}.")))?
        .dangerous();
    let builder = if options.reject_unauthorized {
        builder.with_custom_certificate_verifier(Arc::new(trusted(options, provider)?))
    } else {
        builder.with_custom_certificate_verifier(Arc::new(Anyone(provider)))
    };
    let config = match (&options.cert, &options.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates("tls.cert", cert)?;
            let pem = bytes("tls.key", key)?;
            let key = PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|_| Error::config("tls.key: expected a private key in PEM, unencrypted (or with \"tls.passphrase\"), got something else."))?;
            builder.with_client_auth_cert(chain, key).map_err(|why| {
                Error::config(format!(
                    "tls.cert and tls.key: expected a certificate and its own key ({why})."
                ))
            })?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => {
            return Err(Error::config("tls.key: expected the key of \"tls.cert\" beside it, got nothing."));
        }
        (None, Some(_)) => {
            return Err(Error::config(
                "tls.cert: expected the certificate of \"tls.key\" beside it, got nothing.",
            ));
        }
    };
    Ok(Arc::new(config))
}

fn trusted(options: &TlsConfig, provider: Arc<CryptoProvider>) -> Result<Trusted> {
    let mut ca = Vec::new();
    for pem in &options.ca {
        ca.extend(certificates("tls.ca", pem)?);
    }
    let mut roots = RootCertStore::empty();
    // A list of authorities may hold one of a form that is no longer taken.
    let (taken, _) = roots.add_parsable_certificates(ca.iter().cloned());
    if taken == 0 {
        return Err(Error::config("tls.ca: expected certificates in PEM, got none that can be used."));
    }
    let rules = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|why| Error::config(format!("tls.ca: {why}.")))?;
    Ok(Trusted { rules, ca })
}

fn certificates(option: &str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>> {
    let pem = bytes(option, pem)?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match parsed {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(Error::config(format!("{option}: expected certificates in PEM, got something else."))),
    }
}

fn bytes(option: &str, pem: &Pem) -> Result<Vec<u8>> {
    match pem {
        Pem::Text(text) => Ok(text.clone().into_bytes()),
        Pem::File { file } => fs::read(file)
            .map_err(|why| Error::config(format!("{option}: {} could not be read: {why}.", file.display()))),
    }
}
