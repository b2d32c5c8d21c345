// Links that former versions mailed have their secret behind a #.
if (location.hash.length > 1) {
  location.replace(`${location.pathname}?token=${encodeURIComponent(location.hash.slice(1))}`);
}
