-- Two tenants, and the callers of three scenes, all to Larkspur Bikes,
-- +15005550009:
--
--   +15005550006  Anna Berg, a customer with an open ticket
--   +15005550012  Omar Haddad, a prospect with an open deal
--   +15005550014  nobody yet
--
-- Marina Yachts, +15005550019, is of somebody else, and knows the first
-- caller's number under another name.  A second run changes nothing.

create or replace function pg_temp.now_utc() returns timestamp
language sql as $$ select timezone('utc', now()) $$;

insert into public.organizations (name, domain, settings, created_at)
select v.name, v.domain, v.settings, pg_temp.now_utc()
from (values
    ('Larkspur Bikes', 'larkspur-bikes.example',
     '{"industry": "retail", "timezone": "America/New_York", "currency": "USD"}'),
    ('Marina Yachts', 'marina-yachts.example',
     '{"industry": "charter", "timezone": "Asia/Dubai", "currency": "AED"}')
    ) v (name, domain, settings)
where not exists (select from public.organizations o where o.domain = v.domain);

insert into public.stages (name, "order")
select v.name, v.n
from (values ('New', 1), ('Contacted', 2), ('Proposal Sent', 3),
             ('Negotiation', 4), ('Won', 5), ('Lost', 6)) v (name, n)
where not exists (select from public.stages);

insert into public.users (name, email, password_hash, role, organization_id,
    created_at)
select v.name, v.email, '!', v.role, o.id, pg_temp.now_utc()
from (values
    ('larkspur-bikes.example', 'Robin Vance', 'robin@larkspur-bikes.example', 'admin'),
    ('larkspur-bikes.example', 'Kim Osei', 'kim@larkspur-bikes.example', 'agent'),
    ('marina-yachts.example', 'Layla Nasser', 'layla@marina-yachts.example', 'admin')
    ) v (domain, name, email, role)
join public.organizations o on o.domain = v.domain
where not exists (select from public.users u where u.email = v.email);

insert into public.contacts (name, email, phone, company, owner_id,
    organization_id, created_at)
select v.name, v.email, v.phone, v.company, u.id, o.id, pg_temp.now_utc()
from (values
    ('larkspur-bikes.example', 'Anna Berg', 'anna.berg@mail.example', '+15005550006', ''),
    ('larkspur-bikes.example', 'Omar Haddad', 'omar@citycouriers.example', '(500) 555-0012 x3', 'City Couriers'),
    ('larkspur-bikes.example', 'June Park', '', '500-555-0031', ''),
    ('marina-yachts.example', 'Captain Idris', 'idris@mail.example', '+1 500 555 0006', 'Blue Dhow')
    ) v (domain, name, email, phone, company)
join public.organizations o on o.domain = v.domain
join public.users u on u.organization_id = o.id and u.role = 'admin'
where not exists (select from public.contacts c
    where c.organization_id = o.id and c.name = v.name);

insert into public.leads (title, contact_id, owner_id, organization_id, status,
    source, score, score_updated_at, score_factors, score_confidence, created_at)
select 'Ten cargo bikes', c.id, c.owner_id, c.organization_id, 'contacted',
    'website', 26, pg_temp.now_utc(), '{}', 0.25, pg_temp.now_utc()
from public.contacts c
join public.organizations o on o.id = c.organization_id
where o.domain = 'larkspur-bikes.example' and c.name = 'Omar Haddad'
and not exists (select from public.leads l where l.contact_id = c.id);

insert into public.deals (title, value, owner_id, stage_id, organization_id,
    description, created_at, contact_id, status)
select v.title, v.value, c.owner_id, s.id, c.organization_id, v.description,
    pg_temp.now_utc() - interval '9 days', c.id, v.status
from (values
    ('larkspur-bikes.example', 'Omar Haddad', 'Ten cargo bikes', 38000,
     'Fleet for deliveries in town; asked for a quote', 'Proposal Sent', 'open'),
    ('larkspur-bikes.example', 'Anna Berg', 'Electric bike', 2400,
     'Bought in spring', 'Won', 'won'),
    ('marina-yachts.example', 'Captain Idris', 'Season charter', 90000,
     'Not for other ears', 'Negotiation', 'open')
    ) v (domain, contact, title, value, description, stage, status)
join public.organizations o on o.domain = v.domain
join public.contacts c on c.organization_id = o.id and c.name = v.contact
join public.stages s on s.name = v.stage
where not exists (select from public.deals d where d.contact_id = c.id);

update public.deals set closed_at = created_at
where status = 'won' and closed_at is null;

insert into public.customer_accounts (deal_id, account_name, contact_id,
    account_type, onboarding_status, health_score, engagement_level,
    created_at, updated_at)
