//! TLS towards the next hop: rustls with the ring provider, on both transports.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::ExporterError;
use crate::config::Tls;

/// The PEM files of a [`Tls`], read.
pub(super) struct Pem {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
}

impl Pem {
    pub(super) fn read(tls: &Tls) -> Result<Self, ExporterError> {
        let identity = match (&tls.cert_file, &tls.key_file) {
            (Some(cert), Some(key)) => Some((read(cert)?, read(key)?)),
            (None, None) => None,
            _ => return Err(ExporterError::Tls("a client certificate needs both cert_file and key_file".to_owned())),
        };
        Ok(Self { ca: tls.ca_file.as_deref().map(read).transpose()?, identity, server_name: tls.server_name.clone() })
    }

    /// For tonic's channel, after rustls has accepted the same material: tonic itself skips what it can't parse.
    pub(super) fn tonic(&self) -> Result<ClientTlsConfig, ExporterError> {
        self.rustls()?;
        let mut config = match &self.ca {
            Some(ca) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)),
            None => ClientTlsConfig::new().with_webpki_roots(),
        };
        if let Some((cert, key)) = &self.identity {
            config = config.identity(Identity::from_pem(cert, key));
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        Ok(config)
    }

    /// For reqwest.
    pub(super) fn rustls(&self) -> Result<ClientConfig, ExporterError> {
        let provider = Arc::new(ring::default_provider());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(self.roots()?), provider.clone())
            .build()
            .map_err(unusable)?;
        let verifier: Arc<dyn ServerCertVerifier> = match &self.server_name {
            Some(name) => {
                let name = ServerName::try_from(name.clone()).map_err(unusable)?;
                Arc::new(FixedName { webpki, name })
            }
            None => webpki,
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match &self.identity {
            Some((cert, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
                builder.with_client_auth_cert(certificates(cert)?, key).map_err(unusable)
            }
            None => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, ExporterError> {
        let Some(ca) = &self.ca else {
            return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca)? {
            roots.add(certificate).map_err(unusable)?;
        }
        Ok(roots)
    }
}

fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, ExporterError> {
    let path: PathBuf = path.as_ref().to_owned();
    std::fs::read(&path).map_err(|error| ExporterError::File(path, error))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ExporterError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(unusable)?;
    match certificates.is_empty() {
        true => Err(ExporterError::Tls("no certificate in the PEM file".to_owned())),
        false => Ok(certificates),
    }
}

fn unusable(error: impl std::fmt::Display) -> ExporterError {
    ExporterError::Tls(error.to_string())
}

/// Verifies the next hop as `name`, whatever host it was reached under. The host stays what SNI says.
#[derive(Debug)]
struct FixedName {
    webpki: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for FixedName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.webpki.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}
