//! The files in `regions/` load, every kind of fault says where it is, and the schema is that of the code.

use std::path::{Path, PathBuf};

use super::files::ConfigFile;
use super::{Overrides, load, load_topology};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A copy of `regions/` with certificate files, in which one text is replaced by another.
struct Copy(tempfile::TempDir);

impl Copy {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (regions, certs) = (dir.path().join("regions"), dir.path().join("certs"));
        std::fs::create_dir(&regions).unwrap();
        std::fs::create_dir(&certs).unwrap();
        for name in ["topology", "eu-west", "us-east", "ap-south"] {
            let file = format!("{name}.toml");
            std::fs::copy(checkout().join("regions").join(&file), regions.join(&file)).unwrap();
        }
        for file in ["ca.pem", "eu-west.pem", "eu-west-key.pem"] {
            std::fs::write(certs.join(file), "not looked into").unwrap();
        }
        Self(dir)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join("regions").join(file)
    }

    fn replace(self, file: &str, from: &str, to: &str) -> Self {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        std::fs::write(self.path(file), text.replacen(from, to, 1)).unwrap();
        self
    }

    /// What loading eu-west says, without the scratch folder's name.
    fn fault(&self) -> String {
        self.fault_with(&Overrides::default())
    }

    fn fault_with(&self, overrides: &Overrides) -> String {
        let fault = load(&self.path("eu-west.toml"), overrides).unwrap_err().to_string();
        fault.replace(&format!("{}/", self.path("").display().to_string().trim_end_matches('/')), "")
    }
}

#[test]
fn the_regions_of_this_repository_load() {
    let topology = load_topology(&checkout().join("regions/topology.toml")).unwrap();
    let regions: Vec<(u16, &str)> = topology.regions().collect();
    assert_eq!(regions, [(1, "eu-west"), (2, "us-east"), (3, "ap-south")]);
    let setting = load(&Copy::new().path("eu-west.toml"), &Overrides::default()).unwrap();
    assert_eq!((setting.name.as_str(), setting.listen_http.to_string().as_str()), ("eu-west", "127.0.0.1:8101"));
    let net = setting.node.net.unwrap();
    assert_eq!((net.region, net.peers.len(), net.listen.to_string().as_str()), (1, 2, "127.0.0.1:9101"));
    let engine = setting.node.engine;
    assert_eq!((engine.region, engine.incarnation, engine.ack_quorum, engine.freshness_ms), (1, 1, 1, 20_000));
    assert_eq!(setting.api.regions.len(), 3);
}

#[test]
fn the_command_line_goes_before_the_file() {
    let overrides = Overrides {
        data_dir: Some("elsewhere".into()),
        listen_http: Some("127.0.0.1:0".parse().unwrap()),
        replay: true,
        first_start: true,
        incarnation: Some(3),
        insecure_http: false,
    };
    let setting = load(&Copy::new().path("eu-west.toml"), &overrides).unwrap();
    assert_eq!(setting.node.data_dir, Path::new("elsewhere"));
    assert_eq!(setting.listen_http.port(), 0);
    let engine = setting.node.engine;
    assert!(engine.replay && engine.first_start && engine.incarnation == 3);
}

