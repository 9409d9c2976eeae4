//! Empty: this package exists for what its dependency builds, RocksDB as a static library.
