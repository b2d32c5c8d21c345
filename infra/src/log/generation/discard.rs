//! A generation that nobody wants any more.
