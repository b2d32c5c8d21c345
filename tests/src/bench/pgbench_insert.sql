insert into rival values (
  nextval('rival_position'), gen_random_uuid(), 'account', gen_random_uuid(), 1, gen_random_uuid(),
  'account.login_succeeded', 1,
  '{"session":"0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a11","ip":"sealed","user_agent":"sealed"}',
  decode(repeat('5a', 276), 'hex'), array['0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a11'::uuid],
  '0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a11', null, '0199e0c2-7a56-7cc1-9d5f-3c1f0a3f6a12', null, null,
  gen_random_uuid(), decode(repeat('5a', 32), 'hex'), 1, clock_timestamp());
