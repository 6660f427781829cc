//! decodegen
