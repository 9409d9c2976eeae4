//! Certificates as files: what is written, with which mode, and what is refused without writing.

use std::collections::BTreeMap;
use std::path::Path;

use net::certs::{Ca, CertsError, RegionRequest, create_cluster, write_dir};
use net::{IdentityError, RegionIdentity};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::support::{ALPHA, BETA, CLUSTER, GAMMA, authority, now_unix_s, request};

fn files(dir: &Path) -> BTreeMap<String, String> {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), read(&entry.path())))
        .collect()
}

#[test]
fn a_folder_is_written_once_and_then_only_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("certs");
    let now = now_unix_s();
    let written = write_dir(&dir, CLUSTER, &[request(ALPHA), request(BETA)], now).unwrap();
    assert_eq!(written.len(), 6);
    let before = files(&dir);
    assert_eq!(
        before.keys().collect::<Vec<_>>(),
        ["alpha-key.pem", "alpha.pem", "beta-key.pem", "beta.pem", "ca-key.pem", "ca.pem"]
    );

    let added = write_dir(&dir, CLUSTER, &[request(GAMMA)], now).unwrap();
    assert_eq!(added, [dir.join("gamma-key.pem"), dir.join("gamma.pem")]);
    let mut after = files(&dir);
    let gamma = after.remove("gamma.pem").unwrap();
    after.remove("gamma-key.pem").unwrap();
    assert_eq!(after, before, "nothing was overwritten");
    let der = CertificateDer::from_pem_slice(gamma.as_bytes()).unwrap();
    assert_eq!(RegionIdentity::from_certificate(&der), RegionIdentity::new(CLUSTER, GAMMA.0));

    #[cfg(unix)]
    for (name, mode) in [("ca-key.pem", 0o600), ("alpha-key.pem", 0o600), ("gamma-key.pem", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let found = std::fs::metadata(dir.join(name)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{name}");
    }
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let now = now_unix_s();
    write_dir(dir, CLUSTER, &[request(ALPHA)], now).unwrap();
    let before = files(dir);
    let refused = |cluster: &str, regions: &[RegionRequest]| {
        let error = write_dir(dir, cluster, regions, now).unwrap_err();
        assert_eq!(files(dir), before, "{error}");
        error
    };
    let with_beta = |other| [request(BETA), request(other)];
    assert!(matches!(refused("other", &[request(BETA)]), CertsError::OtherCluster { .. }));
    let taken = |error| matches!(error, CertsError::RegionTaken { .. });
    assert!(taken(refused(CLUSTER, &with_beta(ALPHA))), "issued before");
    assert!(taken(refused(CLUSTER, &with_beta((1, "delta")))), "the number was issued before");
    assert!(taken(refused(CLUSTER, &with_beta((9, "alpha")))), "the name was issued before");
    assert!(taken(refused(CLUSTER, &with_beta((2, "delta")))), "twice in one request");
    assert!(matches!(refused(CLUSTER, &with_beta((4, "ca"))), CertsError::ReservedName(_)));
    assert!(matches!(refused(CLUSTER, &with_beta((4, "beta-key"))), CertsError::ReservedName(_)));
    for bad in [(0, "delta"), (4096, "delta"), (4, "../up"), (4, "Delta"), (4, "")] {
        assert!(matches!(refused(CLUSTER, &with_beta(bad)), CertsError::Identity(_)), "{bad:?}");
    }
    let mut bad_name = request(GAMMA);
    bad_name.extra_names.push("not ascii \u{e9}".to_owned());
    assert!(matches!(refused(CLUSTER, &[bad_name]), CertsError::Certificate(_)));

    std::fs::remove_file(dir.join("ca-key.pem")).unwrap();
    let error = write_dir(dir, CLUSTER, &[request(BETA)], now).unwrap_err();
    assert!(matches!(error, CertsError::HalfAuthority("ca.pem")));
}

#[test]
fn an_authority_survives_being_stored_and_its_key_must_be_its_own() {
    let (ca, other) = (authority(), authority());
    let again = Ca::from_pem(ca.cert_pem(), &ca.key_pem()).unwrap();
    assert_eq!((again.cluster(), again.cert_pem()), (CLUSTER, ca.cert_pem()));
    let mismatch = Ca::from_pem(ca.cert_pem(), &other.key_pem()).map(|_| ());
    assert!(matches!(mismatch, Err(CertsError::KeyMismatch)));
    // A region's certificate is no authority's.
    let issued = ca.issue(&request(ALPHA), now_unix_s()).unwrap();
    let error = Ca::from_pem(&issued.cert_pem, &issued.key_pem).map(|_| ());
    assert!(matches!(error, Err(CertsError::Identity(IdentityError::Malformed(_)))));
    let error = create_cluster("No", now_unix_s()).map(|_| ());
    assert!(matches!(error, Err(CertsError::Identity(IdentityError::BadName(_)))));
    assert!(matches!(create_cluster("late", i64::MAX).map(|_| ()), Err(CertsError::Time(i64::MAX))));
}
