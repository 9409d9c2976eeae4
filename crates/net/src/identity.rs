//! Who a certificate says it is: cluster and region, in its URI subject alternative name.
//!
//! Must not verify signatures (TLS has done so) and must not know which regions are expected.

use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::config::{REGION_MAX, REGION_MIN};

const SCHEME: &str = "stakehold://";
const NAME_BYTES_MAX: usize = 40;

/// A region of a cluster, as its certificate names it: `stakehold://<cluster>/region/<number>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionIdentity {
    /// Name of the cluster.
    pub cluster: String,
    /// Number of the region, 1 to 4095.
    pub region: u16,
}

/// Why a certificate, a name or a number is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not an X.509 certificate, or its alternative names cannot be read.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No URI of a region among the alternative names.
    #[error("the certificate names no region")]
    NoRegion,
    /// More than one URI of a region.
    #[error("the certificate names more than one region")]
    ManyRegions,
    /// A URI that begins like ours and does not parse.
    #[error("{0:?} is not stakehold://<cluster>/region/<1..4095>")]
    Malformed(String),
    /// A cluster's or region's name that cannot be part of a DNS name.
    #[error("{0:?} is not a name: 1 to 40 of a-z, 0-9 and '-', a letter first and no '-' last")]
    BadName(String),
    /// A region number outside 1 to 4095.
    #[error("region number {0} is outside 1..=4095")]
    BadNumber(u16),
}

impl RegionIdentity {
    /// A checked identity.
    ///
    /// # Errors
    /// `BadName` for the cluster, `BadNumber` for the region.
    pub fn new(cluster: &str, region: u16) -> Result<Self, IdentityError> {
        check_name(cluster)?;
        if !(REGION_MIN..=REGION_MAX).contains(&region) {
            return Err(IdentityError::BadNumber(region));
        }
        Ok(Self { cluster: cluster.to_owned(), region })
    }

    /// The one region that a certificate in DER names.
    ///
    /// # Errors
    /// When it names none, several, or a malformed one.
    pub fn from_certificate(der: &[u8]) -> Result<Self, IdentityError> {
        let mut found = None;
        for uri in stakehold_uris(der)? {
            if found.is_some() {
                return Err(IdentityError::ManyRegions);
            }
            found = Some(Self::parse(&uri)?);
        }
        found.ok_or(IdentityError::NoRegion)
    }

    /// `stakehold://<cluster>/region/<number>`.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{SCHEME}{}/region/{}", self.cluster, self.region)
    }

    fn parse(uri: &str) -> Result<Self, IdentityError> {
        let malformed = || IdentityError::Malformed(uri.to_owned());
        let rest = uri.strip_prefix(SCHEME).ok_or_else(malformed)?;
        let (cluster, region) = rest.split_once("/region/").ok_or_else(malformed)?;
        let region = region.parse().map_err(|_| malformed())?;
        let identity = Self::new(cluster, region).map_err(|_| malformed())?;
        // One spelling only: `+3` and `03` parse as numbers but are not what we issue.
        if identity.uri() == uri { Ok(identity) } else { Err(malformed()) }
    }
}

/// The DNS name that a region's certificate carries and a dialler asks for: `<region>.<cluster>.stakehold`.
#[must_use]
pub fn server_name(cluster: &str, region_name: &str) -> String {
    format!("{region_name}.{cluster}.stakehold")
}

/// Whether `name` may name a cluster or a region.
///
/// # Errors
/// `BadName` unless it is 1 to 40 of a-z, 0-9 and '-', begins with a letter and does not end in '-'.
pub fn check_name(name: &str) -> Result<(), IdentityError> {
    let valid = name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if valid { Ok(()) } else { Err(IdentityError::BadName(name.to_owned())) }
}

/// The cluster that a certificate authority's certificate names: `stakehold://<cluster>`.
pub(crate) fn cluster_of_ca(der: &[u8]) -> Result<String, IdentityError> {
    let uris = stakehold_uris(der)?;
    let [uri] = uris.as_slice() else {
        return Err(IdentityError::Malformed(uris.join(", ")));
    };
    let cluster = uri.strip_prefix(SCHEME).unwrap_or_default();
    check_name(cluster).map_err(|_| IdentityError::Malformed(uri.clone()))?;
    Ok(cluster.to_owned())
}

/// What [`cluster_of_ca`] reads back.
pub(crate) fn ca_uri(cluster: &str) -> String {
    format!("{SCHEME}{cluster}")
}

fn stakehold_uris(der: &[u8]) -> Result<Vec<String>, IdentityError> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    let names = certificate.subject_alternative_name().map_err(|_| IdentityError::Unreadable)?;
    let Some(names) = names else {
        return Ok(Vec::new());
    };
    let uris = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::URI(uri) if uri.starts_with(SCHEME) => Some((*uri).to_owned()),
        _ => None,
    });
    Ok(uris.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_only() {
        let identity = RegionIdentity::new("prod", 3).unwrap();
        assert_eq!(identity.uri(), "stakehold://prod/region/3");
        assert_eq!(RegionIdentity::parse("stakehold://prod/region/3"), Ok(identity));
        for bad in [
            "stakehold://prod/region/03",
            "stakehold://prod/region/+3",
            "stakehold://prod/region/0",
            "stakehold://prod/region/4096",
            "stakehold://prod/region/3/",
            "stakehold:///region/3",
            "stakehold://Prod/region/3",
            "stakehold://a/region/1/region/3",
            "https://prod/region/3",
        ] {
            assert_eq!(RegionIdentity::parse(bad), Err(IdentityError::Malformed(bad.to_owned())));
        }
    }

    #[test]
    fn names_fit_in_dns() {
        for good in ["a", "eu-west", "eu1"] {
            assert_eq!(check_name(good), Ok(()));
        }
        for bad in ["", "-a", "a-", "1a", "A", "a_b", "a.b", "a/b", &"a".repeat(41)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
