//! A server that means harm, and one that does not.
