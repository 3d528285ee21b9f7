-- Only where e-mail addresses are deterministic.
ALTER TABLE auth_user ADD CONSTRAINT auth_user_email_key UNIQUE (email);
ALTER TABLE newsletter_subscriber ADD CONSTRAINT newsletter_subscriber_email_key UNIQUE (email);
