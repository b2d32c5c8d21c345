state = 'kept' and keep_until <= clock_timestamp()
or state = 'building' and (coalesce(lease_until, requested_at) <= clock_timestamp() - interval '60 seconds'
  -- The clock ran ahead.
  or lease_until > clock_timestamp() + interval '120 seconds')
