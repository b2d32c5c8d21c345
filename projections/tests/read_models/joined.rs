//! A reader that writes several generations at once.