select d.id, 'Anna Berg', d.contact_id, 'standard', 'completed', 72, 'medium',
    pg_temp.now_utc(), pg_temp.now_utc()
from public.deals d
where d.title = 'Electric bike'
and not exists (select from public.customer_accounts a where a.deal_id = d.id);

insert into public.activities (deal_id, user_id, type, message, "timestamp")
select d.id, d.owner_id, 'comment',
    'Sent the quote for ten bikes with front racks; he wants delivery by March.',
    pg_temp.now_utc() - interval '6 days'
from public.deals d
where d.title = 'Ten cargo bikes'
and not exists (select from public.activities a where a.deal_id = d.id);

insert into public.support_tickets (ticket_number, organization_id, title,
    description, priority, status, category, contact_id, customer_account_id,
    customer_email, customer_name, assignment_type, sla_deadline,
    resolution_deadline, follow_up_required, escalated,
    satisfaction_survey_sent, created_by, created_at, updated_at)
select 'TKT-' || lpad(o.id::text, 3, '0') || '-000001', o.id,
    'Battery does not charge', 'The light of the charger stays red.', 'high',
    'in_progress', 'technical', c.id, a.id, c.email, c.name, 'manual',
    pg_temp.now_utc() + interval '6 hours',
    pg_temp.now_utc() + interval '14 hours', false, false, false, c.owner_id,
    pg_temp.now_utc() - interval '2 hours', pg_temp.now_utc() - interval '1 hour'
from public.contacts c
join public.organizations o on o.id = c.organization_id
left join public.customer_accounts a on a.contact_id = c.id
where o.domain = 'larkspur-bikes.example' and c.name = 'Anna Berg'
and not exists (select from public.support_tickets t where t.contact_id = c.id);

insert into public.knowledge_base_articles (organization_id, title, content,
    summary, category, tags, status, visibility, view_count, created_at,
    updated_at)
select o.id, v.title, v.content, v.summary, 'general', v.tags::json, v.status,
    v.visibility, 0, pg_temp.now_utc(), pg_temp.now_utc()
from (values
    ('larkspur-bikes.example', 'Charging an electric bike',
     'Charge the battery at room temperature. If the charger''s light stays red, take the battery out, wait ten minutes and plug it in again. If it is red again, bring battery and charger to the workshop.',
     'Red light: wait ten minutes, try again, else bring it in.',
     '["battery", "charger"]', 'published', 'public'),
    ('larkspur-bikes.example', 'Warranty',
     'Bikes have two years of warranty on the frame and the motor, batteries one year. Bring the receipt.',
     'Two years, batteries one.', '["warranty"]', 'published', 'public'),
    ('larkspur-bikes.example', 'Winter storage for customers',
     'Customers may leave a bike in the cellar from November to March for thirty dollars a month.',
     'Thirty dollars a month.', '["storage"]', 'published', 'customer_only'),
    ('larkspur-bikes.example', 'Battery purchase prices',
     'What the shop itself pays for a battery.', null, '["battery"]',
     'published', 'internal'),
    ('larkspur-bikes.example', 'Battery recall', 'Not checked yet.', null,
     '["battery"]', 'draft', 'public'),
    ('marina-yachts.example', 'Battery of the Blue Dhow',
     'The batteries are below the aft deck.', null, '[]', 'published', 'public')
    ) v (domain, title, content, summary, tags, status, visibility)
join public.organizations o on o.domain = v.domain
where not exists (select from public.knowledge_base_articles a
    where a.organization_id = o.id and a.title = v.title);

insert into public.pbx_providers (organization_id, name, provider_type,
    display_name, host, port, username, password, did_numbers, caller_id_field,
    dialplan_context, recording_enabled, recording_path,
    transcription_enabled, cdr_enabled, cdr_path, is_active, is_primary,
    auto_assign_calls, created_by, created_at, updated_at)
select o.id, 'twilio', 'twilio', 'Twilio', 'api.twilio.com', 443, '', '',
    v.numbers, 'CallerID', 'default', false, '', true, false, '', true, true,
    false, u.id, pg_temp.now_utc(), pg_temp.now_utc()
from (values ('larkspur-bikes.example', '["+15005550009"]'),
             ('marina-yachts.example', '["+1 500 555 0019"]')) v (domain, numbers)
join public.organizations o on o.domain = v.domain
join public.users u on u.organization_id = o.id and u.role = 'admin'
where not exists (select from public.pbx_providers p
    where p.organization_id = o.id);

insert into voice.numbers (number, organization, flow)
select '+15005550009', o.id, 'general' from public.organizations o
where o.domain = 'larkspur-bikes.example'
on conflict do nothing;
