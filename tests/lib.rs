//! Tests that span the house.
