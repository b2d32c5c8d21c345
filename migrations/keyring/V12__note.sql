-- A note of a restore that was not done after all is taken back.
grant delete on keyring.watermark to lethe_app;
