//! A cluster's certificate authority and the certificates of its regions, in memory and as files.
//!
//! Must not read a clock: the caller passes unix time. Must not know how the certificates are used (`tls` does).
//!
//! A region's certificate carries the URI `stakehold://<cluster>/region/<number>`, which both sides check
//! after the handshake, and the DNS name `<region-name>.<cluster>.stakehold`, for which a dialler asks. It is
//! good for both roles.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::identity::{IdentityError, RegionIdentity, ca_uri, check_name, cluster_of_ca, server_name};

const DAY_S: i64 = 86_400;
/// Certificates are valid from this long before `now`, for regions whose clocks are behind.
const BACKDATE_S: i64 = DAY_S;
const CA_VALID_DAYS: i64 = 3650;
const REGION_VALID_DAYS: i64 = 730;

/// File of the authority's certificate.
pub const CA_CERT_FILE: &str = "ca.pem";
/// File of the authority's private key.
pub const CA_KEY_FILE: &str = "ca-key.pem";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A name or number is malformed, or a certificate does not carry what it should.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The library refuses the key, the certificate or an alternative name.
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// `now` is not a time that certificates can carry.
    #[error("unix time {0} cannot be written into a certificate")]
    Time(i64),
    /// A certificate's PEM text that cannot be read.
    #[error("the certificate PEM cannot be read: {0}")]
    Pem(rustls::pki_types::pem::Error),
    /// The authority's key does not belong to its certificate.
    #[error("the authority's key is not that of its certificate")]
    KeyMismatch,
    /// The authority on disk is another cluster's. Nothing was written.
    #[error("the authority in the folder is of cluster {found:?}, not {wanted:?}")]
    OtherCluster {
        /// Named by the certificate on disk.
        found: String,
        /// Asked for.
        wanted: String,
    },
    /// Only one of the authority's two files is there. Nothing was written.
    #[error("the folder holds {0} without the other file of the authority")]
    HalfAuthority(&'static str),
    /// A name that would collide with another file. Nothing was written.
    #[error("a region cannot be named {0:?}: its files would be mistaken for others")]
    ReservedName(String),
    /// A region's name or number is asked for twice, or was issued before. Nothing was written.
    #[error("region {number} ({name}) has a certificate already")]
    RegionTaken {
        /// Its number.
        number: u16,
        /// Its name.
        name: String,
    },
    /// A file cannot be read or written. Files written before it remain.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// A cluster's certificate authority.
pub struct Ca {
    cluster: String,
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its private key.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, PEM.
    pub cert_pem: String,
    /// Its private key, PEM; a secret.
    pub key_pem: String,
}

/// A region that needs a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionRequest {
    /// Its number, 1 to 4095.
    pub number: u16,
    /// Its name; also that of its files.
    pub name: String,
    /// More DNS names or IP addresses for the certificate, for other uses of it; the transport needs none.
    pub extra_names: Vec<String>,
}

/// A new authority for `cluster`, valid for ten years from `now_unix_s`.
///
/// # Errors
/// When the name or the time cannot be used.
pub fn create_cluster(cluster: &str, now_unix_s: i64) -> Result<Ca, CertsError> {
    check_name(cluster)?;
    let mut params = params(&format!("{cluster} stakehold CA"), now_unix_s, CA_VALID_DAYS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![SanType::URI(ca_uri(cluster).try_into()?)];
    let key = KeyPair::generate()?;
    let cert_pem = params.self_signed(&key)?.pem();
    Ok(Ca { cluster: cluster.to_owned(), cert_pem, issuer: Issuer::new(params, key) })
}

impl Ca {
    /// The authority that [`create_cluster`] made and whose PEM texts were kept.
    ///
    /// # Errors
    /// When either text cannot be read, they do not belong together, or the certificate names no cluster.
    pub fn from_pem(cert_pem: &str, key_pem: &str) -> Result<Self, CertsError> {
        let der = CertificateDer::from_pem_slice(cert_pem.as_bytes()).map_err(CertsError::Pem)?;
        let cluster = cluster_of_ca(&der)?;
        let key = KeyPair::from_pem(key_pem)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| IdentityError::Unreadable)?;
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(CertsError::KeyMismatch);
        }
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { cluster, cert_pem: cert_pem.to_owned(), issuer })
    }

    /// A certificate for a region, with a new key, valid for two years from `now_unix_s`.
    ///
    /// # Errors
    /// When the number, the name, an extra name or the time cannot be used.
    pub fn issue(&self, region: &RegionRequest, now_unix_s: i64) -> Result<Issued, CertsError> {
        let identity = RegionIdentity::new(&self.cluster, region.number)?;
        check_name(&region.name)?;
        let mut params = params(&server_name(&self.cluster, &region.name), now_unix_s, REGION_VALID_DAYS)?;
        // Parses the extra names: an address becomes an IP name.
        params.subject_alt_names = CertificateParams::new(region.extra_names.clone())?.subject_alt_names;
        params.subject_alt_names.push(SanType::URI(identity.uri().try_into()?));
        params.subject_alt_names.push(SanType::DnsName(server_name(&self.cluster, &region.name).try_into()?));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let cert_pem = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { cert_pem, key_pem: key.serialize_pem() })
    }

    /// Name of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The authority's certificate, PEM: every region needs it.
    #[must_use]
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key, PEM: no region needs it.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

