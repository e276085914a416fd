CREATE SEQUENCE crm.referral_id_seq;

CREATE TABLE crm.referral (
    id bigint PRIMARY KEY DEFAULT nextval('crm.referral_id_seq'), -- Number of the referral.
    referrer_id bigint NOT NULL REFERENCES crm.contact (id), -- The contact who passed our offer on.
    contact_id bigint UNIQUE REFERENCES crm.contact (id), -- The person who came of it; null while it is a lead of whom no contact is known. Who was referred twice came of the first.
    lead_id bigint UNIQUE REFERENCES crm.lead (id) ON DELETE CASCADE, -- The lead by which the person came; null for none.
    code text, -- The code as it was given; null for none.
    referred_at timestamptz NOT NULL DEFAULT now(), -- When the person came.
    created_by text NOT NULL DEFAULT current_user, -- Role that entered it.
    CHECK (contact_id IS NOT NULL OR lead_id IS NOT NULL),
    CHECK (contact_id <> referrer_id)
);
COMMENT ON TABLE crm.referral IS 'Who came by whom. A lead captured with a referral_code has its row at once, and the contact when it is known. When contacts are merged, it follows.';
CREATE INDEX referral_referrer ON crm.referral (referrer_id);

CREATE TRIGGER referral_check BEFORE INSERT OR UPDATE ON crm.referral FOR EACH ROW EXECUTE FUNCTION crm.referral_check();
CREATE TRIGGER referral AFTER INSERT OR UPDATE OF contact_id, payload ON crm.lead FOR EACH ROW
    WHEN (NEW.payload ->> 'referral_code' IS NOT NULL) EXECUTE FUNCTION crm.refer_lead();
