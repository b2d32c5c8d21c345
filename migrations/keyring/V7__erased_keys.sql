-- Erased keys are counted without reading the live ones.
create index keys_erased on keyring.keys (destroyed_at) where wrapped is null;
