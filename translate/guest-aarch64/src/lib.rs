//! guest-aarch64