/// Writes `<name>.pem` and `<name>-key.pem` for each region, and `ca.pem` and `ca-key.pem` unless the folder
/// holds the cluster's authority already, which then signs. Key files get mode 0600. Returns what was written.
///
/// # Errors
/// Existing files are never overwritten. Every error but `File` and those of a library is found before
/// anything is written.
pub fn write_dir(
    dir: &Path,
    cluster: &str,
    regions: &[RegionRequest],
    now_unix_s: i64,
) -> Result<Vec<PathBuf>, CertsError> {
    std::fs::create_dir_all(dir).map_err(file_error(dir))?;
    let (ca, existing) = match load_ca(dir)? {
        Some(ca) => (ca, true),
        None => (create_cluster(cluster, now_unix_s)?, false),
    };
    if ca.cluster != cluster {
        return Err(CertsError::OtherCluster { found: ca.cluster, wanted: cluster.to_owned() });
    }
    let (mut numbers, mut names) = issued_before(dir)?;
    for region in regions {
        if region.name == "ca" || region.name.ends_with("-key") {
            return Err(CertsError::ReservedName(region.name.clone()));
        }
        let new = numbers.insert(region.number) && names.insert(region.name.clone());
        if !new || dir.join(format!("{}-key.pem", region.name)).exists() {
            return Err(CertsError::RegionTaken { number: region.number, name: region.name.clone() });
        }
    }
    let issued: Vec<_> =
        regions.iter().map(|region| Ok((region, ca.issue(region, now_unix_s)?))).collect::<Result<_, CertsError>>()?;

    let mut written = Vec::new();
    if !existing {
        written.push(write_new(dir.join(CA_KEY_FILE), &ca.key_pem(), true)?);
        written.push(write_new(dir.join(CA_CERT_FILE), &ca.cert_pem, false)?);
    }
    for (region, issued) in issued {
        written.push(write_new(dir.join(format!("{}-key.pem", region.name)), &issued.key_pem, true)?);
        written.push(write_new(dir.join(format!("{}.pem", region.name)), &issued.cert_pem, false)?);
    }
    Ok(written)
}

fn params(common_name: &str, now_unix_s: i64, valid_days: i64) -> Result<CertificateParams, CertsError> {
    let time = |offset_s: i64| {
        let unix_s = now_unix_s.checked_add(offset_s).ok_or(CertsError::Time(now_unix_s))?;
        let time = ASN1Time::from_timestamp(unix_s).map_err(|_| CertsError::Time(now_unix_s))?;
        Ok::<_, CertsError>(time.to_datetime())
    };
    let mut params = CertificateParams::default();
    params.not_before = time(-BACKDATE_S)?;
    params.not_after = time(valid_days * DAY_S)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    Ok(params)
}

fn load_ca(dir: &Path) -> Result<Option<Ca>, CertsError> {
    let (cert, key) = (dir.join(CA_CERT_FILE), dir.join(CA_KEY_FILE));
    match (cert.exists(), key.exists()) {
        (false, false) => Ok(None),
        (true, false) => Err(CertsError::HalfAuthority(CA_CERT_FILE)),
        (false, true) => Err(CertsError::HalfAuthority(CA_KEY_FILE)),
        (true, true) => Ca::from_pem(&read(&cert)?, &read(&key)?).map(Some),
    }
}

/// Numbers and names of the regions whose certificates are in `dir`.
fn issued_before(dir: &Path) -> Result<(BTreeSet<u16>, BTreeSet<String>), CertsError> {
    let (mut numbers, mut names) = (BTreeSet::new(), BTreeSet::new());
    for entry in std::fs::read_dir(dir).map_err(file_error(dir))? {
        let path = entry.map_err(file_error(dir))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let is_pem = path.extension().is_some_and(|extension| extension == "pem");
        if !is_pem || stem == "ca" || stem.ends_with("-key") {
            continue;
        }
        let der = CertificateDer::from_pem_slice(read(&path)?.as_bytes()).map_err(CertsError::Pem)?;
        numbers.insert(RegionIdentity::from_certificate(&der)?.region);
        names.insert(stem.to_owned());
    }
    Ok((numbers, names))
}

fn read(path: &Path) -> Result<String, CertsError> {
    std::fs::read_to_string(path).map_err(file_error(path))
}

fn write_new(path: PathBuf, text: &str, secret: bool) -> Result<PathBuf, CertsError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let written = options.open(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(file_error(&path))?;
    Ok(path)
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> CertsError {
    let path = path.to_owned();
    move |error| CertsError::File { path, error }
}