/// Every fault: file, what is replaced by what, and the words of the refusal.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (
        "eu-west.toml",
        "region = \"eu-west\"",
        "region = \"eu-wset\"",
        "eu-west.toml:4: region: \"eu-wset\" is not in topology.toml, which has eu-west, us-east, ap-south",
    ),
    (
        "eu-west.toml",
        "region = \"eu-west\"",
        "regoin = \"eu-west\"",
        "eu-west.toml:4: regoin: unknown field `regoin`, expected one of `region`, `topology`, `data_dir`, `http`, `gossip`, `limits`, `store`",
    ),
    ("eu-west.toml", "region = \"eu-west\"", "", "eu-west.toml:1: missing field `region`"),
    (
        "eu-west.toml",
        "region = \"eu-west\"",
        "region = ",
        "eu-west.toml:4: region: string values must be quoted, expected literal string",
    ),
    ("eu-west.toml", "[http]", "[http", "eu-west.toml:8: unclosed table, expected `]`"),
    ("eu-west.toml", "listen = \"127.0.0.1:8101\"", "", "eu-west.toml:8: http: missing field `listen`"),
    (
        "eu-west.toml",
        "listen = \"127.0.0.1:8101\"",
        "listen = \"localhost\"",
        "eu-west.toml:9: http.listen: invalid socket address syntax",
    ),
    (
        "eu-west.toml",
        "listen = \"127.0.0.1:8101\"",
        "listen = \"0.0.0.0:8101\"",
        "eu-west.toml:9: http.listen: 0.0.0.0:8101 can be reached from other machines, and there is no client \
      authentication yet: listen on 127.0.0.1, or accept that with --insecure-http",
    ),
    (
        "eu-west.toml",
        "listen = \"127.0.0.1:8101\"",
        "listen = \"127.0.0.1:8101\"\ncors_origins = [\"*\"]",
        "eu-west.toml:10: http.cors_origins: cors_origins: \"*\" is not an origin (scheme://host[:port])",
    ),
    ("eu-west.toml", "topology.toml\"", "toplogy.toml\"", "eu-west.toml:5: topology: there is no file toplogy.toml"),
    (
        "eu-west.toml",
        "certs/eu-west.pem",
        "certs/eu-wset.pem",
        "eu-west.toml:15: gossip.certificate: cannot read ../certs/eu-wset.pem: No such file or directory (os error 2); \
      `stakehold certs` makes certificates",
    ),
    (
        "eu-west.toml",
        "[gossip]",
        "[limits]\nqueue_depth_max = 0\n\n[gossip]",
        "eu-west.toml:13: limits.queue_depth_max: must be 1 to 1000000, not 0",
    ),
    (
        "eu-west.toml",
        "[gossip]",
        "[limits]\nwait_ms_max = -1\n\n[gossip]",
        "eu-west.toml:13: limits.wait_ms_max: invalid value: integer `-1`, expected u64",
    ),
    (
        "topology.toml",
        "name = \"us-east\"",
        "name = \"eu-west\"",
        "topology.toml:17: regions[1].name: region \"eu-west\" is listed twice",
    ),
    ("topology.toml", "number = 2", "number = 0", "topology.toml:16: regions[1].number: must be 1 to 4095"),
    (
        "topology.toml",
        "number = 2",
        "number = 70000",
        "topology.toml:16: regions[1].number: invalid value: integer `70000`, expected u16",
    ),
    (
        "topology.toml",
        "number = 3",
        "number = 2",
        "topology.toml:22: regions[2].number: region number 2 is taken by another region",
    ),
    (
        "topology.toml",
        "\"127.0.0.1:9102\"",
        "\"127.0.0.1\"",
        "topology.toml:18: regions[1].gossip: \"127.0.0.1\" is not host:port",
    ),
    (
        "topology.toml",
        "ack_quorum = 1",
        "ack_quorum = 3",
        "topology.toml:5: ack_quorum: must be 1 to 2, the number of other regions",
    ),
    (
        "topology.toml",
        "freshness_ms = 20000",
        "freshness_ms = 5",
        "topology.toml:7: freshness_ms: must be 100 to 3600000, not 5",
    ),
    (
        "topology.toml",
        "exposure_per_account = \"100000.00\"",
        "exposure_per_account = \"5000.001\"",
        "topology.toml:31: windows.GBP.exposure_per_account: has more decimal places than the currency",
    ),
    (
        "topology.toml",
        "[windows.GBP]",
        "[windows.gbp]",
        "topology.toml:30: windows.gbp: is not a known ISO 4217 currency code",
    ),
    (
        "topology.toml",
        "number = 2",
        "nubmer = 2",
        "topology.toml:16: regions[1].nubmer: unknown field `nubmer`, expected one of `number`, `name`, `gossip`, `http`",
    ),
];

#[test]
fn every_fault_names_file_line_and_key() {
    let mut wrong = Vec::new();
    for (file, from, to, expected) in FAULTS {
        let said = Copy::new().replace(file, from, to).fault();
        if said != *expected {
            wrong.push(format!("{from:?} -> {to:?}\n     said {said}\n expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_listener_for_the_world_can_be_accepted() {
    let copy = Copy::new().replace("eu-west.toml", "127.0.0.1:8101", "0.0.0.0:8101");
    let accepted = Overrides { insecure_http: true, ..Overrides::default() };
    assert!(load(&copy.path("eu-west.toml"), &accepted).is_ok());
    let overridden = Overrides { listen_http: Some("0.0.0.0:1".parse().unwrap()), ..Overrides::default() };
    assert!(Copy::new().fault_with(&overridden).contains("0.0.0.0:1 can be reached from other machines"));
}

#[test]
fn a_region_alone_needs_no_gossip_and_others_do() {
    let copy = Copy::new();
    let text = std::fs::read_to_string(copy.path("eu-west.toml")).unwrap();
    let without = text.split("\n# stakehold certs").next().unwrap();
    std::fs::write(copy.path("eu-west.toml"), without).unwrap();
    assert_eq!(copy.fault(), "eu-west.toml: gossip: is missing: the topology has other regions");
    let alone = "cluster = \"c\"\n[[regions]]\nnumber = 1\nname = \"eu-west\"\ngossip = \"h:1\"\nhttp = \"http://h\"\n";
    std::fs::write(copy.path("topology.toml"), alone).unwrap();
    let setting = load(&copy.path("eu-west.toml"), &Overrides::default()).unwrap();
    assert!(setting.node.net.is_none());
    assert_eq!(setting.node.engine.ack_quorum, 0);
}

#[test]
fn wagers_wait_for_delays_unless_it_is_off_or_a_recording_is_replayed() {
    let delays = |line: &str, replay: bool| {
        let copy = Copy::new().replace("topology.toml", "freshness_ms = 20000", line);
        let overrides = Overrides { replay, ..Overrides::default() };
        load(&copy.path("eu-west.toml"), &overrides).unwrap().node.engine.bet_delays
    };
    assert!(delays("freshness_ms = 20000", false));
    assert!(!delays("freshness_ms = 20000", true), "a recording decides at the moment that it tells of");
    assert!(delays("bet_delay = \"market\"", true));
    assert!(!delays("bet_delay = \"off\"", false));
    let fault = Copy::new().replace("topology.toml", "freshness_ms = 20000", "bet_delay = \"some\"").fault();
    assert!(fault.contains("bet_delay"), "{fault}");
}

#[test]
fn the_schema_is_that_of_the_code() {
    let path = checkout().join("schemas/region.schema.json");
    let schema = schemars::schema_for!(ConfigFile);
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("STAKEHOLD_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "schemas/region.schema.json differs from the code; STAKEHOLD_BLESS=1 rewrites it");
}
