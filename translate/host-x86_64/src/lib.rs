//! host-x86_64
