//! What can go wrong with TLS, in sentences that say what to set.

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;

/// The sentence ends without its full stop, as errors of the system do.
pub(super) fn explained(why: &Error, server: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, sentence(why, server))
}

fn sentence(why: &Error, server: &str) -> String {
    match why {
        Error::InvalidCertificate(why) => certificate(why, server),
        Error::AlertReceived(alert) => {
            format!("{server} refused the TLS connection ({alert:?}){}", refused(*alert))
        }
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => format!(
            "{server} did not answer with TLS. If its port takes plain connections, use redis:// or leave \"tls\" out"
        ),
        Error::PeerIncompatible(why) => {
            format!("{server} and this client have no TLS in common ({}){}", peer(why), COMMON)
        }
        other => format!("TLS with {server} failed ({other})"),
    }
}

const COMMON: &str =
    ". Wanted: TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3; see \"tls.minVersion\"";

fn peer(why: &PeerIncompatible) -> String {
    format!("{why:?}")
}

fn certificate(why: &CertificateError, server: &str) -> String {
    use CertificateError as Of;
    match why {
        Of::UnknownIssuer => format!(
            "the certificate of {server} is signed by nobody who is trusted. Give the certificate of its authority in \"tls.ca\", or in a file named by NODE_EXTRA_CA_CERTS"
        ),
        Of::Expired | Of::ExpiredContext { .. } => {
            format!("the certificate of {server} has expired. Renew it on the server")
        }
        Of::NotValidYet | Of::NotValidYetContext { .. } => {
            format!("the certificate of {server} is not valid yet. Compare the clocks of both machines")
        }
        Of::NotValidForName | Of::NotValidForNameContext { .. } => format!(
            "the certificate of {server} is for another name ({why}). Connect by a name that it holds as a subjectAltName, or give that name in \"tls.servername\""
        ),
        other => format!("the certificate of {server} is not accepted ({other})"),
    }
}

fn refused(alert: AlertDescription) -> &'static str {
    use AlertDescription as Of;
    match alert {
        Of::CertificateRequired
        | Of::HandshakeFailure
        | Of::BadCertificate
        | Of::UnknownCA
        | Of::CertificateUnknown
        | Of::CertificateExpired
        | Of::CertificateRevoked
        | Of::UnsupportedCertificate
        | Of::AccessDenied => {
            ". If it asks for a client certificate, give one that it trusts in \"tls.cert\" and \"tls.key\""
        }
        Of::ProtocolVersion | Of::InsufficientSecurity => COMMON,
        Of::UnrecognisedName => ". Give the name it goes by in \"tls.servername\"",
        _ => "",
    }
}
