//! Which addresses are admitted.
